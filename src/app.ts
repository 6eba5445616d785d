import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { mountAreas } from './areas.ts'
import { openDisclosures } from './audit/disclosures.ts'
import { LogFault } from './audit/tree/grow-tree.ts'
import { guardLog } from './audit/tree/log-guard.ts'
import { type LogTree, openLogTree } from './audit/tree/log-tree.ts'
import type { LogKeys } from './audit/tree/signing-keys.ts'
import { showToWitnesses } from './audit/tree/witness.ts'
import type { Blobs } from './blobs/blobs.ts'
import { type Config, ConfigError } from './config.ts'
import type { Exchange } from './exchange.ts'
import { isQuiet, type RuledRoute, requireRules } from './http/area.ts'
import { readCountries } from './http/country.ts'
import { DOCS, describeApi } from './http/describe-api.ts'
import { addSecurityHeaders, requireProxy } from './http/headers.ts'
import { operationRoutes, refuseWhenStopping } from './http/operations.ts'
import { answerBadAddress, answerProblems, answerUnreadable } from './http/problems.ts'
import { countRefusals } from './http/refusal-counts.ts'
import { requestIds } from './http/request-ids.ts'
import { compileWhenNeeded, type SchemaCompilers } from './http/schema-compilers.ts'
import { createStreams } from './http/streams.ts'
import { refuseIllFormedText } from './http/well-formed.ts'
import type { Principal } from './identity/principal.ts'
import { openSignInIssuers } from './identity/sign-in-issuers.ts'
import { openNotices } from './notices/outbox.ts'
import { openTargets, type Resolve } from './notices/webhooks/targets.ts'
import {
  dataPaths,
  freeDataBytes,
  type OpenData,
  openBlobs,
  openData,
  readSigningKeys
} from './open-data.ts'
import { createInspectPool } from './records/inspect/inspect-pool.ts'
import { createScanner } from './records/scan/scanner.ts'
import { registerOldAccounts } from './register/enrolled-entry.ts'
import { createSealPool } from './sealing/seal-pool.ts'
import { isStillKnown } from './sessions/still-known.ts'
import { openInvitationLinks, openLinkKeys } from './shares/link.ts'
import { openSignatures } from './signatures.ts'
import { ASSETS } from './web/assets.ts'
import { openPages } from './web/pages.ts'

/** How long a stop waits for streams that it has cut. What takes longer the next start finds. */
const CUT_MILLISECONDS = 5000

export interface App {
  fastify: FastifyInstance
  exchange: Exchange
  /** Every route with its rule. */
  routes: RuledRoute[]
  /** Says that it leaves, ends running streams and `others`, closes all. May be called twice. */
  stop(others?: () => Promise<void>): Promise<void>
}

/** What tests put in place of the real thing. */
export interface Parts {
  clock?: () => number
  blobs?: Blobs
  /** The addresses of a name. */
  resolve?: Resolve
  /** What compiles the schemas of the routes: many services in one process share it. */
  compilers?: SchemaCompilers
}

/** Builds the whole service on a data directory that `prepareData` has made. It does not listen. */
export async function buildApp(
  config: Config,
  log: FastifyBaseLogger,
  parts: Parts = {}
): Promise<App> {
  const exchange = await openExchange(config, log, parts)
  const registered = await registerOldAccounts(exchange)
  if (registered > 0) log.info({ registered }, 'specialists entered the register')
  const fastify = createFastify(config, log, parts)
  const routes = requireRules(fastify, [DOCS, ASSETS])
  const state = { leaving: false, stopping: false }

  addSecurityHeaders(fastify, config.tls !== undefined || config.publicUrl.startsWith('https:'))
  requireProxy(fastify, config)
  readCountries(fastify, config)
  refuseWhenStopping(fastify, state)
  const pages = openPages(fastify, exchange)
  answerProblems(fastify, exchange, pages)
  refuseIllFormedText(fastify)
  await describeApi(fastify, config.limits)
  operationRoutes(fastify, exchange, config, state)
  await mountAreas(fastify, exchange, config, pages)
  await fastify.ready()

  const witnesses = showToWitnesses({
    database: exchange.database,
    tree: exchange.tree,
    witnesses: config.witnesses,
    clock: exchange.clock,
    onFailure: (err, witness) => log.warn({ err, witness }, 'a witness did not sign')
  })
  const interrupted = await exchange.disclosures.recover()
  if (interrupted > 0) log.warn({ interrupted }, 'streams of an earlier process were cut short')
  async function stop(others = async () => {}): Promise<void> {
    if (state.leaving) return
    state.leaving = true
    // Whatever is wrong with them, the requests are drained.
    const letGo = others().catch(err => log.error({ err }, 'not all stopped in order'))
    // Whoever spreads requests over several processes sees it, and sends this one no more.
    await sleep(config.limits.leaveSecondsMax * 1000)
    state.stopping = true
    await witnesses.stop()
    await Promise.all([letGo, endRequests(fastify, exchange)])
    await closeExchange(exchange)
  }
  return { fastify, exchange, routes, stop }
}

