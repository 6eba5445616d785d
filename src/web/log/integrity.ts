import type { FastifyReply, FastifyRequest } from 'fastify'
import { parseNote } from '../../audit/tlog/note.ts'
import { proveGrowth, requireCheckpoint } from '../../audit/tree/proofs.ts'
import { lastWitnessed, withCosignatures } from '../../audit/tree/witness.ts'
import { VERIFY_EVENTS_MAX, verifyNewest } from '../../audit/verify/newest.ts'
import { callerOf } from '../../http/area.ts'
import { addressOf } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'

/**
 * How the log stands: its size, who signed it, who witnessed that. All of it is public, so looking at
 * it is no event.
 */
export async function integrityPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  found: Model = {}
) {
  const { database, tree, publicUrl } = exchange
  await tree.catchUp()
  const checkpoint = tree.checkpoint()
  const note = checkpoint && (await withCosignatures(database, checkpoint))
  const witnesses = await lastWitnessed(database)
  return pages.show(request, reply, 'log/integrity', {
    ...found,
    url: publicUrl,
    origin: tree.keys.origin,
    keys: tree.keys.keys,
    vkey: tree.keys.keys.at(-1)?.vkey ?? '',
    verifyMax: VERIFY_EVENTS_MAX,
    note,
    size: checkpoint && new Intl.NumberFormat('en-GB').format(checkpoint.size),
    signedAt: checkpoint?.signedAt,
    signatures:
      note === undefined ? [] : parseNote(note).signatures.map(({ id, name }) => ({ id, name })),
    witnesses: witnesses.map(({ witness, ...seen }) => ({ ...seen, name: witness.split('+')[0] }))
  })
}

/** Verifies the newest events, and says what was looked at and what was not. */
export async function verifyPage(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { from, to, ...found } = await verifyNewest(web.exchange, callerOf(request))
  return integrityPage(web, request, reply, {
    verified: { ...found, from, to, last: to - 1, events: to - from, isWhole: from === 0 }
  })
}

/**
 * Proof that the log of now continues the one that a checkpoint was kept of: hashes in base64, one a
 * line (RFC 6962, 2.1.2). Public, as the same of the API, so it is no event.
 */
export async function growthProof(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const typed = addressOf(request).text('from').replaceAll(/[\s,]/g, '')
  pages.onRefusal(request, () =>
    integrityPage(web, request, reply, {
      typed,
      problems: [{ text: pages.texts('log.growth-wrong'), href: '#from' }]
    })
  )
  await exchange.tree.catchUp()
  const { size } = requireCheckpoint(exchange.tree)
  const from = /^\d{1,15}$/.test(typed) ? Number(typed) : 0
  const proof = await proveGrowth(exchange.database, exchange.tree, from, size)
  const name = `consistency-${from}-${size}.txt`
  return reply
    .header('content-disposition', `attachment; filename="${name}"`)
    .header('cache-control', 'no-store')
    .type('text/plain; charset=utf-8')
    .send(proof)
}
