import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Action } from '../../schemas/audit-event.ts'
import type { LogGuard } from '../audit/tree/log-guard.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Authenticate } from '../identity/authenticate.ts'
import type { Caller, Role } from '../identity/principal.ts'
import { requireRecentProof, type SignedIn } from '../sessions/session.ts'
import { countryOf } from './country.ts'
import { requestLimiter } from './request-limiter.ts'
import { type Asked, requireSameOrigin } from './same-origin.ts'

/** Who may call a route and what the access log calls it. Every route has one. */
export interface Rule {
  /** `none` only for routes that disclose nothing about anybody. */
  action: Action | 'none'
  roles: readonly Role[] | 'public'
}

/** A route with its rule, for the test that tries every route as everybody. */
export interface RuledRoute extends Rule {
  method: string
  url: string
  /** It answers with a page for people. */
  page: boolean
}

/** Knows whoever calls with the cookie of a session; undefined without one. */
export type Recognise = (headers: FastifyRequest['headers']) => Promise<SignedIn | undefined>

const sessions = new WeakMap<FastifyRequest, SignedIn>()
const callers = new WeakMap<FastifyRequest, Caller>()

/** The authenticated caller of a guarded route, or undefined before authentication. */
export function knownCaller(request: FastifyRequest): Caller | undefined {
  return callers.get(request)
}

/** The caller of a guarded route. */
export function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request)
  if (caller === undefined) throw new Error('This route is not guarded.')
  return caller
}

/** The session of a caller who came with one; machines come with a token. */
export function sessionOf(request: FastifyRequest): SignedIn | undefined {
  return sessions.get(request)
}

/** Whether a route answers with a page for people. */
export function isPage(request: FastifyRequest): boolean {
  return (request.routeOptions?.config as { page?: boolean } | undefined)?.page === true
}

/** The rule of the route a request met, if it met one. */
export function ruleOf(request: FastifyRequest): Rule | undefined {
  return (request.routeOptions?.config as { rule?: Rule } | undefined)?.rule
}

/** Whether an answer leaves no line in the operator's log. */
export function isQuiet(request: FastifyRequest): boolean {
  return (request.routeOptions?.config as { quiet?: boolean } | undefined)?.quiet === true
}

export interface Guard {
  config: FastifyContextConfig
  onRequest?: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  preValidation?: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
}

type MakeGuard = (action: Rule['action'], ...roles: Role[]) => Guard

/** Makes the part of a route's options that says who may call it. */
export interface Guarded extends MakeGuard {
  /** The same for what asks people to have proved a short while ago who they are: `proof-needed`. */
  proven: MakeGuard
}

/** How callers are known: by an access token, or by the cookie of a session at the pages. */
export interface Gate extends Pick<Exchange, 'clock' | 'limits'> {
  authenticate: Authenticate
  recognise: Recognise
  isStillKnown(caller: Caller): Promise<boolean>
  logGuard: LogGuard
  publicUrl: string
}

/**
 * Signed-in routes: authentication comes before the body is read, and the role is checked with it.
 * While the access log is out of order nobody gets that far. A token wins over a cookie, because no
 * other site can make a browser send one. Whose object it is, is for the flow to check.
 */
export function guardedBy(gate: Gate, isPage = false): Guarded {
  const make =
    (isProven: boolean): MakeGuard =>
    (action, ...roles) => ({
      config: configOf({ action, roles }, isPage),
      async onRequest(request) {
        gate.logGuard.requireLog()
        const asked = isPage && action !== 'content.read' ? 'page' : 'part'
        const caller = await knowCaller(gate, request, asked)
        if (!roles.includes(caller.role)) throw new Refusal('role-refused', caller.role)
        if (isProven) requireRecentProof(gate, caller)
      },
      // By now the body has come, and it may have taken as long as its sender liked.
      async preValidation(request, reply) {
        if (reply.elapsedTime < gate.limits.cutMillisecondsMax) return
        const caller = callerOf(request)
        if (await gate.isStillKnown(caller)) return
        // Asked as at the beginning, they are told why; who still may do something has another role.
        const { role } = await knowCaller(gate, request, 'part')
        throw new Refusal('role-refused', role)
      }
    })
  return Object.assign(make(false), { proven: make(true) })
}

/** Forms that one network may send in a second before anybody there is known, and how many at once. */
const FORMS_PER_SECOND_MAX = 10
const FORMS_BURST_MAX = 200

