import formbody from '@fastify/formbody'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Exchange } from '../exchange.ts'
import {
  callerOf,
  type Gate,
  greetedBy,
  guardedBy,
  knownCaller,
  sessionOf,
  submittedBy
} from '../http/area.ts'
import { refuseZeros } from '../http/well-formed.ts'
import { signedOut } from '../sessions/cookie.ts'
import { endSessions } from '../sessions/session.ts'
import { ownAccountRoutes } from './account/routes.ts'
import { administrationPages } from './administration/routes.ts'
import { caseRoutes } from './cases/routes.ts'
import { helpPages } from './help/routes.ts'
import { logPages } from './log/routes.ts'
import { homeOfRole, type Pages } from './pages.ts'
import { peopleRoutes } from './people/routes.ts'
import { retentionPages } from './retention/routes.ts'
import { reviewRoutes } from './reviews/routes.ts'
import { sharingRoutes } from './sharing/routes.ts'
import { afterSignOut } from './signing/elsewhere.ts'
import { nextOf } from './signing/next.ts'
import { signingRoutes } from './signing/routes.ts'

/** What the pages of every area are made with. */
export interface Web {
  exchange: Exchange
  pages: Pages
  /** For pages of signed-in people: as `guarded` of the API. */
  guarded: ReturnType<typeof guardedBy>
  /** For pages that anybody may see. */
  greeted: ReturnType<typeof greetedBy>
  /** For forms of people whom nobody knows yet. */
  submitted: ReturnType<typeof submittedBy>
}

/** Everything people see in a browser. Forms come as browsers send them; no page is in the API's description. */
export function webRoutes(exchange: Exchange, gate: Gate, pages: Pages): FastifyPluginAsync {
  const web: Web = {
    exchange,
    pages,
    guarded: guardedBy(gate, true),
    greeted: greetedBy(gate),
    submitted: submittedBy(gate)
  }
  return async app => {
    app.addHook('onRoute', route => {
      route.schema = { ...route.schema, hide: true }
    })
    refuseZeros(app)
    await app.register(formbody, { bodyLimit: exchange.limits.bodyBytesMax })
    await app.register(startRoutes(web))
    await app.register(signingRoutes(web))
    await app.register(ownAccountRoutes(web))
    await app.register(peopleRoutes(web))
    await app.register(logPages(web))
    await app.register(administrationPages(web))
    await app.register(helpPages(web))
    await app.register(reviewRoutes(web))
    await app.register(retentionPages(web))
    await app.register(caseRoutes(web))
    await app.register(sharingRoutes(web))
  }
}

/** Where everybody begins, and where they leave. */
function startRoutes({ exchange, pages, guarded, greeted }: Web): FastifyPluginAsync {
  return async app => {
    app.get('/', greeted, async (request: FastifyRequest, reply: FastifyReply) => {
      const caller = knownCaller(request)
      if (caller === undefined) return pages.show(request, reply, 'home')
      return reply.redirect(homeOfRole(caller.role), 303)
    })
    app.post(
      '/sign-out',
      guarded('session.end', 'clinician', 'specialist', 'auditor', 'administrator'),
      async (request, reply) => {
        const id = sessionOf(request)?.sessionId
        const caller = callerOf(request)
        await endSessions(exchange, caller, id === undefined ? {} : { id })
        // Whoever is to come back with another account is led there, and the link stays in their tab.
        const next = nextOf(request)
        const place = next && `/sign-in?next=${encodeURIComponent(next)}`
        return reply.headers(signedOut()).redirect(place ?? afterSignOut({ exchange }, caller), 303)
      }
    )
  }
}
