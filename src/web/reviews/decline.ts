import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { declineCase } from '../../opinions/decline.ts'
import { lookAtReceived } from '../../shares/received.ts'
import { formOf, requireNoProblem, requireShort } from '../form.ts'
import type { Web } from '../routes.ts'

const REASON_CHARACTERS_MAX = 1000

type Request = FastifyRequest<{ Params: { share: string } }>

/** Sends a case back unreviewed, with the reason that its sender reads. It ends the share. */
export function declineRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  const show = (request: Request, reply: FastifyReply, model: Record<string, unknown>) =>
    pages.show(request, reply, 'reviews/decline', { share: request.params.share, ...model })
  return async app => {
    app.get(
      '/reviews/:share/decline',
      guarded('share.list', 'specialist'),
      async (request: Request, reply) => {
        const review = await lookAtReceived(exchange, callerOf(request), request.params.share)
        const isOver = ['expired', 'revoked', 'declined', 'replaced'].includes(review.state)
        if (isOver) return pages.show(request, reply, 'reviews/received', { review })
        return show(request, reply, {})
      }
    )
    app.post(
      '/reviews/:share/decline',
      guarded('case.decline', 'specialist'),
      async (request: Request, reply) => {
        const reason = formOf(request).text('reason')
        pages.onRefusal(request, problems => show(request, reply, { problems, reason }))
        requireNoProblem(reason === '' ? [pages.texts('common.reason-missing')] : [])
        requireShort('reason', reason, REASON_CHARACTERS_MAX)
        await declineCase(exchange, callerOf(request), request.params.share, reason)
        return reply.redirect(`/reviews/${request.params.share}`, 303)
      }
    )
  }
}
