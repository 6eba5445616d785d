import { v7 as uuidv7 } from 'uuid'
import type { ErasureOrder, ErasureView } from '../../schemas/retention.ts'
import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, caseOf, isErased, knownCase, requireCaseKept } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase, moveCase } from '../cases/move.ts'
import type { RequestRow } from '../cases/request.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { deleteCopies, type RecordRow } from '../records/record.ts'
import { withdrawShare } from '../shares/withdraw.ts'
import { evidenceOf, type JudgedCase, judge } from './facts.ts'
import { manifestOf, manifestSum } from './manifest.ts'
import { type Plan, planOnRequest, recordsIn, sumsOf } from './plan.ts'
import { policyOf } from './policy.ts'
import { type ErasureRow, isHeld, lookAgain, sharesLive, sharesWithCopies } from './queries.ts'
import { removeFiles } from './remove-files.ts'
import { retentionOf } from './retention.ts'
import {
  discardDrafts,
  holdRecordsOf,
  insertErasure,
  shredCase,
  shredRecords
} from './shred-queries.ts'
import { viewErasure } from './view.ts'

/** Files that are removed before the answer. Of more, housekeeping removes all. */
const FILES_AT_ONCE_MAX = 100

/** What was erased, and the files of copies, of which no row is left. */
export interface Erased {
  row: ErasureRow
  copyBlobs: string[]
}

/**
 * Erases a case on request of an administrator, before its time: the records that were sent in always,
 * and everything else unless an opinion or a consent has to stay. Live shares of it end first, and it
 * is closed. The keys go in one transaction; the files, which are noise from then on, after it. If it
 * stops in between, housekeeping goes on with the files. Refusals `case-not-found`, `case-erased`,
 * `case-held`, `nothing-to-erase`, `version-changed`, `text-invalid`.
 */
export async function eraseOnRequest(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  wanted: ErasureOrder
): Promise<ErasureView> {
  const { database, clock } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const reason = plainText('reason', wanted.reason)
  const judged = await judge(exchange, found)
  const policy = policyOf(exchange.limits)
  const now = clock()
  // It is closed by this, so its time begins now if it had not begun.
  const facts = { ...judged.facts, closedAt: judged.facts.closedAt ?? now }
  const plan = planOnRequest(retentionOf(facts, policy, now), policy, { caller, reason })
  const erased = await database.write(tx => eraseIn(exchange, tx, judged, plan))
  if (erased === undefined) {
    throw new Refusal('nothing-to-erase', undefined, { about: { caseId } })
  }
  return viewErasure(await removeNow(exchange, erased))
}

/** The same because its time has come. Undefined when nothing of it may go, or is left to go. */
export async function eraseByPolicy(
  exchange: Exchange,
  judged: JudgedCase,
  plan: Plan
): Promise<ErasureRow | undefined> {
  const erased = await exchange.database.write(tx => eraseIn(exchange, tx, judged, plan))
  return erased && (await removeNow(exchange, erased))
}

/** Few files go at once. Whatever fails here is done again by housekeeping. */
async function removeNow(exchange: Exchange, { row, copyBlobs }: Erased): Promise<ErasureRow> {
  if (row.objects + copyBlobs.length > FILES_AT_ONCE_MAX) return row
  try {
    for (const blob of copyBlobs) await exchange.blobs.remove(blob)
    return await removeFiles(exchange, row)
  } catch (err) {
    exchange.log.warn({ err, erasure: row.id }, 'files of what was erased are still to be removed')
    return row
  }
}

/**
 * All of an erasure that is in the database, in the caller's transaction: after it no key is left.
 * Undefined when there is nothing to erase, or, of one by policy, when it may not be any more.
 */
async function eraseIn(
  exchange: Exchange,
  tx: Queries,
  judged: JudgedCase,
  plan: Plan
): Promise<Erased | undefined> {
  const { found } = judged
  const at = exchange.clock()
  const standing = await holdCase(tx, found.id)
  if (!(await mayErase(tx, judged, standing, plan))) return undefined
  await holdRecordsOf(tx, found.id)
  const records = await recordsIn(tx, found.id, plan)
  if (records.length === 0 && plan.scope === 'copies') return undefined
  const withdrawn = await endShares(exchange, tx, judged, plan)
  const copies = await removeCopiesOf(tx, found.id)
  const drafts = await discardDrafts(tx, found.id, at)

  const row = await record(exchange, tx, found, plan, {
    records,
    copies: copies.records,
    more: { drafts, withdrawn }
  })
  await shredRecords(
    tx,
    records.map(({ id }) => id)
  )
  if (plan.scope === 'case') await shredCase(tx, found.id, row.id)
  await lookAgain(tx, found.id, plan.lookAt)
  return { row, copyBlobs: copies.blobs }
}

