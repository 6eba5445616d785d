/** The nonce that a policy lets run, or ''. */
export const nonceOf = (headers: Headers): string =>
  /'nonce-([^']+)'/.exec(headers.get('content-security-policy') ?? '')?.[1] ?? ''

const directivesOf = (policy: string): Map<string, string> =>
  new Map(
    policy.split(';').map(part => {
      const [name = '', ...values] = part.trim().split(/\s+/)
      return [name, values.join(' ')]
    })
  )

/** What each header of a careful answer is like. */
const CAREFUL: Record<string, RegExp> = {
  'cache-control': /^no-store$/,
  'x-content-type-options': /^nosniff$/,
  'x-frame-options': /^(DENY|SAMEORIGIN)$/,
  'referrer-policy': /^(same-origin|no-referrer)$/,
  'cross-origin-opener-policy': /^same-origin$/,
  'cross-origin-resource-policy': /^same-origin$/
}

/** What is missing from an answer that a session, or a stranger, got from the pages. */
export function carelessParts(headers: Headers): string[] {
  const policy = directivesOf(headers.get('content-security-policy') ?? '')
  const parts = Object.entries(CAREFUL)
    .filter(([name, wanted]) => !wanted.test(headers.get(name) ?? ''))
    .map(([name]) => `${name}: ${headers.get(name)}`)
  if (policy.get('default-src') !== "'none'") parts.push('default-src')
  for (const [name, value] of policy) {
    // The viewers of browsers style the files they show. Those run nothing, and no page is like that.
    const isViewer = name === 'style-src' && !policy.has('script-src')
    if (/unsafe-|\*|https?:/.test(value) && !isViewer) parts.push(`${name} ${value}`)
  }
  // Files in place are framed by our own pages.
  if (!/^'(none|self)'$/.test(policy.get('frame-ancestors') ?? '')) parts.push('frame-ancestors')
  if (headers.has('access-control-allow-origin')) parts.push('other origins may read it')
  return [...parts, ...headers.getSetCookie().filter(cookie => !isCareful(cookie))]
}

const isCareful = (cookie: string): boolean =>
  /^__Host-[\w-]+=[^;]*;/.test(cookie) &&
  ['; Path=/', '; HttpOnly', '; Secure'].every(flag => cookie.includes(flag)) &&
  /; SameSite=(Lax|Strict)(;|$)/.test(cookie) &&
  !/; Domain=/i.test(cookie)

/** The same of a page with markup, whose nonce must be one that no answer had before. */
export function carelessPage(headers: Headers, nonces: Set<string>): string[] {
  const policy = directivesOf(headers.get('content-security-policy') ?? '')
  const nonce = nonceOf(headers)
  const wanted = {
    'script-src': `'self' 'nonce-${nonce}'`,
    'style-src': "'self'",
    'frame-ancestors': "'none'",
    'form-action': "'self'",
    'base-uri': "'none'",
    'object-src': "'none'"
  }
  const parts = Object.entries(wanted)
    .filter(([name, value]) => policy.get(name) !== value)
    .map(([name]) => name)
  if (Buffer.from(nonce, 'base64').length < 16) parts.push('a nonce that could be guessed')
  if (nonces.has(nonce)) parts.push('a nonce that was used before')
  nonces.add(nonce)
  if (!/cookie/i.test(headers.get('vary') ?? '')) parts.push('vary')
  if (!/camera=\(\)/.test(headers.get('permissions-policy') ?? '')) parts.push('permissions-policy')
  return [...carelessParts(headers), ...parts]
}
