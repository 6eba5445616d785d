import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { callerOf, sessionOf } from '../../http/area.ts'
import type { Role } from '../../identity/principal.ts'
import { sessionCookie } from '../../sessions/cookie.ts'
import type { SignedIn } from '../../sessions/session.ts'
import { hasPasskeys, proofOptions, proveHolder } from '../../sessions/sign-in.ts'
import { formOf } from '../form.ts'
import { homeOfRole, type Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { nextOf } from './next.ts'

const PAGE = 'signing/prove'
export const EVERYBODY: Role[] = ['clinician', 'specialist', 'auditor', 'administrator']

/** Showing again who one is, before what must not be done at a screen that was left open. */
export function provePages({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  /** Where they signed in, they can show it again; by a passkey too, when they have one. */
  const modelOf = async (request: FastifyRequest): Promise<Model> => {
    const caller = callerOf(request)
    const elsewhere = exchange.signInIssuers.of(caller.issuer)
    const hasPasskey = elsewhere === undefined || (await hasPasskeys(exchange, caller))
    const next = nextOf(request)
    return { next: next && pages.wayBack(next), elsewhere: elsewhere?.label, hasPasskey }
  }

  return async app => {
    const guard = guarded('session.prove', ...EVERYBODY)

    app.get('/prove', guard, async (request, reply) =>
      pages.show(request, reply, PAGE, await modelOf(request))
    )

    app.post('/prove/options', guard, async (request, reply) =>
      reply
        .header('cache-control', 'no-store')
        .send(await proofOptions(exchange, callerOf(request)))
    )

    app.post('/prove', guard, async (request, reply) => {
      const next = nextOf(request)
      pages.onRefusal(request, async problems =>
        pages.show(request, reply, PAGE, { ...(await modelOf(request)), problems })
      )
      const caller = callerOf(request)
      const answer = formOf(request).text('answer')
      const cookie = await proveHolder(exchange, caller, heldSession(request), answer)
      reply.header('set-cookie', sessionCookie(cookie))
      return reply.redirect(next ?? homeOfRole(caller.role), 303)
    })
  }
}

/** The session that a page was asked for with. A machine has none, and needs no such page. */
export function heldSession(request: FastifyRequest): SignedIn {
  const session = sessionOf(request)
  if (session === undefined) throw new Error('This page is for people who are signed in.')
  return session
}
