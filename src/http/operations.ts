import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Config } from '../config.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { addressList } from './address-list.ts'
import { open } from './area.ts'
import { readinessOf } from './readiness.ts'

/** Whether the service is on its way out: first it says so, and then it takes nothing new. */
export interface Stopping {
  leaving: boolean
  stopping: boolean
}

/** Turns new requests away once the service is on its way out. Machinery may still ask how it is. */
export function refuseWhenStopping(app: FastifyInstance, state: Stopping): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const isStopped = state.stopping && /^\/(v1|fhir)\//.test(request.routeOptions.url ?? '')
    done(isStopped ? new Refusal('service-stopping') : undefined)
  })
}

/** Health, readiness and metrics: for the operator's machinery, without any identifier. */
export function operationRoutes(
  app: FastifyInstance,
  exchange: Exchange,
  config: Pick<Config, 'metricsReaders'>,
  state: Stopping
): void {
  const registry = measure(app, exchange)
  const readiness = readinessOf(exchange, state)
  const mayRead = addressList(config.metricsReaders)
  // What an operator may want otherwise, and what keeps nobody from being served.
  const notes = { mail: exchange.notices.mail ? 'configured' : 'not configured: no notice leaves' }

  app.get('/healthz', { ...open, schema: { hide: true } }, async () => ({ status: 'ok' }))

  app.get('/readyz', { ...open, schema: { hide: true } }, async (_request, reply) => {
    const checks = await readiness()
    const { scanner, ...needed } = checks
    // Without a scanner, or while it is down, uploads wait and everything else goes on.
    const ready = Object.values(needed).every(answer => answer === 'ok')
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: ready ? 'ready' : 'not ready', checks, notes })
  })

  app.get('/metrics', { ...open, schema: { hide: true } }, async (request, reply) => {
    // The address is that of the client, also behind a trusted proxy.
    if (!mayRead(request.ip)) throw new Refusal('route-not-found')
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}

function measure(app: FastifyInstance, exchange: Exchange): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const seconds = new Histogram({
    name: 'consilium_request_seconds',
    help: 'Time from request to the end of the response, by route pattern.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600],
    registers: [registry]
  })
  new Gauge({
    name: 'consilium_streams',
    help: 'Content streams under way.',
    registers: [registry],
    collect() {
      this.set(exchange.streams.count())
    }
  })
  new Gauge({
    name: 'consilium_unwritten_completions',
    help: 'Disclosures whose second event is not on the disk yet. Above 0, access is refused.',
    registers: [registry],
    collect() {
      this.set(exchange.disclosures.unwritten())
    }
  })
  new Gauge({
    name: 'consilium_notices',
    help: 'Notices that have not arrived, by channel and state.',
    labelNames: ['channel', 'state'],
    registers: [registry],
    async collect() {
      const counts = await exchange.notices.counts(exchange.database.read).catch(() => [])
      this.reset()
      for (const { channel, state, n } of counts) this.set({ channel, state }, n)
    }
  })
  const series = new Map<string, Histogram.Internal<string>>()
  app.addHook('onRequest', (request, reply, done) => {
    const start = performance.now()
    // The end of the raw response, because content streams leave Fastify's own cycle.
    reply.raw.once('close', () => {
      const { method } = request
      const route = request.routeOptions.url ?? 'none'
      const status = String(reply.raw.statusCode)
      // Looking up its labels costs the histogram more than counting.
      const name = `${method} ${route} ${status}`
      const one = series.get(name) ?? seconds.labels({ method, route, status })
      series.set(name, one)
      one.observe((performance.now() - start) / 1000)
    })
    done()
  })
  return registry
}
