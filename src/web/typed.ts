import type { FastifyRequest } from 'fastify'

/** What was typed into a field of a form, without blanks around it; '' when it is not there. */
export function typed(request: Pick<FastifyRequest, 'body'>, name: string): string {
  return oneOf(request.body, name)
}

/** The same of the address. Ids and words of ours only: never what somebody typed. */
export function inAddress(request: Pick<FastifyRequest, 'query'>, name: string): string {
  return oneOf(request.query, name)
}

/** Every value of a field that may be there several times, as of checkboxes. */
export function allTyped(request: Pick<FastifyRequest, 'body'>, name: string): string[] {
  const value = fieldOf(request.body, name)
  return (Array.isArray(value) ? value : [value]).filter(
    (text): text is string => typeof text === 'string' && text !== ''
  )
}

/** A field that came twice is nobody's form: its last value counts, as in PHP and Rails. */
function oneOf(fields: unknown, name: string): string {
  const value = fieldOf(fields, name)
  const text = Array.isArray(value) ? value.at(-1) : value
  return typeof text === 'string' ? text.trim() : ''
}

function fieldOf(fields: unknown, name: string): unknown {
  if (typeof fields !== 'object' || fields === null || !Object.hasOwn(fields, name))
    return undefined
  return (fields as Record<string, unknown>)[name]
}
