import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../../schemas/common.ts'
import type { MoreTimeView } from '../../../schemas/more-time.ts'
import { canonicalContext, openBox, sealBox } from '../../sealing/keys.ts'
import type { AskRow } from './queries.ts'

export { type AskRow, asksOf } from './queries.ts'

/** What people write about it: the specialist when they ask, the sender when they decline. */
type Text = 'words' | 'reason'

const context = (id: string, text: Text): Buffer => canonicalContext('more-time', id, text)

export function sealText(key: KeyObject, id: string, text: Text, value: string): Buffer {
  return sealBox(key, context(id, text), Buffer.from(value))
}

/** The texts of a row, in clear. Throws SealError when one was changed or moved to another row. */
export function openTexts(key: KeyObject, row: AskRow): { words?: string; reason?: string } {
  const open = (text: Text, sealed: Buffer | null) =>
    sealed === null ? {} : { [text]: openBox(key, context(row.id, text), sealed).toString() }
  return { ...open('words', row.wordsSealed), ...open('reason', row.reasonSealed) }
}

/** `isOver` once its share was withdrawn or its opinion came back: nobody can answer it any more. */
export function viewAsk(key: KeyObject, row: AskRow, isOver: boolean): MoreTimeView {
  const { hours, answeredAt, shareGiven } = row
  return {
    id: row.id,
    share: row.shareId,
    askedAt: timestamp(row.askedAt),
    ...(hours !== null && { hours }),
    state: stateOf(row, isOver),
    ...(answeredAt !== null && { answeredAt: timestamp(answeredAt) }),
    ...(shareGiven !== null && { shareGiven }),
    ...openTexts(key, row)
  }
}

function stateOf(row: AskRow, isOver: boolean): MoreTimeView['state'] {
  if (row.shareGiven !== null) return 'given'
  if (row.answeredAt !== null) return 'declined'
  return isOver ? 'lapsed' : 'waiting'
}
