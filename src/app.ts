import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { openDisclosures } from './audit/disclosures.ts'
import { auditRoutes } from './audit/routes.ts'
import type { Blobs } from './blobs/blobs.ts'
import { openDiskBlobs } from './blobs/disk.ts'
import { caseRoutes } from './cases/routes.ts'
import type { Config } from './config.ts'
import type { Exchange } from './exchange.ts'
import { guardedBy, open, type RuledRoute, requireRules } from './http/area.ts'
import { DOCS, describeApi } from './http/describe-api.ts'
import { addSecurityHeaders, requireProxy } from './http/headers.ts'
import { linkPage } from './http/link-page.ts'
import { operationRoutes, refuseWhenStopping } from './http/operations.ts'
import { answerBadAddress, answerProblems, answerUnreadable } from './http/problems.ts'
import { refusalCounter } from './http/refusal-counter.ts'
import { createStreams } from './http/streams.ts'
import { createAuthenticator } from './identity/authenticate.ts'
import { embeddedIssuer } from './identity/issuer.ts'
import { accountRoutes } from './identity/routes.ts'
import { dataPaths, openData, readSigningKeys } from './open-data.ts'
import { recordRoutes } from './records/routes.ts'
import { createSealPool } from './sealing/seal-pool.ts'
import { openLinkKeys } from './shares/link.ts'
import { reviewRoutes, shareRoutes } from './shares/routes.ts'

/** How long a stop waits for streams that it has cut. What takes longer the next start finds. */
const CUT_MILLISECONDS = 5000

export interface App {
  fastify: FastifyInstance
  exchange: Exchange
  /** Every route with its rule. */
  routes: RuledRoute[]
  /** Ends running streams, then closes everything. May be called twice. */
  stop(): Promise<void>
}

/** What tests put in place of the real thing. */
export interface Parts {
  clock?: () => number
  blobs?: Blobs
}

/** Builds the whole service on a data directory that `prepareData` has made. It does not listen. */
export async function buildApp(
  config: Config,
  log: FastifyBaseLogger,
  parts: Parts = {}
): Promise<App> {
  const exchange = await openExchange(config, log, parts)
  const fastify = createFastify(config, log)
  const routes = requireRules(fastify, DOCS)
  const state = { stopping: false }

  addSecurityHeaders(fastify, config.tls !== undefined || config.publicUrl.startsWith('https:'))
  requireProxy(fastify, config)
  refuseWhenStopping(fastify, state)
  answerProblems(fastify, exchange)
  await describeApi(fastify, config.limits)
  operationRoutes(fastify, exchange, config, state)
  await mountAreas(fastify, exchange, config)
  await fastify.ready()

  const interrupted = await exchange.disclosures.recover()
  if (interrupted > 0) log.warn({ interrupted }, 'streams of an earlier process were cut short')
  return { fastify, exchange, routes, stop: () => stopOnce(fastify, exchange, state) }
}

async function openExchange(
  config: Config,
  log: FastifyBaseLogger,
  parts: Parts
): Promise<Exchange> {
  const { clock = Date.now } = parts
  const { close, ...data } = await openData(config, clock)
  const { links } = await readSigningKeys(config)
  return {
    ...data,
    blobs: parts.blobs ?? (await openDiskBlobs(dataPaths(config.dataDirectory).blobs)),
    sealPool: createSealPool(),
    links: await openLinkKeys(links, config.publicUrl, clock),
    disclosures: openDisclosures(data.database, data.audit, clock),
    refusals: refusalCounter(config.limits.refusalsPerMinuteMax, clock),
    streams: createStreams(config.limits.streamsPerAccountMax, 'too-many-streams'),
    uploads: createStreams(config.limits.uploadsPerAccountMax, 'too-many-uploads'),
    log,
    publicUrl: config.publicUrl
  }
}

