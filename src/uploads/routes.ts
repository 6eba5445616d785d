import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Id } from '../../schemas/common.ts'
import { DraftCreate, DraftList, DraftView } from '../../schemas/draft.ts'
import { RecordView } from '../../schemas/record.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { refusalOf } from '../http/streams.ts'
import { completeDraft } from './complete.ts'
import { createDraft, giveUpDraft, listDrafts, readDraft } from './drafts.ts'
import { lookAtUpload, tellExtensions } from './look.ts'
import { type AnswerTus, TUS_VERSION, type TusAnswer, UPLOADS } from './protocol.ts'

/** Draft records: what a record is while its files are still arriving. */
export function draftRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    await app.register(ofCaseRoutes(exchange, guarded))
    await app.register(completionRoutes(exchange, guarded))
    app.get(
      '/v1/drafts/:draft',
      {
        ...guarded('draft.read', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'A draft, and how far each of its files has come',
          params: Type.Object({ draft: Id }),
          response: { 200: DraftView }
        }
      },
      request => readDraft(exchange, callerOf(request), request.params.draft)
    )
    app.delete(
      '/v1/drafts/:draft',
      {
        ...guarded('draft.discard', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'Give a draft up, with everything that was uploaded into it',
          params: Type.Object({ draft: Id }),
          response: { 204: Type.Null() }
        }
      },
      async (request, reply) => {
        await giveUpDraft(exchange, callerOf(request), request.params.draft)
        return reply.code(204).send(null)
      }
    )
  }
}

/** Those of a case. */
function ofCaseRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/cases/:case/drafts',
      {
        ...guarded('draft.create', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'Begin a record whose files are uploaded by tus, and may take days',
          params: Type.Object({ case: Id }),
          body: DraftCreate,
          response: { 200: DraftView, 201: DraftView }
        }
      },
      async (request, reply) => {
        const { case: caseId } = request.params
        const { view, isNew } = await createDraft(exchange, callerOf(request), caseId, request.body)
        return reply
          .code(isNew ? 201 : 200)
          .header('location', `/v1/drafts/${view.id}`)
          .send(view)
      }
    )
    app.get(
      '/v1/cases/:case/drafts',
      {
        ...guarded('draft.read', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'Drafts of a case that are still awaited, oldest first',
          params: Type.Object({ case: Id }),
          response: { 200: DraftList }
        }
      },
      async request => ({
        drafts: await listDrafts(exchange, callerOf(request), request.params.case)
      })
    )
  }
}

function completionRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/drafts/:draft/complete',
      {
        ...guarded('record.create', 'clinician'),
        schema: {
          tags: ['records'],
          summary: 'Make the record of the files that have come. May be asked again',
          params: Type.Object({ draft: Id }),
          response: { 200: RecordView, 201: RecordView }
        }
      },
      async (request, reply) => {
        const { draft } = request.params
        const caller = callerOf(request)
        // It reads all that was uploaded, and so counts as an upload.
        const place = await exchange.uploads.enter(caller, ending =>
          request.raw.destroy(refusalOf(ending))
        )
        const completed = completeDraft(exchange, caller, draft).finally(place.leave)
        const { view, isNew } = await completed
        return reply
          .code(isNew ? 201 : 200)
          .header('location', `/v1/records/${view.id}`)
          .send(view)
      }
    )
  }
}

const ofOne = { params: Type.Object({ upload: Id }) }

/** tus 1.0 (tus.io/protocols/resumable-upload). There is no GET: uploads are not for reading. */
export function uploadRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  let made: AnswerTus | undefined
  // The library is loaded by the first request that needs it: no start has to wait for it.
  const answerTus: AnswerTus = async (caller, request, path) => {
    const { tusOn } = await import('./tus.ts')
    made ??= tusOn(exchange)
    return made(caller, request, path)
  }

  /** Requests that bring a body, which may be long. */
  async function take(request: FastifyRequest, path: string): Promise<TusAnswer> {
    const caller = callerOf(request)
    const place = await exchange.uploads.enter(caller, ending =>
      request.raw.destroy(refusalOf(ending))
    )
    return answerTus(caller, request.raw, path).finally(place.leave)
  }

  async function send(reply: FastifyReply, { status, headers }: TusAnswer) {
    return reply.code(status).headers(headers).send()
  }

  return async app => {
    // Bodies are taken from the connection, and nothing is parsed.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _body, done) => done(null))
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('tus-resumable', TUS_VERSION)
    })
    app.route({
      method: 'OPTIONS',
      url: UPLOADS,
      ...guarded('upload.read', 'clinician'),
      schema: { tags: ['records'], summary: 'What of tus is spoken here: versions and extensions' },
      handler: async (request, reply) =>
        send(reply, await tellExtensions(exchange, callerOf(request)))
    })
    app.route({
      method: 'POST',
      url: UPLOADS,
      ...guarded('upload.create', 'clinician'),
      schema: {
        tags: ['records'],
        summary: 'tus: begin an upload into a draft, whole, a part, or joined from parts'
      },
      handler: async (request, reply) => send(reply, await take(request, UPLOADS))
    })
    app.route({
      method: 'HEAD',
      url: `${UPLOADS}/:upload`,
      ...guarded('upload.read', 'clinician'),
      schema: { tags: ['records'], summary: 'tus: where an upload goes on', ...ofOne },
      async handler(request, reply) {
        const { upload } = request.params
        const answer = await answerTus(callerOf(request), request.raw, `${UPLOADS}/${upload}`)
        const more = await lookAtUpload(exchange, callerOf(request), upload)
        return send(reply, { ...answer, headers: { ...answer.headers, ...more } })
      }
    })
    app.route({
      method: 'PATCH',
      url: `${UPLOADS}/:upload`,
      ...guarded('upload.receive', 'clinician'),
      schema: { tags: ['records'], summary: 'tus: send more of an upload', ...ofOne },
      handler: async (request, reply) =>
        send(reply, await take(request, `${UPLOADS}/${request.params.upload}`))
    })
    app.route({
      method: 'DELETE',
      url: `${UPLOADS}/:upload`,
      ...guarded('upload.end', 'clinician'),
      schema: { tags: ['records'], summary: 'tus: end an upload', ...ofOne },
      async handler(request, reply) {
        const path = `${UPLOADS}/${request.params.upload}`
        return send(reply, await answerTus(callerOf(request), request.raw, path))
      }
    })
  }
}
