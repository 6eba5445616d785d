import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Id } from '../../../schemas/common.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded, open } from '../../http/area.ts'
import { readEvent, searchEvents } from './bundle.ts'
import { capabilityStatement } from './capability.ts'
import { requireJson } from './format.ts'
import { FHIR_JSON } from './operation-outcome.ts'
import { readSearch } from './search.ts'

/** The access log in FHIR R4, for systems that collect the logs of a whole trust. Read only. */
export function fhirRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  const send = (reply: FastifyReply, resource: object) =>
    reply.type(FHIR_JSON).serializer(JSON.stringify).send(resource)

  const search = async (request: FastifyRequest, reply: FastifyReply, form: URLSearchParams) => {
    requireFormat(request, form)
    const asked = readSearch(queryOf(request), form, isStrict(request))
    return send(reply, await searchEvents(exchange, callerOf(request), asked))
  }

  return async app => {
    // Anything but a form would be a search without its conditions.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, new URLSearchParams(String(body)))
    )
    app.get(
      '/fhir/metadata',
      { ...open, schema: fhirSchema('What this server can do') },
      async (request, reply) => {
        requireFormat(request)
        return send(reply, capabilityStatement(exchange.publicUrl))
      }
    )
    app.get(
      '/fhir/AuditEvent',
      {
        ...guarded('audit.query', 'auditor'),
        schema: fhirSchema('Search the access log of your organisation, newest first')
      },
      (request, reply) => search(request, reply, new URLSearchParams())
    )
    app.post(
      '/fhir/AuditEvent/_search',
      {
        ...guarded('audit.query', 'auditor'),
        schema: fhirSchema('The same, also by patient, who is named in the form, never in a URL')
      },
      (request, reply) => search(request, reply, formOf(request))
    )
    app.get(
      '/fhir/AuditEvent/:event',
      {
        ...guarded('audit.query', 'auditor'),
        schema: {
          ...fhirSchema('One event of the access log of your organisation'),
          params: Type.Object({ event: Id })
        }
      },
      async (request, reply) => {
        requireFormat(request)
        return send(reply, await readEvent(exchange, callerOf(request), request.params.event))
      }
    )
  }
}

const fhirSchema = (summary: string) => ({ tags: ['fhir'], summary })

/** As it was sent: the parsed form would turn what is repeated into something else. */
const queryOf = (request: FastifyRequest): URLSearchParams =>
  new URLSearchParams(request.url.split('?').slice(1).join('?'))

const requireFormat = (request: FastifyRequest, form = new URLSearchParams()): void =>
  requireJson(
    [...queryOf(request).getAll('_format'), ...form.getAll('_format')],
    request.headers.accept
  )

/** A search without conditions may come without a body. */
const formOf = ({ body }: FastifyRequest): URLSearchParams =>
  body instanceof URLSearchParams ? body : new URLSearchParams()

/** FHIR R4, search.html#errors, with RFC 7240, section 2. */
const isStrict = (request: FastifyRequest): boolean =>
  /\bhandling\s*=\s*"?strict\b/i.test(String(request.headers.prefer ?? ''))
