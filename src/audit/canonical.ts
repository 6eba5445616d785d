/**
 * JSON in the one form that is hashed: names sorted by UTF-16 code unit, no blanks, numbers and text
 * as ECMAScript writes them (RFC 8785). Members that are undefined are left out.
 * Throws TypeError for what that form cannot say: numbers that are not finite, broken text.
 */
export function canonicalJson(value: unknown): string {
  // Four times as quick, and most of what is hashed was written down in order.
  return isInOrder(value) ? JSON.stringify(value) : ordered(value)
}

/** Whether ECMAScript would write it in the canonical form by itself. */
function isInOrder(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isInOrder)
  let last = ''
  for (const name of Object.keys(value)) {
    if (name < last || !name.isWellFormed()) return false
    if (!isInOrder((value as Record<string, unknown>)[name])) return false
    last = name
  }
  return true
}

function ordered(value: unknown): string {
  if (typeof value === 'string') return canonicalText(value)
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError('Not a JSON number.')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(ordered).join(',')}]`
  let text = ''
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name]
    if (member === undefined) continue
    text += `${text === '' ? '' : ','}${canonicalText(name)}:${ordered(member)}`
  }
  return `{${text}}`
}

function canonicalText(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('Not Unicode text.')
  return JSON.stringify(text)
}
