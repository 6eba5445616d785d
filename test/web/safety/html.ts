/** A page as its tags, as far as tests look at it. Pages are made by templates: nothing here is lax. */

export interface Tag {
  name: string
  attributes: Map<string, string>
}

const TAG =
  /<([a-zA-Z][^\s/>]*)((?:\s+[^\s=>/"']+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?)*)\s*\/?>/g
const ATTRIBUTE = /([^\s=>/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g

const unescaped = (text: string): string =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')

export function tagsOf(html: string): Tag[] {
  return [...html.matchAll(TAG)].map(([, name = '', rest = '']) => ({
    name: name.toLowerCase(),
    attributes: new Map(
      [...rest.matchAll(ATTRIBUTE)].map(([, key = '', ...values]) => [
        key.toLowerCase(),
        unescaped(values.find(value => value !== undefined) ?? '')
      ])
    )
  }))
}

/** What in a page could run, or look as somebody else wants, beside the scripts with its nonce. */
export function hostileParts(html: string, nonce: string): string[] {
  const found = /<img src=x|onerror=alert\(1\)>(?!;)/.test(html) && html.includes('<img src=x')
  const parts = found ? ['the probe'] : []
  for (const { name, attributes } of tagsOf(html)) {
    for (const [key, value] of attributes) {
      if (key.startsWith('on')) parts.push(`<${name} ${key}>`)
      if (key === 'style') parts.push(`<${name} style>`)
      const isAddress = ['href', 'src', 'action', 'formaction', 'data', 'poster'].includes(key)
      const isPicture = name === 'img' && value.startsWith('data:image/svg+xml;base64,')
      if (isAddress && /^\s*[a-z][a-z0-9+.-]*:/i.test(value) && !isPicture)
        if (!/^(https?|mailto|tel):/.test(value)) parts.push(`<${name} ${key}=${value}>`)
    }
    const isInline = name === 'script' && !attributes.has('src')
    if (isInline && attributes.get('nonce') !== nonce) parts.push('<script> without the nonce')
    if (['base', 'object', 'embed', 'applet'].includes(name)) parts.push(`<${name}>`)
    if (name === 'meta' && attributes.has('http-equiv')) parts.push('<meta http-equiv>')
  }
  return parts
}

/** A form as a browser would send it, with hostile words in whatever can be typed. */
export interface Form {
  method: string
  action: string
  isMultipart: boolean
  fields: [string, string][]
}

/** Every form of a page; `typed` goes into each field in which a person can write. */
export function formsOf(html: string, path: string, typed: string): Form[] {
  return [...html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(([text]) => {
    const [form, ...tags] = tagsOf(text)
    const areas = [...text.matchAll(/<select\b[^>]*name="([^"]+)"[\s\S]*?<\/select>/g)]
    const fields: [string, string][] = []
    const radios = new Set<string>()
    for (const { name, attributes } of tags) {
      const key = attributes.get('name')
      if (key === undefined) continue
      const type = attributes.get('type') ?? 'text'
      const value = attributes.get('value') ?? ''
      if (name === 'textarea') fields.push([key, typed])
      else if (name === 'button') fields.push([key, value])
      else if (name !== 'input') continue
      else if (type === 'hidden') fields.push([key, value])
      else if (type === 'checkbox') fields.push([key, value || 'on'])
      else if (type === 'radio') {
        if (!radios.has(key)) fields.push([key, value])
        radios.add(key)
      } else if (type !== 'file') fields.push([key, typed])
    }
    for (const [select = '', key = ''] of areas) {
      const options = tagsOf(select).filter(({ name }) => name === 'option')
      const value = options.map(({ attributes }) => attributes.get('value')).find(Boolean)
      fields.push([key, value ?? ''])
    }
    const action = form?.attributes.get('action') ?? ''
    return {
      method: (form?.attributes.get('method') ?? 'get').toUpperCase(),
      action: action === '' ? path : action,
      isMultipart: form?.attributes.get('enctype') === 'multipart/form-data',
      fields
    }
  })
}
