import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, PageQuery } from '../../schemas/common.ts'
import {
  AddendumView,
  AddendumWrite,
  Attached,
  Declined,
  DeclineWrite,
  MessageList,
  MessageView,
  MessageWrite,
  OpinionSummary,
  OpinionView,
  OpinionWrite
} from '../../schemas/opinion.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { etagOf } from '../http/if-match.ts'
import { receiveForm, takeForms } from '../records/receive-form.ts'
import { acknowledgeOpinion } from './acknowledge.ts'
import { addAddendum } from './addenda.ts'
import { attachRecord } from './attachments.ts'
import { declineCase } from './decline.ts'
import { readOpinion, saveDraft } from './draft.ts'
import { listMessages, writeMessage } from './messages.ts'
import { submitOpinion } from './submit.ts'
import { summariseOpinions } from './summary.ts'

const params = Type.Object({ share: Id })
const tags = ['opinions']
const ifMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({ maxLength: 200, description: 'The ETag of what you have seen. Required.' })
  )
})

/** What comes back: by its specialist, to the organisation that asked. */
export function opinionRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    await app.register(writingRoutes(exchange, guarded))
    await app.register(attachingRoutes(exchange, guarded))
    await app.register(receivingRoutes(exchange, guarded))
    await app.register(messageRoutes(exchange, guarded))
  }
}

/** What the specialist of a share does. */
function writingRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.put(
      '/v1/shares/:share/opinion',
      {
        ...guarded('opinion.save', 'specialist'),
        schema: {
          tags,
          summary: 'Save the draft of your opinion, whole, over the version that If-Match names',
          params,
          headers: ifMatch,
          body: OpinionWrite,
          response: { 200: OpinionView }
        }
      },
      async (request, reply) => {
        const asked = { shareId: request.params.share, ifMatch: request.headers['if-match'] }
        const view = await saveDraft(exchange, callerOf(request), asked, request.body)
        return reply.header('etag', etagOf(view.version)).send(view)
      }
    )
    app.post(
      '/v1/shares/:share/opinion/submit',
      {
        ...guarded('opinion.submit', 'specialist'),
        schema: {
          tags,
          summary: 'Submit your opinion, for good: signed, and made a record of the case',
          params,
          headers: ifMatch,
          response: { 200: OpinionView }
        }
      },
      async (request, reply) => {
        const asked = { shareId: request.params.share, ifMatch: request.headers['if-match'] }
        const view = await submitOpinion(exchange, callerOf(request), asked)
        return reply.header('etag', etagOf(view.version)).send(view)
      }
    )
    app.post(
      '/v1/shares/:share/opinion/addenda',
      {
        ...guarded('opinion.addendum', 'specialist'),
        schema: {
          tags,
          summary: 'Add to an opinion that was submitted',
          params,
          body: AddendumWrite,
          response: { 201: AddendumView }
        }
      },
      async (request, reply) => {
        const { share } = request.params
        const added = await addAddendum(exchange, callerOf(request), share, request.body.text)
        return reply.code(201).send(added)
      }
    )
    app.post(
      '/v1/shares/:share/decline',
      {
        ...guarded('case.decline', 'specialist'),
        schema: {
          tags,
          summary: 'Decline what was shared with you, with a reason. The share ends',
          params,
          body: DeclineWrite,
          response: { 200: Declined }
        }
      },
      request => declineCase(exchange, callerOf(request), request.params.share, request.body.reason)
    )
  }
}

/** What goes with an opinion. */
function attachingRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    await takeForms(app, exchange.limits)
    app.post(
      '/v1/shares/:share/opinion/attachments',
      {
        ...guarded('record.create', 'specialist'),
        schema: {
          tags,
          summary:
            'Add a record to go with your opinion, as multipart/form-data: title and date, then its files',
          consumes: ['multipart/form-data'],
          params,
          response: { 201: Attached }
        }
      },
      async (request, reply) => {
        const attached = await receiveForm(exchange, request, parts =>
          attachRecord(exchange, callerOf(request), request.params.share, parts)
        )
        return reply.code(201).send(attached)
      }
    )
  }
}

/** What both sides read, and what the organisation that asked does. */
function receivingRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/shares/:share/opinion',
      {
        ...guarded('opinion.read', 'specialist', 'clinician'),
        schema: {
          tags,
          summary:
            'The opinion: your own draft, or what was submitted to you, with its signed form',
          params,
          response: { 200: OpinionView }
        }
      },
      async (request, reply) => {
        const view = await readOpinion(exchange, callerOf(request), request.params.share)
        return reply.header('etag', etagOf(view.version)).send(view)
      }
    )
    app.post(
      '/v1/shares/:share/opinion/acknowledgement',
      {
        ...guarded('opinion.acknowledge', 'clinician'),
        schema: {
          tags,
          summary: 'Say that you have received an opinion. Its specialist is told',
          params,
          response: { 200: OpinionView }
        }
      },
      request => acknowledgeOpinion(exchange, callerOf(request), request.params.share)
    )
    app.get(
      '/v1/cases/:case/opinions',
      {
        ...guarded('opinion.list', 'clinician'),
        schema: {
          tags,
          summary: 'All opinions on a case side by side, and where they differ',
          params: Type.Object({ case: Id }),
          response: { 200: OpinionSummary }
        }
      },
      request => summariseOpinions(exchange, callerOf(request), request.params.case)
    )
  }
}

/** Questions and replies. */
function messageRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/shares/:share/messages',
      {
        ...guarded('message.create', 'specialist', 'clinician'),
        schema: {
          tags,
          summary: 'Write to the other side of a share',
          params,
          body: MessageWrite,
          response: { 201: MessageView }
        }
      },
      async (request, reply) => {
        const { share } = request.params
        const message = await writeMessage(exchange, callerOf(request), share, request.body.text)
        return reply.code(201).send(message)
      }
    )
    app.get(
      '/v1/shares/:share/messages',
      {
        ...guarded('message.list', 'specialist', 'clinician'),
        schema: {
          tags,
          summary: 'Messages about a share, newest first',
          params,
          querystring: Type.Object(PageQuery, { additionalProperties: false }),
          response: { 200: MessageList }
        }
      },
      request => listMessages(exchange, callerOf(request), request.params.share, request.query)
    )
  }
}
