import type { FastifyPluginAsync } from 'fastify'
import { knownCaller, traceOf } from '../../http/area.ts'
import { signIn, signInOptions } from '../../sessions/sign-in.ts'
import { formOf } from '../form.ts'
import { homeOfRole } from '../pages.ts'
import type { Web } from '../routes.ts'
import { nextOf } from './next.ts'
import { welcome } from './welcome.ts'

const PAGE = 'signing/sign-in'

/** Signing in: press one button, unlock the device or sign in there, and be where one wanted to go. */
export function signInPages({ exchange, pages, greeted, submitted }: Web): FastifyPluginAsync {
  const issuers = exchange.signInIssuers.all.map(({ name, label }) => ({ name, label }))

  return async app => {
    app.get('/sign-in', greeted, async (request, reply) => {
      const next = nextOf(request)
      const caller = knownCaller(request)
      if (caller !== undefined) return reply.redirect(next ?? homeOfRole(caller.role), 303)
      return pages.show(request, reply, PAGE, { next, issuers })
    })

    // Asked for when the button is pressed: a challenge lives five minutes, an open page for days.
    app.post('/sign-in/options', submitted('none'), async (_request, reply) =>
      reply.header('cache-control', 'no-store').send(await signInOptions(exchange))
    )

    app.post('/sign-in', submitted('session.begin'), async (request, reply) => {
      const next = nextOf(request)
      pages.onRefusal(request, problems =>
        pages.show(request, reply, PAGE, { next, issuers, problems })
      )
      const { cookie, role } = await signIn(
        exchange,
        traceOf(request),
        formOf(request).text('answer')
      )
      await welcome({ exchange }, request, reply, cookie)
      return reply.redirect(next ?? homeOfRole(role), 303)
    })
  }
}
