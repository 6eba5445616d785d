import type { FastifyInstance } from 'fastify'
import { Refusal } from '../errors.ts'

/**
 * Refuses JSON that holds half of a surrogate pair (`"\ud800"`): it is no Unicode text, so it could be
 * stored, but never be signed (RFC 8785, section 3.2.2.2) or written out as UTF-8. Refusal
 * `request-invalid`.
 */
export function refuseIllFormedText(fastify: FastifyInstance): void {
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (isWellFormed(request.body)) return done()
    const problems = ['text must be well-formed Unicode: it holds half of a surrogate pair']
    done(new Refusal('request-invalid', 'ill-formed text', { problems }))
  })
}

/** Of whatever JSON can hold; forms and streams are read as UTF-8, which has no halves. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (Array.isArray(value)) return value.every(isWellFormed)
  if (value === null || typeof value !== 'object') return true
  if (Object.getPrototypeOf(value) !== Object.prototype) return true
  return Object.entries(value).every(([name, held]) => name.isWellFormed() && isWellFormed(held))
}
