import { decodeJwt } from 'jose'
import type { Provider } from 'oidc-provider'
import type { AuditEvent } from '../audit/log.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { networkOf } from '../http/request-limiter.ts'
import { findClient } from './oidc-adapter.ts'
import type { Trace } from './principal.ts'

/** What is known of one request beside what the provider knows, by its Node request. */
export type TokenCalls = WeakMap<object, TokenCall>

interface TokenCall {
  trace: Trace
  /** The client has shown that it holds its key, with an assertion of its own. */
  proven: boolean
  /** Why it was refused, if it was. */
  failure: Error | undefined
}

/** The part of the provider's request context that is used here. */
interface Context {
  req: object
  method: string
  status: number
  body: unknown
  set(name: string, value: string): void
  remove(name: string): void
  /** Absent until the provider has found the route. */
  oidc?: {
    client?: { clientId: string } | undefined
    params?: Record<string, unknown> | undefined
    entities: { ClientCredentials?: { jti: string } | undefined }
  }
}

type Parts = Pick<Exchange, 'database' | 'audit' | 'log' | 'refusals'>

const DETAIL_CHARACTERS_MAX = 200

/**
 * Puts every token given out and every token refused on the access log before the response leaves.
 * If the event cannot be written, or the process stops before it is, no token leaves: the client's
 * assertion is spent and it must make another.
 */
export function recordTokens(provider: Provider, exchange: Parts, calls: TokenCalls): void {
  // What goes wrong is logged here; by itself the provider would print it on the console.
  provider.silent = true
  const noteFailure = (ctx: Context, err: unknown): void => {
    const call = calls.get(ctx.req)
    if (call !== undefined) call.failure = err instanceof Error ? err : new Error('unknown')
  }
  provider.on('grant.error', noteFailure)
  provider.on('server_error', noteFailure)

  provider.use(async (ctx, next) => {
    const call = calls.get(ctx.req)
    if (call === undefined) throw new Error('The provider was called without its route.')
    try {
      await next()
    } catch (err) {
      noteFailure(ctx, err)
      ctx.status = 500
    }
    if (ctx.status >= 500) {
      logFailure(exchange, call.failure)
      answerFailure(ctx, call.failure)
    }
    if (ctx.method !== 'POST') return
    protectResponse(ctx)
    try {
      const event = await tokenEvent(exchange, ctx, call)
      const turn = ctx.status === 200 ? 'within' : await countRefusal(exchange, event, call)
      if (turn !== 'within') {
        event.code = 'too-many-attempts'
        answerTooMany(ctx)
      }
      if (turn !== 'past') await exchange.audit.add(event)
    } catch (err) {
      logFailure(exchange, err)
      answerFailure(ctx, new Refusal('audit-unavailable', undefined, {}, err))
    }
  })
}

async function tokenEvent(exchange: Parts, ctx: Context, call: TokenCall): Promise<AuditEvent> {
  const clientId = claimedClient(ctx)
  const client =
    clientId === undefined ? undefined : await findClient(exchange.database.read, clientId)
  const issued = ctx.status === 200
  return {
    action: 'token.issue',
    outcome: issued ? 'success' : 'refused',
    code: issued ? undefined : String(readBody(ctx).error ?? 'server_error'),
    // Its auditor learns that somebody tried, also when they only claimed to be this client; but
    // nobody is named as the actor on the word of a stranger.
    organisationId: client?.organisationId,
    ...(call.proven && {
      actorId: client?.accountId,
      actorOrganisationId: client?.organisationId
    }),
    details: {
      ...call.trace,
      ...(client === undefined ? {} : { client: clientId }),
      proven: call.proven,
      ...(issued ? { token: ctx.oidc?.entities.ClientCredentials?.jti } : {}),
      ...(call.failure === undefined ? {} : { reason: reasonOf(call.failure) })
    }
  }
}

/** Refusals are bounded as on every other route: docs/decisions/0007. */
function countRefusal(exchange: Parts, event: AuditEvent, call: TokenCall) {
  return exchange.refusals.count(event.actorId ?? networkOf(call.trace.address))
}

/** RFC 6585, section 4. */
function answerTooMany(ctx: Context): void {
  ctx.status = 429
  ctx.set('retry-after', '60')
  ctx.body = {
    error: 'temporarily_unavailable',
    error_description: 'too many refused attempts, try again in a minute'
  }
}

/** Who the caller says it is: found by the provider, or else (unknown, disabled) as asserted. */
function claimedClient(ctx: Context): string | undefined {
  if (ctx.oidc?.client !== undefined) return ctx.oidc.client.clientId
  const assertion = ctx.oidc?.params?.client_assertion
  if (typeof assertion !== 'string') return undefined
  try {
    return decodeJwt(assertion).sub
  } catch {
    return undefined
  }
}

/** The library's reason, which quotes no assertion. It is sealed, and cut. */
function reasonOf(err: Error & { error_detail?: unknown; error_description?: unknown }): string {
  const reason = err.error_detail ?? err.error_description ?? err.name
  return String(reason).slice(0, DETAIL_CHARACTERS_MAX)
}

/** Replaces whatever was about to be answered. */
function answerFailure(ctx: Context, failure: Error | undefined): void {
  const passing = failure instanceof Refusal
  ctx.status = passing ? 503 : 500
  ctx.body = passing
    ? { error: 'temporarily_unavailable', error_description: 'try again shortly' }
    : { error: 'server_error', error_description: 'something went wrong here' }
}

/** RFC 6749, section 5.1. And no browser page of another origin may read a token response. */
function protectResponse(ctx: Context): void {
  ctx.set('cache-control', 'no-store')
  ctx.set('pragma', 'no-cache')
  ctx.set('x-content-type-options', 'nosniff')
  ctx.remove('access-control-allow-origin')
  ctx.remove('access-control-expose-headers')
}

/** Names and codes only: a failed query's message would carry its parameters. */
function logFailure(exchange: Parts, err: unknown): void {
  const cause = err instanceof Error ? err.cause : undefined
  exchange.log.error(
    {
      error: err instanceof Error ? err.name : 'unknown',
      code: err instanceof Refusal ? err.code : undefined,
      cause: cause instanceof Error ? cause.name : undefined
    },
    'The token endpoint failed.'
  )
}

function readBody({ body }: Context): Record<string, unknown> {
  return typeof body === 'object' && body !== null ? { ...body } : {}
}