/** The erasure as its row and its event tell it: both in full before anything goes. */
async function record(
  exchange: Exchange,
  tx: Queries,
  { organisationId, id: caseId }: CaseRow,
  { order, scope, policy, stayed }: Plan,
  taken: { records: RecordRow[]; copies: number; more: Record<string, unknown> }
): Promise<ErasureRow> {
  const at = exchange.clock()
  const id = uuidv7({ msecs: at })
  const { records, copies, more } = taken
  const manifest = manifestSum(await manifestOf(tx, records))
  const sums = { ...sumsOf(records), copies }
  const told = {
    erasure: id,
    scope,
    policy: policy.version,
    stayed,
    manifest: manifest.toString('hex'),
    ...sums,
    ...more
  }
  const eventId = await exchange.audit.append(tx, {
    action: 'case.erase',
    outcome: 'success',
    ...(order
      ? actedBy(order.caller, { reason: order.reason, ...told })
      : { details: { by: 'housekeeping', ...told } }),
    // This event is never erased itself, so it does not name the patient, not even by reference.
    organisationId,
    caseId
  })
  const row: ErasureRow = {
    id,
    caseId,
    organisationId,
    scope,
    ground: order ? 'request' : 'retention',
    orderedBy: order?.caller.accountId ?? null,
    at,
    policy: policy.version,
    stayed: JSON.stringify(stayed),
    ...sums,
    manifest,
    eventId,
    filesAt: null,
    filesKept: 0,
    filesDue: at
  }
  await insertErasure(
    tx,
    row,
    records.map(record => record.id)
  )
  return row
}

/**
 * Whether an erasure that was planned may still be. On request the caller is told why not; one by
 * policy comes again if it is still due then.
 */
async function mayErase(
  tx: Queries,
  { found, facts, row: judged }: JudgedCase,
  row: RequestRow,
  { order }: Plan
): Promise<boolean> {
  const current = await knownCase(tx, found.id)
  if (order === undefined && isErased(current)) return false
  requireCaseKept(current)
  const held = await isHeld(tx, found.id)
  const now = await evidenceOf(tx, row)
  // The request says of which class the case is, and so for how long what is left of it stays.
  const isAsJudged =
    row.version === judged.version &&
    row.closedAt === facts.closedAt &&
    now.hasOpinion === facts.hasOpinion &&
    now.hasConsent === facts.hasConsent
  if (!held && isAsJudged) return true
  if (order === undefined) return false
  const { organisationId, id: caseId } = found
  throw new Refusal(held ? 'case-held' : 'version-changed', undefined, {
    about: { organisationId, caseId }
  })
}

/** Live shares end first, each with its own event and notice; then the case is closed. */
async function endShares(
  exchange: Exchange,
  tx: Queries,
  { found, row, key }: JudgedCase,
  { order }: Plan
): Promise<string[]> {
  // What is due by policy was closed before, and a closed case has no live share.
  if (order === undefined) return []
  const { caller, reason } = order
  const at = exchange.clock()
  const live = (await sharesLive(tx, found.id, at)).map(({ id }) => id)
  for (const id of live) await withdrawShare(exchange, tx, caller, found, id)
  if (row.state === 'closed') return live
  await moveCase(tx, 'close', {
    caseId: found.id,
    by: caller.accountId,
    at,
    reason: { key, text: reason }
  })
  await exchange.audit.append(tx, {
    action: 'case.close',
    outcome: 'success',
    ...actedBy(caller, { withdrawn: live, erased: true }),
    organisationId: found.organisationId,
    caseId: found.id,
    patientRef: found.patientRef
  })
  return live
}

/** Pseudonymised copies go with their rows: no row of theirs is named on the log. */
async function removeCopiesOf(tx: Queries, caseId: string) {
  const gone = { records: 0, blobs: [] as string[] }
  for (const { id } of await sharesWithCopies(tx, caseId)) {
    const { records, blobs } = await deleteCopies(tx, id)
    gone.records += records
    gone.blobs.push(...blobs)
  }
  return gone
}
