import type { FastifyPluginAsync } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { listReceived } from '../../shares/received.ts'
import type { Web } from '../routes.ts'

/** What was sent to a specialist, newest first. */
export function listRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  return async app => {
    app.get<{ Querystring: { after?: string } }>(
      '/reviews',
      guarded('share.list', 'specialist'),
      async (request, reply) => {
        const { after } = request.query
        const page = typeof after === 'string' ? { cursor: after } : {}
        const { reviews, next } = await listReceived(exchange, callerOf(request), page)
        return pages.show(request, reply, 'reviews/list', { reviews, next })
      }
    )
  }
}
