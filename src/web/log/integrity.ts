import type { FastifyReply, FastifyRequest } from 'fastify'
import { parseNote } from '../../audit/tlog/note.ts'
import { lastWitnessed, withCosignatures } from '../../audit/tree/witness.ts'
import { VERIFY_EVENTS_MAX, verifyNewest } from '../../audit/verify/newest.ts'
import { callerOf } from '../../http/area.ts'
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