function createFastify(config: Config, log: FastifyBaseLogger): FastifyInstance {
  const { limits, tls, trustedProxies } = config
  const options = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // Never taken from the client: it would end up in the access log.
    genReqId: requestIds(),
    trustProxy: trustedProxies.length > 0 ? trustedProxies : false,
    bodyLimit: limits.bodyBytesMax,
    // Uploads and downloads may take hours; only those that stand still are ended.
    requestTimeout: 0,
    connectionTimeout: limits.stallSecondsMax * 1000,
    // HEAD must not run the GET handler unseen; each route says whether it answers HEAD.
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle' as const,
    // A hook of ours refuses instead, in the form of all problems.
    return503OnClosing: false,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: answerBadAddress,
    // Nothing is bent to fit: a number taken for text would change a patient's identifier. And the
    // first problem is enough: a body can have a hundred thousand.
    ajv: {
      customOptions: {
        removeAdditional: false as const,
        coerceTypes: false as const,
        allErrors: false
      }
    }
  }
  const fastify = tls
    ? (Fastify({
        ...options,
        https: { ...tls, minVersion: 'TLSv1.3' }
      }) as unknown as FastifyInstance)
    : Fastify(options)
  // Node asks the system for a caller's address when it is first wanted; they may have left by then.
  for (const event of ['connection', 'secureConnection']) {
    fastify.server.on(event, (socket: Socket) => void socket.remoteAddress)
  }
  fastify.addHook('onResponse', async (request, reply) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime)
      },
      'answered'
    )
  })
  return fastify
}

/** Ids that no two requests share: a random part for this run, and a count. */
function requestIds(): () => string {
  const run = randomBytes(6).toString('base64url')
  let count = 0
  return () => {
    count += 1
    return `${run}-${count.toString(36)}`
  }
}

async function mountAreas(fastify: FastifyInstance, exchange: Exchange, config: Config) {
  const { issuer: signingKeys } = await readSigningKeys(config)
  const issuer = embeddedIssuer(exchange, signingKeys)
  const authenticate = createAuthenticator(exchange, [issuer.trusted])
  const guarded = guardedBy(authenticate)
  const app = fastify.withTypeProvider<TypeBoxTypeProvider>()

  issuer.routes(fastify)
  linkPage(fastify)
  fastify.get('/.well-known/jwks.json', { ...open, schema: { hide: true } }, async () =>
    exchange.links.jwks()
  )
  await app.register(accountRoutes(exchange, guarded))
  await app.register(caseRoutes(exchange, guarded))
  await app.register(recordRoutes(exchange, guarded))
  await app.register(shareRoutes(exchange, guarded))
  await app.register(reviewRoutes(exchange, guarded))
  await app.register(auditRoutes(exchange, guarded))
}

/**
 * Stops taking requests, lets those under way end within the limit, cuts the rest, records which
 * downloads were cut, and closes the stores. If the process is killed half-way, the next start
 * finds what was cut.
 */
async function stopOnce(
  fastify: FastifyInstance,
  exchange: Exchange,
  state: { stopping: boolean }
): Promise<void> {
  if (state.stopping) return
  state.stopping = true
  const closed = fastify.close()
  // A client that keeps its connection for a next request would hold the stop up.
  const hangUp = setInterval(() => fastify.server.closeIdleConnections(), 100)
  const limit = sleep(exchange.limits.drainSecondsMax * 1000, undefined, { ref: false })
  await Promise.race([closed, limit])
  clearInterval(hangUp)
  exchange.streams.cutAll('stopped')
  exchange.uploads.cutAll('stopped')
  fastify.server.closeAllConnections()
  await closed
  // The connections are gone; what was cut still has its last event to write.
  const endings = [exchange.streams, exchange.uploads].map(streams =>
    streams.settled(CUT_MILLISECONDS)
  )
  await Promise.all(endings)
  await new Promise(setImmediate)
  await exchange.disclosures.close()
  await exchange.sealPool.close()
  await exchange.blobs.close()
  await exchange.database.close()
}
