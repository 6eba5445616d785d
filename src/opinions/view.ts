import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { AddendumView, OpinionView } from '../../schemas/opinion.ts'
import type { ShareRow } from '../shares/share.ts'
import { missingOf } from './check-text.ts'
import type { Party } from './grounds.ts'
import {
  type AddendumRow,
  type Asked,
  type OpinionRow,
  openAddendum,
  openSigned,
  openText
} from './opinion.ts'

/** An opinion as one side of its share sees it. What was submitted is shown as it was signed. */
export function viewOpinion(
  key: KeyObject,
  { share, side }: Pick<Party, 'share' | 'side'>,
  asked: Asked,
  row: OpinionRow | undefined,
  addenda: AddendumRow[]
): OpinionView {
  const signed = row && openSigned(key, row)
  if (row === undefined || signed === undefined) return viewDraft(key, share, asked, row)
  const { jws, content } = signed
  return {
    share: share.id,
    case: share.caseId,
    state: 'submitted',
    version: row.version,
    questions: content.asked.questions,
    ...content.opinion,
    savedAt: timestamp(row.savedAt),
    submittedAt: content.at,
    specialist: content.specialist,
    reviewed: content.reviewed,
    signed: jws,
    ...recordFor(side, row.recordId),
    addenda: addenda.map(addendum => viewAddendum(key, side, addendum)),
    ...(row.acknowledgedAt !== null && { acknowledgedAt: timestamp(row.acknowledgedAt) }),
    ...(row.acknowledgedBy !== null && { acknowledgedBy: row.acknowledgedBy })
  }
}

function viewDraft(
  key: KeyObject,
  share: ShareRow,
  { questions }: Asked,
  row: OpinionRow | undefined
): OpinionView {
  const text = row && openText(key, row)
  return {
    share: share.id,
    case: share.caseId,
    state: 'draft',
    version: row?.version ?? 0,
    questions,
    ...(text ?? { answers: [] }),
    missing: missingOf(text, questions),
    ...(row && { savedAt: timestamp(row.savedAt) }),
    addenda: []
  }
}

export function viewAddendum(key: KeyObject, side: Party['side'], row: AddendumRow): AddendumView {
  const { jws, content } = openAddendum(key, row)
  const { number, at, text } = content
  return { number, at, text, signed: jws, ...recordFor(side, row.recordId) }
}

/** Records are read by the organisation; to the specialist an id of theirs would open nothing. */
function recordFor(side: Party['side'], recordId: string | null): { record?: string } {
  return side === 'sender' && recordId !== null ? { record: recordId } : {}
}
