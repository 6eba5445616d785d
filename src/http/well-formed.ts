import type { FastifyInstance } from 'fastify'
import { Refusal } from '../errors.ts'

/** Nothing that is asked of the API has objects in objects of half this depth. */
const DEPTH_MAX = 32

/**
 * Refuses JSON that holds half of a surrogate pair (`"\ud800"`): it is no Unicode text, so it could be
 * stored, but never be signed (RFC 8785, section 3.2.2.2) or written out as UTF-8. And JSON that is
 * nested so deeply that whatever walks through it would run out of stack. Refusal `request-invalid`.
 */
export function refuseIllFormedText(fastify: FastifyInstance): void {
  fastify.addHook('preValidation', (request, _reply, done) => {
    const problem = problemOf(request.body, 0)
    if (problem === undefined) return done()
    done(new Refusal('request-invalid', 'ill-formed text', { problems: [problem] }))
  })
}

const ILL_FORMED = 'text must be well-formed Unicode: it holds half of a surrogate pair'

/** Of whatever JSON can hold; forms and streams are read as UTF-8, which has no halves. */
function problemOf(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : ILL_FORMED
  if (value === null || typeof value !== 'object') return undefined
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  if (!isPlain) return undefined
  if (depth === DEPTH_MAX) return `JSON must not be nested more than ${DEPTH_MAX} deep`
  for (const [name, held] of Object.entries(value)) {
    const problem = name.isWellFormed() ? problemOf(held, depth + 1) : ILL_FORMED
    if (problem !== undefined) return problem
  }
  return undefined
}

/**
 * Refuses a zero character in the address and the form of a page, where no schema stands before what
 * is looked up: PostgreSQL takes it for no text (PostgreSQL manual, 8.3). Refusal `request-invalid`.
 */
export function refuseZeros(pages: FastifyInstance): void {
  pages.addHook('preValidation', (request, _reply, done) => {
    const { params, query, body } = request
    const isHeld = [params, query, body].some(fields =>
      Object.values(Object(fields))
        .flat()
        .some(value => typeof value === 'string' && value.includes('\0'))
    )
    done(isHeld ? new Refusal('request-invalid', 'zero character') : undefined)
  })
}
