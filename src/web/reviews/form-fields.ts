import { Refusal } from '../../errors.ts'

/** One field of a form, as it was typed; what is absent is ''. */
export function fieldOf(body: unknown, name: string): string {
  const value = typeof body === 'object' && body !== null ? Object.entries(body) : []
  const found = value.find(([key]) => key === name)?.[1]
  // Browsers end lines of a text area with CR LF (HTML, form submission).
  return typeof found === 'string' ? found.replaceAll('\r\n', '\n').trim() : ''
}

/** All values of a field that may be given several times. */
export function fieldsOf(body: unknown, name: string): string[] {
  const value = typeof body === 'object' && body !== null ? Object.entries(body) : []
  const found: unknown = value.find(([key]) => key === name)?.[1] ?? []
  return [found].flat().filter(each => typeof each === 'string')
}

/** Throws Refusal `request-invalid` for a text longer than the API takes. */
export function requireShort(name: string, text: string, charactersMax: number): void {
  if (text.length <= charactersMax) return
  const problems = [`${name} is longer than ${charactersMax.toLocaleString('en-GB')} characters.`]
  throw new Refusal('request-invalid', undefined, { problems })
}
