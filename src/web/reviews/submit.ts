import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { etagOf } from '../../http/if-match.ts'
import { addAddendum } from '../../opinions/addenda.ts'
import { readOpinion } from '../../opinions/draft.ts'
import { accessToOwnDocument } from '../../opinions/own-document.ts'
import { previewOpinion } from '../../opinions/preview.ts'
import { submitOpinion } from '../../opinions/submit.ts'
import { serveRecord } from '../../records/serve.ts'
import { formOf, requireNoProblem, requireShort } from '../form.ts'
import type { Web } from '../routes.ts'
import { typedBefore } from './opinion-form.ts'

const TEXT_CHARACTERS_MAX = 10_000

type Request = FastifyRequest<{ Params: { share: string; number: string } }>

/** Checks, submits and adds to an opinion, and hands its writer the signed documents. */
export function submittingRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  return async app => {
    app.get(
      '/reviews/:share/opinion/submit',
      guarded('opinion.read', 'specialist'),
      async (request: Request, reply) => {
        const caller = callerOf(request)
        const { share } = request.params
        const opinion = await readOpinion(exchange, caller, share)
        if (opinion.state === 'submitted') return reply.redirect(`/reviews/${share}/opinion`, 303)
        const preview = await previewOpinion(exchange, caller, share)
        const typed = typedBefore(opinion)
        const model = { share, opinion, typed, ...preview }
        return pages.show(request, reply, 'reviews/opinion-check', model)
      }
    )
    app.post(
      '/reviews/:share/opinion/submit',
      guarded('opinion.submit', 'specialist'),
      async (request: Request, reply) => {
        const { share } = request.params
        pages.onRefusal(request, async (problems, { code }) => {
          // Pressed twice, or from another window: it is there.
          if (code === 'opinion-final') return reply.redirect(`/reviews/${share}/opinion`, 303)
          return pages.show(request, reply, 'reviews/not-submitted', { share, problems })
        })
        const version = Number(formOf(request).text('version'))
        await submitOpinion(exchange, callerOf(request), {
          shareId: share,
          ifMatch: etagOf(version)
        })
        return reply.redirect(`/reviews/${share}/opinion`, 303)
      }
    )
    app.post(
      '/reviews/:share/opinion/addenda',
      guarded('opinion.addendum', 'specialist'),
      async (request: Request, reply) => {
        const { share } = request.params
        const text = formOf(request).text('text')
        const name = pages.texts('reviews.addendum-text')
        const typed = text === '' ? [] : [{ name, text }]
        pages.onRefusal(request, problems =>
          pages.show(request, reply, 'reviews/typed', { share, problems, typed })
        )
        requireNoProblem(text === '' ? [pages.texts('reviews.addendum-missing')] : [])
        requireShort('addendum', text, TEXT_CHARACTERS_MAX)
        await addAddendum(exchange, callerOf(request), share, text)
        return reply.redirect(`/reviews/${share}/opinion`, 303)
      }
    )
    app.get(
      '/reviews/:share/opinion/content',
      guarded('content.read', 'specialist'),
      async (request: Request, reply) => {
        const { share } = request.params
        const access = await accessToOwnDocument(exchange, callerOf(request), share)
        return serveRecord(exchange, access, request, reply)
      }
    )
    app.get(
      '/reviews/:share/opinion/addenda/:number/content',
      guarded('content.read', 'specialist'),
      async (request: Request, reply) => {
        const { share, number } = request.params
        const access = await accessToOwnDocument(exchange, callerOf(request), share, Number(number))
        return serveRecord(exchange, access, request, reply)
      }
    )
  }
}