/** Forms of people whom nobody knows yet: sent from a page of ours, by whomever, in bounds. */
export function submittedBy(gate: Gate): (action: Rule['action']) => Guard {
  const limiter = requestLimiter(FORMS_PER_SECOND_MAX, FORMS_BURST_MAX, gate.clock)
  return action => ({
    config: configOf({ action, roles: 'public' }, true),
    async onRequest(request) {
      const seconds = limiter.take(request.ip)
      if (seconds > 0) {
        const headers = { 'retry-after': String(seconds) }
        throw new Refusal('too-many-requests', undefined, { headers })
      }
      gate.logGuard.requireLog()
      requireSameOrigin(request, gate.publicUrl, 'page')
    }
  })
}

/** Pages that anybody may see, and that greet by name whoever is signed in. */
export function greetedBy(gate: Gate): Guard {
  return {
    config: configOf({ action: 'none', roles: 'public' }, true),
    async onRequest(request) {
      const signedIn = await gate.recognise(request.headers).catch(ifRefused)
      if (signedIn !== undefined) remember(request, signedIn)
    }
  }
}

async function knowCaller(gate: Gate, request: FastifyRequest, asked: Asked): Promise<Caller> {
  const { authorization } = request.headers
  const signedIn = authorization === undefined ? await gate.recognise(request.headers) : undefined
  if (signedIn !== undefined) {
    requireSameOrigin(request, gate.publicUrl, asked)
    return remember(request, signedIn)
  }
  const principal = await gate.authenticate(request.headers)
  const caller = { ...principal, trace: traceOf(request) }
  callers.set(request, caller)
  return caller
}

function remember(request: FastifyRequest, signedIn: SignedIn): Caller {
  const caller = { ...signedIn.principal, trace: traceOf(request) }
  sessions.set(request, signedIn)
  callers.set(request, caller)
  return caller
}

function ifRefused(err: unknown): undefined {
  if (!(err instanceof Refusal)) throw err
}

/** Routes that know their callers by other means, or not at all. */
export function publicly(action: Rule['action'], isPage = false): Guard {
  return { config: configOf({ action, roles: 'public' }, isPage) }
}

/** Routes anybody may read, because they tell nothing about anybody. */
export const open: Guard = publicly('none')
/** The same, for what strangers may ask all day: an answer leaves no line in the operator's log. */
export const openQuietly: Guard = {
  config: { ...open.config, quiet: true } as FastifyContextConfig
}
const openRule: Rule = { action: 'none', roles: 'public' }

/** Fastify's type for this is closed, but it keeps what it is given. */
function configOf(rule: Rule, page = false): FastifyContextConfig {
  return { rule, ...(page && { page }) } as FastifyContextConfig
}

/** What the access log keeps of the request itself. Never a token, a query string or a body. */
export function traceOf(request: FastifyRequest): Caller['trace'] {
  const userAgent = request.headers['user-agent']
  const forwarded = request.headers['x-forwarded-for']
  const country = countryOf(request)
  return {
    // Both are kept: the address we believe, and what the request claims.
    address: request.ip,
    ...(country !== undefined && { country }),
    ...(forwarded === undefined ? {} : { forwardedFor: String(forwarded).slice(0, 200) }),
    method: request.method,
    requestId: request.id,
    route: request.routeOptions?.url ?? 'none',
    ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 200) })
  }
}

/**
 * Refuses to start with a route that has no rule, and collects them all. Routes below one of
 * `openPrefixes` serve files that are the same for everybody.
 */
export function requireRules(app: FastifyInstance, openPrefixes: string[]): RuledRoute[] {
  const routes: RuledRoute[] = []
  app.addHook('onRoute', route => {
    const isOpen = openPrefixes.some(
      prefix => route.url === prefix || route.url.startsWith(`${prefix}/`)
    )
    const config = route.config as { rule?: Rule; page?: boolean } | undefined
    const rule = config?.rule ?? (isOpen ? openRule : undefined)
    if (rule === undefined) {
      throw new Error(
        `Route ${String(route.method)} ${route.url} says neither who may call it nor how it is audited.`
      )
    }
    const { url } = route
    const page = config?.page === true
    for (const method of [route.method].flat()) routes.push({ method, url, page, ...rule })
  })
  return routes
}