async function openExchange(
  config: Config,
  log: FastifyBaseLogger,
  parts: Parts
): Promise<Exchange> {
  const { close, ...data } = await openData(config, parts.clock)
  try {
    return await openParts(config, log, parts, data)
  } catch (err) {
    await close()
    throw err
  }
}

async function openParts(
  config: Config,
  log: FastifyBaseLogger,
  parts: Parts,
  data: Omit<OpenData, 'close'>
): Promise<Exchange> {
  const { clock } = data
  const { takePlace } = data.database
  const watch = {
    takePlace,
    isStillKnown: (caller: Principal) => isStillKnown(data, caller),
    everyMilliseconds: config.limits.cutMillisecondsMax
  }
  const { links, log: logKeys } = await readSigningKeys(config)
  const blobs = parts.blobs ?? (await openBlobs(config))
  const disclosures = openDisclosures(data.database, data.audit, clock)
  const tree = await openTree(config, data, logKeys, log)
  const logGuard = await guardLog({
    database: data.database,
    freeBytes: async () => Math.min(await freeDataBytes(config), await blobs.freeBytes()),
    clock,
    freeBytesMin: config.limits.accessFreeBytesMin,
    faults: [
      tree.fault,
      () => (disclosures.unwritten() > 0 ? 'completions are waiting' : undefined)
    ]
  })
  return {
    ...data,
    blobs,
    tree,
    logGuard,
    sealPool: createSealPool(),
    inspectPool: createInspectPool({ log }),
    scanner: createScanner(config.scan, clock),
    links: await openLinkKeys(links, config.publicUrl, clock),
    invitationLinks: await openInvitationLinks(links, config.publicUrl, clock),
    signatures: await openSignatures(links),
    signInIssuers: await openSignInIssuers(config.signInIssuers, { ...config, clock, log }),
    disclosures,
    notices: openNotices({ ...data, mail: config.mail !== undefined }),
    targets: openTargets(config.webhookNetworks, parts.resolve),
    refusals: countRefusals(data, config.limits.refusalsPerMinuteMax),
    streams: createStreams(config.limits.streamsPerAccountMax, 'too-many-streams', watch),
    uploads: createStreams(config.limits.uploadsPerAccountMax, 'too-many-uploads', watch),
    log,
    consent: config.consent,
    publicUrl: config.publicUrl
  }
}

/** Throws ConfigError with what to do when the log is not the one that was signed. */
async function openTree(
  config: Config,
  { database, audit, clock }: Pick<OpenData, 'database' | 'audit' | 'clock'>,
  keys: LogKeys,
  log: FastifyBaseLogger
): Promise<LogTree> {
  try {
    return await openLogTree({
      database,
      audit,
      keys,
      copyPath: dataPaths(config.dataDirectory).checkpoint,
      clock,
      onFailure: err => log.error({ err }, 'the access log could not be brought up to date')
    })
  } catch (err) {
    if (!(err instanceof LogFault)) throw err
    throw new ConfigError([
      `${err.message} An older database was put back, or somebody changed it: see docs/audit-log.md, "When the service refuses to start".`
    ])
  }
}

function createFastify(
  config: Config,
  log: FastifyBaseLogger,
  { compilers = compileWhenNeeded() }: Pick<Parts, 'compilers'>
): FastifyInstance {
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
    schemaController: { compilersFactory: compilers },
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
  fastify.addHook('onResponse', (request, reply, done) => {
    request.log[isQuiet(request) ? 'debug' : 'info'](
      {
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime)
      },
      'answered'
    )
    done()
  })
  return fastify
}

/**
 * Stops taking requests, lets those under way end within the limit, cuts the rest, records which
 * downloads were cut, and closes the stores. If the process is killed half-way, the next start
 * finds what was cut.
 */
async function endRequests(fastify: FastifyInstance, exchange: Exchange): Promise<void> {
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
}

async function closeExchange(exchange: Exchange): Promise<void> {
  await exchange.disclosures.close()
  exchange.logGuard.stop()
  await exchange.tree.close()
  await exchange.sealPool.close()
  await exchange.inspectPool.close()
  await exchange.blobs.close()
  exchange.keyring.close()
  await exchange.database.close()
}
