import { hash } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { AddendumView } from '../../schemas/opinion.ts'
import { actedBy } from '../audit/acted-by.ts'
import { dayIn } from '../calendar.ts'
import { type CaseRow, openCaseKey } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { homeOf } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { type MadeRecord, makeRecord } from '../records/made-record.ts'
import { insertRecord } from '../records/record.ts'
import { ownShare, rereadHeld } from '../shares/may-read.ts'
import { aboutShare, type ShareRow } from '../shares/share.ts'
import { aboutNotice } from '../shares/tell.ts'
import { addendumAsPdf } from './document.ts'
import { requireOwnWords } from './grounds.ts'
import { type AddendumRow, openSigned, type SignedAddendum, sealAddendum } from './opinion.ts'
import { addendaOf, findOpinion, insertAddendum } from './queries.ts'
import { reviewerOf } from './reviewer.ts'
import { viewAddendum } from './view.ts'

/** What needs more is another opinion. */
const ADDENDA_MAX = 20

/**
 * Adds to a submitted opinion, for good, also when time alone has ended the share since: signed and made a PDF as the opinion was, all of it in one
 * transaction or nothing. Of two at once that would have the same number one is refused
 * (`version-changed`). Other refusals: `opinion-not-submitted`, `addenda-spent`, `text-invalid`.
 */
export async function addAddendum(
  exchange: Exchange,
  caller: Caller,
  shareId: string,
  wanted: string
): Promise<AddendumView> {
  const { database, keyring, clock, signatures } = exchange
  const { share, found } = await ownShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  await requireOwnWords(database.read, share, found, caller, clock(), false)
  const [opinion] = await findOpinion(database.read, { shareId })
  const key = await openCaseKey(keyring, found)
  const signed = opinion && openSigned(key, opinion)
  if (opinion === undefined || signed === undefined) {
    throw new Refusal('opinion-not-submitted', undefined, { about })
  }
  const number = (await addendaOf(database.read, [opinion.id])).length + 1
  if (number > ADDENDA_MAX) throw new Refusal('addenda-spent', undefined, { about })
  const content: SignedAddendum = {
    v: 1,
    iss: exchange.publicUrl,
    at: timestamp(clock()),
    case: found.id,
    share: shareId,
    opinion: hash('sha256', signed.jws, 'hex'),
    number,
    specialist: await reviewerOf(exchange, caller.accountId),
    text: plainText('text', wanted)
  }
  const jws = await signatures.sign('opinion-addendum', content)
  const pdf = await addendumAsPdf(content, { jws, keyId: signatures.keyId })
  const made = await recordOf(exchange, found, content, pdf)
  const row: AddendumRow = {
    opinionId: opinion.id,
    number,
    at: Date.parse(content.at),
    signedSealed: sealAddendum(key, opinion.id, number, jws),
    recordId: made.record.id
  }
  await store(exchange, caller, { share, found, row, made, jws }).catch(async err => {
    // A commit that the disk failed may be stored all the same, and then its rows need this blob.
    const mayBeStored = err instanceof Refusal && err.code === 'storage-unavailable'
    if (!mayBeStored) await made.discard()
    throw err
  })
  return viewAddendum(key, 'specialist', row)
}

async function recordOf(
  exchange: Exchange,
  found: CaseRow,
  { at, number, specialist }: SignedAddendum,
  bytes: Buffer
): Promise<MadeRecord> {
  const { timeZone } = await homeOf(exchange.database.read, found.organisationId)
  return makeRecord(exchange, found, {
    kind: 'opinion-addendum',
    title: `Addendum ${number} to the second opinion of ${specialist.name}`.slice(0, 200),
    date: dayIn(timeZone, Date.parse(at)),
    createdBy: specialist.account,
    fileName: `addendum-${number}.pdf`,
    type: 'application/pdf',
    bytes
  })
}

interface Added {
  share: ShareRow
  found: CaseRow
  row: AddendumRow
  made: MadeRecord
  jws: string
}

function store(
  exchange: Exchange,
  caller: Caller,
  { share, found, row, made, jws }: Added
): Promise<void> {
  const about = aboutShare(share, found)
  return exchange.database.write(async tx => {
    // Nobody else adds to an opinion on this case meanwhile, so the number stays free.
    await holdCase(tx, found.id)
    const now = await rereadHeld(tx, share.id)
    await requireOwnWords(tx, now, found, caller, exchange.clock())
    await requireNext(tx, row, about)
    await insertRecord(tx, made.record, made.objects)
    await insertAddendum(tx, row)
    await exchange.audit.append(tx, {
      action: 'opinion.addendum',
      outcome: 'success',
      ...actedBy(caller, {
        number: row.number,
        signed: hash('sha256', jws, 'hex'),
        pdf: made.objects[0]?.sha256.toString('hex')
      }),
      ...about,
      recordId: made.record.id
    })
    await exchange.notices.enqueue(tx, {
      kind: 'opinion-submitted',
      to: { accountId: share.createdBy },
      about: aboutNotice(share),
      once: `opinion-addendum:${row.opinionId}:${row.number}`
    })
  })
}

async function requireNext(
  tx: Queries,
  { opinionId, number }: AddendumRow,
  about: Refusal['extra']['about']
): Promise<void> {
  const before = await addendaOf(tx, [opinionId])
  if (before.length === number - 1) return
  throw new Refusal('version-changed', 'meanwhile', { about: about ?? {} })
}
