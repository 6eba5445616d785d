import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { listMessages, writeMessage } from '../../opinions/messages.ts'
import { formOf, requireNoProblem, requireShort } from '../form.ts'
import type { Web } from '../routes.ts'

const TEXT_CHARACTERS_MAX = 10_000

type Request = FastifyRequest<{ Params: { share: string }; Querystring: { after?: string } }>

/** What the specialist and the sender write to each other. */
export function messageRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  const show = (request: Request, reply: FastifyReply, model: Record<string, unknown>) =>
    pages.show(request, reply, 'reviews/messages', { share: request.params.share, ...model })
  return async app => {
    app.get(
      '/reviews/:share/messages',
      guarded('message.list', 'specialist'),
      async (request: Request, reply) => {
        const { after } = request.query
        const page = typeof after === 'string' ? { cursor: after } : {}
        const { share } = request.params
        const { messages, next } = await listMessages(exchange, callerOf(request), share, page)
        return show(request, reply, { messages, next })
      }
    )
    app.post(
      '/reviews/:share/messages',
      guarded('message.create', 'specialist'),
      async (request: Request, reply) => {
        const text = formOf(request).text('text')
        pages.onRefusal(request, problems => show(request, reply, { problems, text, messages: [] }))
        requireNoProblem(text === '' ? [pages.texts('common.message-missing')] : [])
        requireShort('message', text, TEXT_CHARACTERS_MAX)
        await writeMessage(exchange, callerOf(request), request.params.share, text)
        return reply.redirect(`/reviews/${request.params.share}/messages`, 303)
      }
    )
  }
}
