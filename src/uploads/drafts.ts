import { createSecretKey } from 'node:crypto'
import type { DraftCreate, DraftView } from '../../schemas/draft.ts'
import { idOfAttempt } from '../attempts.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, caseOf, knownCase, requireCaseKept } from '../cases/case.ts'
import { holdCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { recordsById, sealRecordDetails } from '../records/record.ts'
import { newKey, recordKeyContext, wrapKey } from '../sealing/keys.ts'
import { aboutDraft, type DraftInCase, draftOf, openDraftKey, viewDraft } from './draft.ts'
import { countOpen, discardDraft, draftsOfCase, findDraft, insertDraft } from './draft-queries.ts'
import { uploadsOfDraft } from './queries.ts'
import { removeEnded } from './sweep.ts'

const DAY_MILLISECONDS = 86_400_000

/**
 * Makes a draft: a record whose files may take days to arrive. Nobody else sees any of it. Asked again
 * with the same attempt it is the same draft, however many ask at once; Refusal `draft-over` once that
 * became a record, or while what was given up is still being removed.
 */
export async function createDraft(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  wanted: DraftCreate
): Promise<{ view: DraftView; isNew: boolean }> {
  const { database, limits } = exchange
  const found = await caseOf(database.read, caller, caseId)
  requireCaseKept(found)
  const createdAt = exchange.clock()
  const { attempt, ...fields } = wanted
  const id = idOfAttempt(caller, attempt, { draft: fields, caseId }, createdAt)
  const { organisationId } = found

  const bytes = newKey()
  const wrappedKey = await wrapKey(exchange.keyring, recordKeyContext(organisationId, id), bytes)
  const key = createSecretKey(bytes)
  bytes.fill(0)
  const { kind, title, date } = wanted
  const draft = {
    id,
    caseId,
    organisationId,
    createdBy: caller.accountId,
    kind,
    wrappedKey,
    detailsSealed: sealRecordDetails(key, id, { title, date }),
    files: 0,
    bytes: 0,
    createdAt,
    expiresAt: createdAt + limits.draftDaysMax * DAY_MILLISECONDS,
    discardedAt: null
  }
  const isNew = await database.write(async tx => {
    // Nobody else begins a draft of this case meanwhile, so of one attempt the second finds the first.
    await holdCase(tx, found.id)
    requireCaseKept(await knownCase(tx, found.id))
    if (await isBegun(tx, id, { draft, case: found })) return false
    const open = await countOpen(tx, organisationId, createdAt)
    if (open.drafts >= limits.draftsPerOrganisationMax) {
      throw new Refusal('too-many-drafts', 'drafts', { about: aboutDraft({ draft, case: found }) })
    }
    await insertDraft(tx, draft)
    await exchange.audit.append(tx, {
      action: 'draft.create',
      outcome: 'success',
      ...actedBy(caller, { kind }),
      ...aboutDraft({ draft, case: found })
    })
    return true
  })
  if (!isNew) return { view: await readDraft(exchange, caller, id), isNew }
  return { view: viewDraft({ draft, case: found }, [], key), isNew }
}

/** Whether there is a draft with this id. Throws Refusal `draft-over` when there was. */
async function isBegun(tx: Queries, id: string, made: DraftInCase): Promise<boolean> {
  const [before] = await findDraft(tx, { id })
  const isOver = before !== undefined && before.draft.discardedAt !== null
  if (isOver || (await recordsById(tx, [id])).length > 0) {
    throw new Refusal('draft-over', undefined, { about: aboutDraft(made) })
  }
  return before !== undefined
}

/** A draft and how far its files have come. */
export async function readDraft(
  exchange: Exchange,
  caller: Caller,
  draftId: string
): Promise<DraftView> {
  const { database, keyring } = exchange
  const found = await draftOf(database.read, caller, draftId, exchange.clock())
  const uploads = await uploadsOfDraft(database.read, { draftId })
  const view = viewDraft(found, uploads, await openDraftKey(keyring, found))
  await exchange.audit.add({
    action: 'draft.read',
    outcome: 'success',
    ...actedBy(caller),
    ...aboutDraft(found)
  })
  return view
}

/** The drafts of a case that are still awaited, oldest first, each with how far its files have come. */
export async function listDrafts(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<DraftView[]> {
  const { database, keyring, clock } = exchange
  const inCase = await caseOf(database.read, caller, caseId)
  const views: DraftView[] = []
  for (const draft of await draftsOfCase(database.read, caseId, clock())) {
    const found = { draft, case: inCase }
    const uploads = await uploadsOfDraft(database.read, { draftId: draft.id })
    views.push(viewDraft(found, uploads, await openDraftKey(keyring, found)))
  }
  await exchange.audit.add({
    action: 'draft.read',
    outcome: 'success',
    ...actedBy(caller, { shown: views.map(({ id }) => id) }),
    ...aboutCase(inCase)
  })
  return views
}

/**
 * Gives a draft up. Nobody sees it from the moment this commits; if it stops then, housekeeping
 * removes what it holds, as it does what is too much to be removed at once.
 */
export async function giveUpDraft(
  exchange: Exchange,
  caller: Caller,
  draftId: string
): Promise<void> {
  const { database } = exchange
  const found = await draftOf(database.read, caller, draftId, exchange.clock())
  await database.write(async tx => {
    if (!(await discardDraft(tx, draftId, exchange.clock()))) {
      throw new Refusal('draft-not-found', 'over', { about: aboutDraft(found) })
    }
    await exchange.audit.append(tx, {
      action: 'draft.discard',
      outcome: 'success',
      ...actedBy(caller, { files: found.draft.files }),
      ...aboutDraft(found)
    })
  })
  await removeEnded(exchange)
}
