import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { openQuietly } from '../../http/area.ts'
import { requestLimiter } from '../../http/request-limiter.ts'
import { proveEvent, proveGrowth, readLogTile, requireCheckpoint } from './proofs.ts'
import { withCosignatures } from './witness.ts'

const Size = Type.String({ pattern: '^[1-9][0-9]{0,15}$', description: 'Entries in the log' })
const GrowthQuery = Type.Object(
  { from: Size, to: Type.Optional(Size) },
  { additionalProperties: false }
)

const PREFIX = '/v1/audit/'
const TEXT = 'text/plain; charset=utf-8'
/** A tile of a given width never changes, and neither does a bundle of entries. */
const FOR_EVER = 'public, max-age=31536000, immutable'

/**
 * The log as anyone may verify it, with no account and only the verifier key: C2SP tlog-tiles below
 * /v1/audit. A leaf names nobody (docs/decisions/0009), so reading it is not itself an event,
 * nor a line in the operator's log; how much one network may read is bounded instead.
 */
export function logRoutes(exchange: Exchange): FastifyPluginAsyncTypebox {
  const { database, tree } = exchange

  const { logRequestsPerSecondMax: perSecondMax, logRequestsBurstMax: burstMax } = exchange.limits
  const limiter = requestLimiter(perSecondMax, burstMax, exchange.clock)

  async function requireModesty(request: FastifyRequest): Promise<void> {
    const seconds = limiter.take(request.ip)
    if (seconds > 0) {
      const headers = { 'retry-after': String(seconds) }
      throw new Refusal('too-many-requests', undefined, { headers })
    }
    // One address has one spelling, or caches would keep what is the same under many.
    const isTile = request.url.startsWith(`${PREFIX}tile/`)
    if (request.url.includes('%') && !isTile) throw new Refusal('route-not-found', 'escaped')
  }

  return async app => {
    app.addHook('onRequest', requireModesty)
    // What one process has shown as signed, the next one asked has to prove.
    app.addHook('preHandler', () => tree.catchUp())
    app.route({
      ...readable('The signed head of the access log, as a C2SP checkpoint'),
      url: '/v1/audit/checkpoint',
      handler: async (_request, reply) =>
        sendText(reply, await withCosignatures(database, requireCheckpoint(tree)))
    })
    app.route({
      ...readable('One tile of the log, as C2SP tlog-tiles names it'),
      url: '/v1/audit/tile/*',
      async handler(request, reply) {
        // As it was sent, so that neither a query nor another spelling names a tile too.
        const tile = await readLogTile(database, tree, request.url.slice(PREFIX.length))
        return reply.type('application/octet-stream').header('cache-control', FOR_EVER).send(tile)
      }
    })
    app.route({
      ...readable('Verifier keys of the log, the retired ones included'),
      url: '/v1/audit/keys',
      handler: async (_request, reply) =>
        sendText(reply, tree.keys.keys.map(({ vkey }) => `${vkey}\n`).join(''))
    })
    app.route({
      ...readable('Proof that an event is on the log, as a C2SP tlog-proof', {
        params: Type.Object({ event: Type.String() })
      }),
      url: '/v1/audit/events/:event/proof',
      handler: async (request, reply) =>
        sendText(reply, await proveEvent(database, tree, request.params.event))
    })
    app.route({
      ...readable('Proof that the log at one size extends the log at an earlier one', {
        querystring: GrowthQuery
      }),
      url: '/v1/audit/consistency',
      async handler(request, reply) {
        const { from, to } = request.query
        const end = to === undefined ? undefined : Number(to)
        const proof = await proveGrowth(database, tree, Number(from), end)
        // Without `to` the answer is for the log of this moment.
        return sendText(reply, proof, end === undefined ? 'no-cache' : FOR_EVER)
      }
    })
  }
}

const sendText = (reply: FastifyReply, text: string, cache = 'no-cache'): FastifyReply =>
  reply.type(TEXT).header('cache-control', cache).send(text)

/** What these routes have in common. A HEAD is answered as the GET would be, without the body. */
function readable<Schema extends object>(summary: string, schema?: Schema) {
  const method: ('GET' | 'HEAD')[] = ['GET', 'HEAD']
  const described = { tags: ['log'], summary, security: [] }
  return { ...openQuietly, method, schema: { ...described, ...(schema as Schema) } }
}
