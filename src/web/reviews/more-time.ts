import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { askMoreTime, listAsks } from '../../shares/more-time/ask.ts'
import { formOf, requireShort } from '../form.ts'
import type { Web } from '../routes.ts'

/** What can be asked for with one press; the sender decides. */
const DAYS_OFFERED = [2, 7, 14]
const HOURS_A_DAY = 24
const WORDS_CHARACTERS_MAX = 1000

type Request = FastifyRequest<{ Params: { share: string } }>

/** More time for a share, before it ends or after. */
export function moreTimeRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  const show = (request: Request, reply: FastifyReply, model: Record<string, unknown>) =>
    pages.show(request, reply, 'reviews/more-time', {
      share: request.params.share,
      days: DAYS_OFFERED,
      ...model
    })
  return async app => {
    app.get(
      '/reviews/:share/more-time',
      guarded('more-time.read', 'specialist'),
      async (request: Request, reply) => {
        const { requests } = await listAsks(exchange, callerOf(request), request.params.share)
        const waits = requests.some(({ state }) => state === 'waiting')
        return show(request, reply, { requests, waits })
      }
    )
    app.post(
      '/reviews/:share/more-time',
      guarded('more-time.ask', 'specialist'),
      async (request: Request, reply) => {
        const { share } = request.params
        const words = formOf(request).text('words')
        const asked = formOf(request).text('days')
        pages.onRefusal(request, problems =>
          show(request, reply, { problems, words, asked, requests: [] })
        )
        requireShort('reason', words, WORDS_CHARACTERS_MAX)
        const days = DAYS_OFFERED.find(each => String(each) === asked)
        await askMoreTime(exchange, callerOf(request), share, {
          ...(days !== undefined && { hours: days * HOURS_A_DAY }),
          ...(words !== '' && { words })
        })
        return reply.redirect(`/reviews/${share}/more-time`, 303)
      }
    )
  }
}
