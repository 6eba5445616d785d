import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Action } from '../../schemas/audit-event.ts'
import type { LogGuard } from '../audit/tree/log-guard.ts'
import { Refusal } from '../errors.ts'
import type { Authenticate } from '../identity/authenticate.ts'
import type { Caller, Role } from '../identity/principal.ts'
import { countryOf } from './country.ts'

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
}

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
}

/** Makes the part of a route's options that says who may call it. */
export type Guarded = (action: Rule['action'], ...roles: Role[]) => Guard

/**
 * Signed-in routes: authentication comes before the body is read, and the role is checked with it.
 * While the access log is out of order nobody gets that far.
 * Whose object it is, is for the flow to check.
 */
export function guardedBy(authenticate: Authenticate, logGuard: LogGuard): Guarded {
  return (action, ...roles) => ({
    config: configOf({ action, roles }),
    async onRequest(request) {
      logGuard.requireLog()
      const principal = await authenticate(request.headers)
      callers.set(request, { ...principal, trace: traceOf(request) })
      if (!roles.includes(principal.role)) throw new Refusal('role-refused', principal.role)
    }
  })
}

/** Routes that know their callers by other means, or not at all. */
export function publicly(action: Rule['action']): Guard {
  return { config: configOf({ action, roles: 'public' }) }
}

/** Routes anybody may read, because they tell nothing about anybody. */
export const open: Guard = publicly('none')
/** The same, for what strangers may ask all day: an answer leaves no line in the operator's log. */
export const openQuietly: Guard = {
  config: { ...open.config, quiet: true } as FastifyContextConfig
}
const openRule: Rule = { action: 'none', roles: 'public' }

/** Fastify's type for this is closed, but it keeps what it is given. */
function configOf(rule: Rule): FastifyContextConfig {
  return { rule } as FastifyContextConfig
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
 * Refuses to start with a route that has no rule, and collects them all. Routes below `openPrefix`
 * come from a library that serves files of its own.
 */
export function requireRules(app: FastifyInstance, openPrefix: string): RuledRoute[] {
  const routes: RuledRoute[] = []
  app.addHook('onRoute', route => {
    const isOpen = route.url === openPrefix || route.url.startsWith(`${openPrefix}/`)
    const rule =
      (route.config as { rule?: Rule } | undefined)?.rule ?? (isOpen ? openRule : undefined)
    if (rule === undefined) {
      throw new Error(
        `Route ${String(route.method)} ${route.url} says neither who may call it nor how it is audited.`
      )
    }
    for (const method of [route.method].flat()) routes.push({ method, url: route.url, ...rule })
  })
  return routes
}
