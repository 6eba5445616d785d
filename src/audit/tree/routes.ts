import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Exchange } from '../../exchange.ts'
import { open } from '../../http/area.ts'
import { proveEvent, proveGrowth, readLogTile, requireCheckpoint } from './proofs.ts'
import { withCosignatures } from './witness.ts'

const Size = Type.String({ pattern: '^[1-9][0-9]{0,15}$', description: 'Entries in the log' })
const GrowthQuery = Type.Object(
  { from: Size, to: Type.Optional(Size) },
  { additionalProperties: false }
)

const TEXT = 'text/plain; charset=utf-8'
/** A tile of a given width never changes, and neither does a bundle of entries. */
const FOR_EVER = 'public, max-age=31536000, immutable'

/**
 * The log as anyone may verify it, with no account and only the verifier key: C2SP tlog-tiles below
 * /v1/audit. A leaf names nobody (docs/decisions/0009), so reading it is not itself an event.
 */
export function logRoutes(exchange: Exchange): FastifyPluginAsyncTypebox {
  const { database, tree } = exchange
  const described = (summary: string) => ({ tags: ['log'], summary, security: [] })

  return async app => {
    // What one process has shown as signed, the next one asked has to prove.
    app.addHook('preHandler', () => tree.catchUp())
    app.get(
      '/v1/audit/checkpoint',
      { ...open, schema: described('The signed head of the access log, as a C2SP checkpoint') },
      async (_request, reply) =>
        reply
          .type(TEXT)
          .header('cache-control', 'no-cache')
          .send(await withCosignatures(database, requireCheckpoint(tree)))
    )
    app.get(
      '/v1/audit/tile/*',
      { ...open, schema: described('One tile of the log, as C2SP tlog-tiles names it') },
      async (request, reply) => {
        const path = (request.params as { '*': string })['*']
        const tile = await readLogTile(database, tree, `tile/${path}`)
        return reply.type('application/octet-stream').header('cache-control', FOR_EVER).send(tile)
      }
    )
    app.get(
      '/v1/audit/keys',
      { ...open, schema: described('Verifier keys of the log, the retired ones included') },
      async (_request, reply) =>
        reply
          .type(TEXT)
          .header('cache-control', 'no-cache')
          .send(tree.keys.keys.map(({ vkey }) => `${vkey}\n`).join(''))
    )
    app.get(
      '/v1/audit/events/:event/proof',
      {
        ...open,
        schema: {
          ...described('Proof that an event is on the log, as a C2SP tlog-proof'),
          params: Type.Object({ event: Type.String() })
        }
      },
      async (request, reply) =>
        reply
          .type(TEXT)
          .header('cache-control', 'no-cache')
          .send(await proveEvent(database, tree, request.params.event))
    )
    app.get(
      '/v1/audit/consistency',
      {
        ...open,
        schema: {
          ...described('Proof that the log at one size extends the log at an earlier one'),
          querystring: GrowthQuery
        }
      },
      async (request, reply) => {
        const { from, to } = request.query
        const proof = await proveGrowth(
          database,
          tree,
          Number(from),
          to === undefined ? undefined : Number(to)
        )
        // Without `to` the answer is for the log of this moment.
        const cache = to === undefined ? 'no-cache' : FOR_EVER
        return reply.type(TEXT).header('cache-control', cache).send(proof)
      }
    )
  }
}
