import { hash, type KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { OpinionView } from '../../schemas/opinion.ts'
import { actedBy } from '../audit/acted-by.ts'
import { dayIn } from '../calendar.ts'
import { type CaseRow, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { holdCase, opinionReceived } from '../cases/move.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { requireMatch } from '../http/if-match.ts'
import { describeSender, homeOf } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { type MadeRecord, makeRecord } from '../records/made-record.ts'
import { insertRecord } from '../records/record.ts'
import { ownShare, rereadHeld } from '../shares/may-read.ts'
import { aboutShare, type ShareRow } from '../shares/share.ts'
import { tellSender } from '../shares/tell.ts'
import { attachmentsOf, requireAttachments } from './attachments.ts'
import { missingOf } from './check-text.ts'
import { opinionAsPdf } from './document.ts'
import { requireDraft, whyNotChanged } from './draft-state.ts'
import { requireWriter } from './grounds.ts'
import {
  type Asked,
  askedBy,
  type OpinionRow,
  type OpinionText,
  openText,
  type SignedOpinion,
  sealSigned
} from './opinion.ts'
import { changeDraft, findOpinion } from './queries.ts'
import { manifestOf } from './reviewed.ts'
import { reviewerOf } from './reviewer.ts'
import { viewOpinion } from './view.ts'

/**
 * Submits the opinion of a share, for good: every question answered or declined, signed by the service
 * with who wrote it and what was reviewed, as a PDF among the records of the case. The signed opinion,
 * its record, the move of the case, the event and the notice are one transaction; if it stops before,
 * the draft is as it was, and the PDF a blob without a row, which housekeeping removes. Of two that
 * submit at once one is refused (`opinion-final`), and so is one that a withdrawal overtakes
 * (`share-revoked`). Other refusals: `opinion-incomplete`, `version-changed`, `share-expired`.
 */
export async function submitOpinion(
  exchange: Exchange,
  caller: Caller,
  asked: { shareId: string; ifMatch: string | undefined }
): Promise<OpinionView> {
  const { database, keyring, clock } = exchange
  const { shareId } = asked
  const { share, found } = await ownShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  await requireWriter(database.read, share, found, caller, clock(), false)
  const [draft] = await findOpinion(database.read, { shareId })
  requireDraft(draft, about)
  requireMatch(asked.ifMatch, draft?.version ?? 0, about)
  const key = await openCaseKey(keyring, found)
  const question = askedBy(key, share, found)
  const { row, text } = requireComplete(key, draft, question, about)

  const content = await contentOf(exchange, caller, { share, found, key, asked: question, text })
  const jws = await exchange.signatures.sign('opinion', content)
  const pdf = await opinionAsPdf(content, { jws, keyId: exchange.signatures.keyId })
  const made = await recordOf(exchange, found, content, pdf)
  const submitted = { row, jws, made, at: Date.parse(content.at), key }
  const stored = await store(exchange, caller, { share, found }, submitted).catch(async err => {
    // A commit that the disk failed may be stored all the same, and then its rows need this blob.
    const mayBeStored = err instanceof Refusal && err.code === 'storage-unavailable'
    if (!mayBeStored) await made.discard()
    throw err
  })
  return viewOpinion(key, { share, side: 'specialist' }, question, stored, [])
}

function requireComplete(
  key: KeyObject,
  row: OpinionRow | undefined,
  { questions }: Asked,
  about: Refusal['extra']['about']
): { row: OpinionRow; text: OpinionText } {
  const text = row && openText(key, row)
  const problems = missingOf(text, questions)
  if (row === undefined || text === undefined || problems.length > 0) {
    throw new Refusal('opinion-incomplete', undefined, { problems, about: about ?? {} })
  }
  return { row, text }
}

/** Everything that is signed. The patient is named only to whom they were named before. */
async function contentOf(
  exchange: Exchange,
  caller: Caller,
  opinion: { share: ShareRow; found: CaseRow; key: KeyObject; asked: Asked; text: OpinionText }
): Promise<SignedOpinion> {
  const { share, found, key, asked, text } = opinion
  const { database, serviceKeys, publicUrl } = exchange
  const { pseudonymised, request } = asked.terms
  return {
    v: 1,
    iss: publicUrl,
    at: timestamp(exchange.clock()),
    case: found.id,
    share: share.id,
    patient: pseudonymised
      ? { pseudonym: pseudonymised.patient }
      : openCaseDetails(key, found).patient,
    asked: {
      by: await describeSender(database.read, serviceKeys, share.createdBy),
      questions: asked.questions,
      ...(request?.condition && { condition: request.condition.text }),
      ...(request?.diagnosis !== undefined && { diagnosis: request.diagnosis }),
      ...(request?.proposedTreatment !== undefined && { plan: request.proposedTreatment })
    },
    specialist: await reviewerOf(exchange, share.specialistId),
    opinion: text,
    attachments: await attachmentsOf(
      exchange,
      found,
      await requireAttachments(database.read, found, caller, text.attachments)
    ),
    reviewed: await manifestOf(exchange, share, found)
  }
}

async function recordOf(
  exchange: Exchange,
  found: CaseRow,
  { at, specialist }: SignedOpinion,
  bytes: Buffer
): Promise<MadeRecord> {
  const { timeZone } = await homeOf(exchange.database.read, found.organisationId)
  return makeRecord(exchange, found, {
    kind: 'opinion',
    title: `Second opinion of ${specialist.name}`.slice(0, 200),
    date: dayIn(timeZone, Date.parse(at)),
    createdBy: specialist.account,
    fileName: 'second-opinion.pdf',
    type: 'application/pdf',
    bytes
  })
}

/** The opinion with its record, its event, its notice and the move of its case: all of it, or nothing. */
function store(
  exchange: Exchange,
  caller: Caller,
  { share, found }: { share: ShareRow; found: CaseRow },
  submitted: { row: OpinionRow; jws: string; made: MadeRecord; at: number; key: KeyObject }
): Promise<OpinionRow> {
  const { row, jws, made, at, key } = submitted
  const about = aboutShare(share, found)
  return exchange.database.write(async tx => {
    await holdCase(tx, found.id)
    const now = await rereadHeld(tx, share.id)
    await requireWriter(tx, now, found, caller, exchange.clock())
    await insertRecord(tx, made.record, made.objects)
    const seen = { shareId: share.id, version: row.version }
    const [stored] = await changeDraft(tx, seen, {
      submittedAt: at,
      signedSealed: sealSigned(key, row.id, jws),
      recordId: made.record.id
    })
    if (stored === undefined) throw await whyNotChanged(tx, share.id, about)
    await opinionReceived(tx, {
      caseId: found.id,
      shareId: share.id,
      by: caller.accountId,
      at: exchange.clock()
    })
    await exchange.audit.append(tx, {
      action: 'opinion.submit',
      outcome: 'success',
      ...actedBy(caller, {
        version: row.version,
        signed: hash('sha256', jws, 'hex'),
        pdf: made.objects[0]?.sha256.toString('hex')
      }),
      ...about,
      recordId: made.record.id
    })
    await tellSender(exchange, tx, now, 'opinion-submitted')
    return stored
  })
}
