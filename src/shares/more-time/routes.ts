import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id } from '../../../schemas/common.ts'
import {
  MoreTimeAsk,
  MoreTimeDecline,
  MoreTimeGive,
  MoreTimeList,
  MoreTimeView
} from '../../../schemas/more-time.ts'
import { ShareCreated } from '../../../schemas/share.ts'
import type { Exchange } from '../../exchange.ts'
import { callerOf, type Guarded } from '../../http/area.ts'
import { declineMoreTime, giveMoreTime } from './answer.ts'
import { askMoreTime, listAsks } from './ask.ts'

const params = Type.Object({ share: Id })

/** More time for a share: its specialist asks, its sender answers. */
export function moreTimeRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/shares/:share/more-time',
      {
        ...guarded('more-time.ask', 'specialist'),
        schema: {
          tags: ['review'],
          summary: 'Ask for more time for a share of yours, before it ends or soon after',
          params,
          body: MoreTimeAsk,
          response: { 201: MoreTimeView }
        }
      },
      async (request, reply) => {
        const { share } = request.params
        return reply
          .code(201)
          .send(await askMoreTime(exchange, callerOf(request), share, request.body))
      }
    )
    app.get(
      '/v1/shares/:share/more-time',
      {
        ...guarded('more-time.read', 'clinician', 'specialist'),
        schema: {
          tags: ['shares', 'review'],
          summary: 'Every time more of it was asked for, and what came of it',
          params,
          response: { 200: MoreTimeList }
        }
      },
      request => listAsks(exchange, callerOf(request), request.params.share)
    )
    app.post(
      '/v1/shares/:share/more-time/approve',
      {
        ...guarded('more-time.give', 'clinician'),
        schema: {
          tags: ['shares'],
          summary: 'Give more time: a new share with a new link replaces this one, which ends',
          params,
          body: MoreTimeGive,
          response: { 201: ShareCreated }
        }
      },
      async (request, reply) => {
        const { share } = request.params
        const made = await giveMoreTime(exchange, callerOf(request), share, request.body)
        return reply.code(201).header('location', `/v1/shares/${made.id}`).send(made)
      }
    )
    app.post(
      '/v1/shares/:share/more-time/decline',
      {
        ...guarded('more-time.decline', 'clinician'),
        schema: {
          tags: ['shares'],
          summary: 'Decline to give more time, with a reason that the specialist reads',
          params,
          body: MoreTimeDecline,
          response: { 200: MoreTimeView }
        }
      },
      request => declineMoreTime(exchange, callerOf(request), request.params.share, request.body)
    )
  }
}
