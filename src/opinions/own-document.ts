import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { recordsById } from '../records/record.ts'
import type { Access } from '../records/serve.ts'
import { ownShare, reread, rereadHeld } from '../shares/may-read.ts'
import { aboutShare } from '../shares/share.ts'
import { toldOfPlace } from '../transfers/sightings.ts'
import { requireOwnWords } from './grounds.ts'
import { addendaOf, findOpinion } from './queries.ts'

/**
 * The grounds on which a specialist reads the signed PDF of what they submitted, or with `addendum` of
 * what they added: their own words, which time alone takes from nobody. Refusals:
 * `opinion-not-submitted`, `record-not-found`, and those of a share that was withdrawn.
 */
export async function accessToOwnDocument(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  addendum?: number
): Promise<Access> {
  const { database, clock } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  await requireOwnWords(database.read, share, found, caller, clock(), false)
  const [opinion] = await findOpinion(database.read, { shareId })
  if (opinion === undefined || opinion.recordId === null) {
    throw new Refusal('opinion-not-submitted', undefined, { about })
  }
  const addenda = addendum === undefined ? [] : await addendaOf(database.read, [opinion.id])
  const recordId =
    addendum === undefined
      ? opinion.recordId
      : addenda.find(({ number }) => number === addendum)?.recordId
  const [record] = recordId === undefined ? [] : await recordsById(database.read, [recordId])
  if (record === undefined) throw new Refusal('record-not-found', undefined, { about })
  return {
    caller,
    found: { record, case: found },
    event: { ...actedBy(caller, toldOfPlace(caller)), ...about, recordId: record.id },
    async stillGranted(tx) {
      await requireOwnWords(tx, await rereadHeld(tx, shareId), found, caller, clock())
    },
    mustEnd: async () =>
      (await reread(database.read, shareId)).revokedAt === null ? undefined : 'revoked'
  }
}
