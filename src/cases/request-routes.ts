import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { CaseClose, CaseReopen, CaseView } from '../../schemas/case.ts'
import { ChecklistView, ChecklistWrite } from '../../schemas/checklist.ts'
import { Id } from '../../schemas/common.ts'
import { RequestView, RequestWrite } from '../../schemas/request.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { etagOf } from '../http/if-match.ts'
import { answerChecklist, readChecklist } from './answer-checklist.ts'
import { closeCase, reopenCase } from './close.ts'
import { completeCase } from './complete.ts'
import { readRequest, writeRequest } from './write-request.ts'

const params = Type.Object({ case: Id })
const tags = ['cases']
const ifMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({ maxLength: 200, description: 'The ETag of what you have changed. Required.' })
  )
})

/** What is asked for a case, and what a reviewer needs for it. */
export function requestRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/cases/:case/request',
      {
        ...guarded('request.read', 'clinician'),
        schema: {
          tags,
          summary: 'The request: what is asked, by when, and who pays',
          params,
          response: { 200: RequestView }
        }
      },
      async (request, reply) => {
        const view = await readRequest(exchange, callerOf(request), request.params.case)
        return reply.header('etag', etagOf(view.version)).send(view)
      }
    )
    app.put(
      '/v1/cases/:case/request',
      {
        ...guarded('request.write', 'clinician'),
        schema: {
          tags,
          summary: 'Write the request, whole, over the version that If-Match names',
          params,
          headers: ifMatch,
          body: RequestWrite,
          response: { 200: RequestView }
        }
      },
      async (request, reply) => {
        const asked = { caseId: request.params.case, ifMatch: request.headers['if-match'] }
        const view = await writeRequest(exchange, callerOf(request), asked, request.body)
        return reply.header('etag', etagOf(view.version)).send(view)
      }
    )
    app.get(
      '/v1/cases/:case/checklist',
      {
        ...guarded('checklist.read', 'clinician'),
        schema: {
          tags,
          summary: 'What a reviewer needs: present, missing, not applicable, too old, there twice',
          params,
          response: { 200: ChecklistView }
        }
      },
      async (request, reply) => {
        const view = await readChecklist(exchange, callerOf(request), request.params.case)
        return reply.header('etag', etagOf(view.version)).send(view)
      }
    )
    app.put(
      '/v1/cases/:case/checklist',
      {
        ...guarded('checklist.write', 'clinician'),
        schema: {
          tags,
          summary: 'Answer the checklist, whole, over the version that If-Match names',
          params,
          headers: ifMatch,
          body: ChecklistWrite,
          response: { 200: ChecklistView }
        }
      },
      async (request, reply) => {
        const asked = { caseId: request.params.case, ifMatch: request.headers['if-match'] }
        const view = await answerChecklist(exchange, callerOf(request), asked, request.body)
        return reply.header('etag', etagOf(view.version)).send(view)
      }
    )
  }
}

/** The moves of a case that somebody makes by hand. */
export function caseMoveRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/cases/:case/complete',
      {
        ...guarded('case.complete', 'clinician'),
        schema: {
          tags,
          summary: 'Say that nothing is missing: the turnaround clock starts',
          params,
          response: { 200: CaseView }
        }
      },
      request => completeCase(exchange, callerOf(request), request.params.case)
    )
    app.post(
      '/v1/cases/:case/close',
      {
        ...guarded('case.close', 'clinician'),
        schema: {
          tags,
          summary: 'Close a case. While shares are live only with revokeShares: true',
          params,
          body: CaseClose,
          response: { 200: CaseView }
        }
      },
      request => closeCase(exchange, callerOf(request), request.params.case, request.body)
    )
    app.post(
      '/v1/cases/:case/reopen',
      {
        ...guarded('case.reopen', 'clinician'),
        schema: {
          tags,
          summary: 'Open a closed case again where it stood. Withdrawn shares stay withdrawn',
          params,
          body: CaseReopen,
          response: { 200: CaseView }
        }
      },
      request => reopenCase(exchange, callerOf(request), request.params.case, request.body)
    )
  }
}
