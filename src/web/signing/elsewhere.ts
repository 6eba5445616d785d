import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../errors.ts'
import { callerOf, traceOf } from '../../http/area.ts'
import type { Caller } from '../../identity/principal.ts'
import { finishAcceptanceThrough } from '../../register/accept-by-issuer.ts'
import {
  errandCookie,
  readErrandCookie,
  readSessionCookie,
  sessionCookie
} from '../../sessions/cookie.ts'
import { finishEnrolmentThrough } from '../../sessions/enrol-person.ts'
import {
  type EndedErrand,
  ERRAND_MINUTES,
  type Errand,
  endErrand,
  judgedAs,
  newErrandSecret,
  sendOnErrand
} from '../../sessions/errand.ts'
import { proveThrough, signInThrough } from '../../sessions/through-issuer.ts'
import { addressOf } from '../form.ts'
import { homeOfRole, type Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { nextOf } from './next.ts'
import { EVERYBODY, heldSession } from './prove.ts'
import { welcome } from './welcome.ts'

const REFUSED = 'signing/refused'

interface Named {
  Params: { issuer: string }
}

/**
 * Signing in at an issuer of others: out by a link, and back. Links and not forms, because browsers hold
 * `form-action` against every address that a form is led on to, and who knows where an issuer leads.
 */
export function elsewherePages({ exchange, pages, submitted, guarded, greeted }: Web) {
  const { signInIssuers } = exchange
  const routes: FastifyPluginAsync = async app => {
    app.get<Named>('/sign-in/with/:issuer', submitted('session.begin'), async (request, reply) => {
      const issuer = signInIssuers.named(request.params.issuer)
      const next = nextOf(request)
      const errand: Errand = { kind: 'sign-in', ...(next !== undefined && { next }) }
      const url = await sendOnErrand(exchange, issuer, browserOf(request, reply), errand)
      return lead(reply, url)
    })

    app.get('/prove/elsewhere', guarded('session.prove', ...EVERYBODY), async (request, reply) => {
      const { accountId, issuer: url } = callerOf(request)
      const issuer = signInIssuers.of(url)
      if (issuer === undefined) throw new Refusal('issuer-not-found', 'signed in here')
      const next = nextOf(request)
      const about = { session: heldSession(request).sessionId }
      const errand: Errand = {
        kind: 'prove',
        accountId,
        about,
        ...(next !== undefined && { next })
      }
      return lead(reply, await sendOnErrand(exchange, issuer, browserOf(request, reply), errand))
    })

    app.get<Named>('/sign-in/from/:issuer', submitted('session.begin'), async (request, reply) => {
      pages.onRefusal(request, problems => pages.show(request, reply, REFUSED, { problems }))
      const errand = await endErrand(exchange, signInIssuers.named(request.params.issuer), {
        query: request.url.slice(request.url.indexOf('?')),
        state: addressOf(request).text('state'),
        browser: readErrandCookie(request.headers.cookie)
      })
      pages.onRefusal(request, (problems, { code }) =>
        pages.show(request, reply, REFUSED, { problems, code, ...wayBack(errand) })
      )
      const next = await judgedAs(errand.kind, () => arrive(request, reply, errand))
      return lead(reply, next)
    })

    app.get<Named>('/signed-out/:issuer', greeted, async (request, reply) => {
      const issuer = signInIssuers.named(request.params.issuer)
      const href = await orUnavailable(issuer.signOutUrl())
      return pages.show(request, reply, 'signing/signed-out', { label: issuer.label, href })
    })
  }

  /** Does what somebody was sent for, and resolves to where they go on. */
  async function arrive(request: FastifyRequest, reply: FastifyReply, errand: EndedErrand) {
    const trace = traceOf(request)
    const { kind, next } = errand
    const letIn = async (cookie: string, path: string) => {
      await welcome({ exchange }, request, reply, cookie)
      return path
    }
    if (kind === 'prove') {
      const session = readSessionCookie(request.headers.cookie)
      const { cookie, role } = await proveThrough(exchange, trace, errand, session)
      reply.header('set-cookie', sessionCookie(cookie))
      return next ?? homeOfRole(role)
    }
    if (kind === 'enrol') {
      const { cookie } = await finishEnrolmentThrough(exchange, trace, errand)
      return letIn(cookie, '/account?done=joined')
    }
    if (kind === 'invitation') {
      const { cookie } = await finishAcceptanceThrough(exchange, trace, errand)
      return letIn(cookie, '/account?done=accepted')
    }
    const { cookie, role } = await signInThrough(exchange, trace, errand)
    return letIn(cookie, next ?? homeOfRole(role))
  }

  return routes
}

/** An address with what nobody may keep in it. */
const lead = (reply: FastifyReply, url: string): FastifyReply =>
  reply.header('cache-control', 'no-store').redirect(url, 303)

/** What is offered after a refusal. */
function wayBack({ kind, next = '', about }: Errand): Model {
  const query = next === '' ? '' : `?next=${encodeURIComponent(next)}`
  const paths = {
    'sign-in': `/sign-in${query}`,
    prove: `/prove${query}`,
    enrol: `/enrol/${encodeURIComponent(String(about?.['enrolment']))}`,
    // Their link is in a mail, and its token nowhere here.
    invitation: undefined
  }
  return { kind, back: paths[kind] }
}

/**
 * The links by which somebody whose code was right goes on to an issuer, one for each; without `href` for
 * one that does not answer. They lead there straight, because nothing secret may be in an address of ours.
 */
export async function waysElsewhere(
  { exchange }: Pick<Web, 'exchange'>,
  request: FastifyRequest,
  reply: FastifyReply,
  errand: Errand
): Promise<{ label: string; href: string | undefined }[]> {
  const { all } = exchange.signInIssuers
  if (all.length === 0) return []
  const browser = browserOf(request, reply)
  return Promise.all(
    all.map(async issuer => ({
      label: issuer.label,
      href: await orUnavailable(sendOnErrand(exchange, issuer, browser, errand))
    }))
  )
}

/** Where somebody goes after signing out here: on to be told that they are signed in there still. */
export function afterSignOut(
  { exchange }: Pick<Web, 'exchange'>,
  { issuer }: Pick<Caller, 'issuer'>
): string {
  const found = exchange.signInIssuers.of(issuer)
  return found === undefined ? '/' : `/signed-out/${found.name}`
}

/**
 * What this browser is known again by when it comes back. One that has something already keeps it, so
 * that two windows do not spoil each other's errand.
 */
function browserOf(request: FastifyRequest, reply: FastifyReply): string {
  const secret = readErrandCookie(request.headers.cookie) ?? newErrandSecret()
  reply.header('set-cookie', errandCookie(secret, ERRAND_MINUTES * 60))
  return secret
}

async function orUnavailable<T>(url: Promise<T>): Promise<T | undefined> {
  return url.catch(err => {
    if (err instanceof Refusal && err.code === 'issuer-unavailable') return undefined
    throw err
  })
}
