import type { KeyObject } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { v7 as uuidv7 } from 'uuid'
import type { OpinionView, OpinionWrite } from '../../schemas/opinion.ts'
import { actedBy } from '../audit/acted-by.ts'
import { openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { etagOf, requireMatch } from '../http/if-match.ts'
import type { Caller } from '../identity/principal.ts'
import { ownShare, rereadHeld } from '../shares/may-read.ts'
import { aboutShare } from '../shares/share.ts'
import { requireAttachments } from './attachments.ts'
import { checkText } from './check-text.ts'
import { requireDraft, whyNotChanged } from './draft-state.ts'
import { partyTo, requireOwnWords, requireWriter } from './grounds.ts'
import { type Asked, askedBy, type OpinionRow, openText, sealText } from './opinion.ts'
import { addendaOf, changeDraft, findOpinion, insertDraft } from './queries.ts'
import { viewOpinion } from './view.ts'

/**
 * The opinion of a share. Its specialist sees the draft, the questions before there is one, and after
 * the share has expired too. The sender sees it once it is submitted; before, Refusal
 * `opinion-not-found`.
 */
export async function readOpinion(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<OpinionView> {
  const { database, keyring, clock } = exchange
  const party = await partyTo(database.read, caller, shareId)
  const { share, found, side } = party
  const about = aboutShare(share, found)
  if (side === 'specialist') {
    await requireOwnWords(database.read, share, found, caller, clock(), false)
  }
  const [row] = await findOpinion(database.read, { shareId })
  if (side === 'sender' && (row === undefined || row.submittedAt === null)) {
    throw new Refusal('opinion-not-found', undefined, { about })
  }
  const addenda = row === undefined ? [] : await addendaOf(database.read, [row.id])
  const key = await openCaseKey(keyring, found)
  const view = viewOpinion(key, party, askedBy(key, share, found), row, addenda)
  await database.write(async tx => {
    if (side === 'specialist') {
      await requireOwnWords(tx, await rereadHeld(tx, shareId), found, caller, clock())
    }
    await exchange.audit.append(tx, {
      action: 'opinion.read',
      outcome: 'success',
      ...actedBy(caller, { state: view.state, version: view.version }),
      ...about
    })
  })
  return view
}

/**
 * Writes the draft of an opinion, whole, over the version that `ifMatch` names; 0 is the one before
 * the first. Of two who change the same version one is refused (`version-changed`). The same words again,
 * over the version that they replaced, are a repeat: whoever saved them and never saw the answer is not
 * told of somebody else. Other refusals: `opinion-final`, `opinion-attachment-unknown`, and those of
 * `checkText`.
 */
export async function saveDraft(
  exchange: Exchange,
  caller: Caller,
  asked: { shareId: string; ifMatch: string | undefined },
  wanted: OpinionWrite
): Promise<OpinionView> {
  const { database, keyring, clock } = exchange
  const { shareId } = asked
  const { share, found } = await ownShare(database.read, caller, shareId)
  const about = aboutShare(share, found)
  await requireWriter(database.read, share, found, caller, clock(), false)
  const [before] = await findOpinion(database.read, { shareId })
  requireDraft(before, about)

  const key = await openCaseKey(keyring, found)
  const question = askedBy(key, share, found)
  const isRepeat = before !== undefined && isSavedAs(key, before, asked.ifMatch, wanted, question)
  if (!isRepeat) requireMatch(asked.ifMatch, before?.version ?? 0, about)
  const text = checkText(wanted, question.questions)
  await requireAttachments(database.read, found, caller, text.attachments)
  const id = before?.id ?? uuidv7({ msecs: clock() })
  const version = (before?.version ?? 0) + 1
  const textSealed = sealText(key, id, version, text)
  const saved = await database.write(async tx => {
    const now = clock()
    await requireWriter(tx, await rereadHeld(tx, shareId), found, caller, now)
    const change = { version, textSealed, savedAt: now }
    // What it repeats was written down, and nothing changes.
    if (isRepeat) return before
    const [row] =
      before === undefined
        ? await insertDraft(tx, { id, shareId, caseId: found.id, ...change })
        : await changeDraft(tx, { shareId, version: before.version }, change)
    if (row === undefined) throw await whyNotChanged(tx, shareId, about)
    await exchange.audit.append(tx, {
      action: 'opinion.save',
      outcome: 'success',
      ...actedBy(caller, { version }),
      ...about
    })
    return row
  })
  return viewOpinion(key, { share, side: 'specialist' }, question, saved, [])
}

/** Whether these words were saved over the version that `ifMatch` names, and nothing since. */
function isSavedAs(
  key: KeyObject,
  row: OpinionRow,
  ifMatch: string | undefined,
  wanted: OpinionWrite,
  { questions }: Asked
): boolean {
  if (ifMatch !== etagOf(row.version - 1)) return false
  return isDeepStrictEqual(checkText(wanted, questions), openText(key, row))
}
