import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id } from '../../schemas/common.ts'
import {
  ErasureOrder,
  ErasureReceipt,
  ErasureView,
  HoldPut,
  HoldView,
  RetentionView
} from '../../schemas/retention.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { eraseOnRequest } from './erase.ts'
import { liftHold, putHold } from './holds.ts'
import { readErasure, readRetention } from './read.ts'

const OfCase = Type.Object({ case: Id })

/** How long things stay, what keeps them, and their end. */
export function retentionRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    await app.register(erasureRoutes(exchange, guarded))
    app.get(
      '/v1/cases/:case/retention',
      {
        ...guarded('retention.read', 'clinician', 'auditor', 'administrator'),
        schema: {
          tags: ['retention'],
          summary: 'How long each part of a case stays and why, its legal holds and its erasures',
          params: OfCase,
          response: { 200: RetentionView }
        }
      },
      request => readRetention(exchange, callerOf(request), request.params.case)
    )
    app.post(
      '/v1/cases/:case/holds',
      {
        ...guarded('hold.create', 'administrator'),
        schema: {
          tags: ['retention'],
          summary: 'Put a case under a legal hold: nothing of it is erased until it is lifted',
          params: OfCase,
          body: HoldPut,
          response: { 201: HoldView }
        }
      },
      async (request, reply) => {
        const { case: caseId } = request.params
        const view = await putHold(exchange, callerOf(request), caseId, request.body)
        return reply.code(201).send(view)
      }
    )
    app.post(
      '/v1/cases/:case/holds/:hold/lift',
      {
        ...guarded('hold.lift', 'administrator'),
        schema: {
          tags: ['retention'],
          summary: 'Lift a legal hold',
          params: Type.Object({ case: Id, hold: Id }),
          body: HoldPut,
          response: { 200: HoldView }
        }
      },
      request => liftHold(exchange, callerOf(request), request.params, request.body)
    )
  }
}

function erasureRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/cases/:case/erasure',
      {
        ...guarded.proven('case.erase', 'administrator'),
        schema: {
          tags: ['retention'],
          summary: 'Erase a case before its time, for good',
          description:
            'Ends its live shares, closes it and destroys the keys of its records; of everything else too, unless an opinion or a consent has to stay. What stays, and why, is in the answer.',
          params: OfCase,
          body: ErasureOrder,
          response: { 201: ErasureView }
        }
      },
      async (request, reply) => {
        const { case: caseId } = request.params
        const view = await eraseOnRequest(exchange, callerOf(request), caseId, request.body)
        return reply.code(201).header('location', `/v1/erasures/${view.id}`).send(view)
      }
    )
    app.get(
      '/v1/erasures/:erasure',
      {
        ...guarded('erasure.read', 'clinician', 'auditor', 'administrator'),
        schema: {
          tags: ['retention'],
          summary: 'The signed receipt of an erasure, with the proof that it is on the access log',
          params: Type.Object({ erasure: Id }),
          response: { 200: ErasureReceipt }
        }
      },
      request => readErasure(exchange, callerOf(request), request.params.erasure)
    )
  }
}
