import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { requireJson } from './format.ts'
import { FHIR_JSON } from './operation-outcome.ts'

/** Sends one resource or Bundle as FHIR JSON. */
export const sendFhir = (reply: FastifyReply, resource: object) =>
  reply.type(FHIR_JSON).serializer(JSON.stringify).send(resource)

/** What the API description says of a route of FHIR. */
export const fhirSchema = (summary: string) => ({ tags: ['fhir'], summary })

/** Takes forms for searches by POST. Anything but a form would be a search without its conditions. */
export function takeForms(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body)))
  )
}

/** The query as it was sent: the parsed form would turn what is repeated into something else. */
const queryOf = (request: FastifyRequest): URLSearchParams =>
  new URLSearchParams(request.url.split('?').slice(1).join('?'))

/** A search without conditions may come without a body. */
const formOf = ({ body }: FastifyRequest): URLSearchParams =>
  body instanceof URLSearchParams ? body : new URLSearchParams()

/** FHIR R4, search.html#errors, with RFC 7240, section 2. */
const isStrict = (request: FastifyRequest): boolean =>
  /\bhandling\s*=\s*"?strict\b/i.test(String(request.headers.prefer ?? ''))

/** Refuses a request for another format than JSON: Refusal `format-refused`. */
export const requireFormat = (request: FastifyRequest, form = new URLSearchParams()): void =>
  requireJson(
    [...queryOf(request).getAll('_format'), ...form.getAll('_format')],
    request.headers.accept
  )

/** The parts of a search, of whichever method. Throws Refusal `format-refused`. */
export function searchIn(request: FastifyRequest) {
  const form = formOf(request)
  requireFormat(request, form)
  return { url: queryOf(request), form, isStrict: isStrict(request) }
}
