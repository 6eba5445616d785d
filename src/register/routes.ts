import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { Id } from '../../schemas/common.ts'
import {
  SpecialistExpire,
  SpecialistImport,
  SpecialistInput,
  SpecialistPage,
  SpecialistQuery,
  SpecialistVerify,
  SpecialistView
} from '../../schemas/specialist.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { etagOf, versionOf } from '../http/versions.ts'
import { importAs } from './import.ts'
import {
  createSpecialist,
  expireSpecialist,
  type Kept,
  replaceSpecialist,
  verifySpecialist
} from './keep.ts'
import { listSpecialists, readSpecialist } from './search.ts'

const params = Type.Object({ specialist: Id })
const headers = Type.Object({
  'if-match': Type.Optional(Type.String({ description: 'The ETag of the entry. Required.' }))
})
const tags = ['register']

/** Finding a specialist. */
export function registerRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/specialists',
      {
        ...guarded('specialist.list', 'clinician', 'administrator'),
        schema: {
          tags,
          summary: 'Specialists by condition, country, language, availability or name',
          querystring: SpecialistQuery,
          response: { 200: SpecialistPage }
        }
      },
      request => listSpecialists(exchange, callerOf(request), request.query)
    )
    app.get(
      '/v1/specialists/:specialist',
      {
        ...guarded('specialist.read', 'clinician', 'administrator'),
        schema: {
          tags,
          summary: 'One entry of the register',
          params,
          response: { 200: SpecialistView }
        }
      },
      async (request, reply) =>
        answer(reply, await readSpecialist(exchange, callerOf(request), request.params.specialist))
    )
    await app.register(keepingRoutes(exchange, guarded))
    await app.register(importRoute(exchange, guarded))
  }
}

/** Keeping the register. */
function keepingRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/specialists',
      {
        ...guarded('specialist.create', 'administrator'),
        schema: {
          tags,
          summary: 'Enter a specialist, whom nobody has verified yet',
          body: SpecialistInput,
          response: { 201: SpecialistView }
        }
      },
      async (request, reply) => {
        const kept = await createSpecialist(exchange, callerOf(request), request.body)
        reply.code(201).header('location', `/v1/specialists/${kept.view.id}`)
        return answer(reply, kept)
      }
    )
    app.put(
      '/v1/specialists/:specialist',
      {
        ...guarded.proven('specialist.update', 'administrator'),
        schema: {
          tags,
          summary: 'Replace an entry. A new name, number or country ends its verification',
          params,
          headers,
          body: SpecialistInput,
          response: { 200: SpecialistView }
        }
      },
      async (request, reply) => {
        const at = versionAt(request.params.specialist, request.headers)
        return answer(reply, await replaceSpecialist(exchange, callerOf(request), at, request.body))
      }
    )
    app.post(
      '/v1/specialists/:specialist/verify',
      {
        ...guarded.proven('specialist.verify', 'administrator'),
        schema: {
          tags,
          summary: 'Say that you found them registered, where, and until when that counts',
          params,
          headers,
          body: SpecialistVerify,
          response: { 200: SpecialistView }
        }
      },
      async (request, reply) => {
        const at = versionAt(request.params.specialist, request.headers)
        return answer(reply, await verifySpecialist(exchange, callerOf(request), at, request.body))
      }
    )
    app.post(
      '/v1/specialists/:specialist/expire',
      {
        ...guarded('specialist.expire', 'administrator'),
        schema: {
          tags,
          summary: 'End a verification now. Live shares are shut within a second',
          params,
          headers,
          body: SpecialistExpire,
          response: { 200: SpecialistView }
        }
      },
      async (request, reply) => {
        const at = versionAt(request.params.specialist, request.headers)
        const { reason } = request.body
        return answer(reply, await expireSpecialist(exchange, callerOf(request), at, reason))
      }
    )
  }
}

/** Importing. In a scope of its own, because nothing else takes CSV. */
function importRoute(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    // The importer reads, and limits, the stream itself.
    app.addContentTypeParser('text/csv', (_request, payload, done) => done(null, payload))
    app.post(
      '/v1/specialists/import',
      {
        ...guarded.proven('specialist.import', 'administrator'),
        schema: {
          tags,
          summary: 'Enter and change specialists from CSV, and be told of each row',
          consumes: ['text/csv'],
          querystring: Type.Object(
            {
              dryRun: Type.Optional(
                Type.Literal('true', { description: 'Say what would be done, and do nothing' })
              )
            },
            { additionalProperties: false }
          ),
          response: { 200: SpecialistImport }
        }
      },
      request => {
        const { body } = request
        // A body of another type that is taken elsewhere, such as JSON, was read already.
        if (!(body instanceof Readable)) throw new Refusal('media-type-refused', 'not CSV')
        const dryRun = request.query.dryRun !== undefined
        return importAs(exchange, callerOf(request), body, dryRun)
      }
    )
  }
}

function versionAt(id: string, headers: { 'if-match'?: string }) {
  return { id, version: versionOf(headers['if-match']) }
}

function answer(reply: FastifyReply, { view, version }: Kept): Kept['view'] {
  reply.header('etag', etagOf(version))
  return view
}
