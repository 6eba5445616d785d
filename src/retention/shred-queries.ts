import { and, eq, inArray, isNotNull, isNull } from '../../schemas/drizzle.ts'
import { held, type Queries } from '../database/database.ts'
import { SHREDDED } from '../sealing/keys.ts'
import type { ErasureRow } from './queries.ts'

// What makes things unreadable for good. Triggers let each of these happen once, and only for what an
// erasure names.

/** Nothing comes into the case, nor goes, until the transaction ends. */
export async function holdRecordsOf(tx: Queries, caseId: string): Promise<void> {
  const { cases } = tx.tables
  const query = tx.select({ id: cases.id }).from(cases).where(eq(cases.id, caseId))
  await held(tx, query, 'update')
}

/** Records whose files are still arriving go with the rest: housekeeping removes what came of them. */
export async function discardDrafts(tx: Queries, caseId: string, now: number): Promise<number> {
  const { drafts, uploads } = tx.tables
  const discarded = await tx
    .update(drafts)
    .set({ discardedAt: now })
    .where(and(eq(drafts.caseId, caseId), isNull(drafts.discardedAt)))
    .returning({ id: drafts.id })
  const ids = discarded.map(({ id }) => id)
  if (ids.length > 0) {
    await tx
      .update(uploads)
      .set({ state: 'ended', code: null })
      .where(inArray(uploads.draftId, ids))
  }
  return ids.length
}

export async function insertErasure(tx: Queries, row: ErasureRow, recordIds: string[]) {
  await tx.insert(tx.tables.erasures).values(row)
  for (const recordId of recordIds) {
    await tx.insert(tx.tables.erasedRecords).values({ recordId, erasureId: row.id })
  }
}

/**
 * Destroys the keys of records, and what lies sealed under them in known places. What is sealed
 * elsewhere stays where it is, for ever closed.
 */
export async function shredRecords(tx: Queries, recordIds: string[]): Promise<void> {
  const { records, objects } = tx.tables
  for (const id of recordIds) {
    await tx
      .update(records)
      .set({ wrappedKey: SHREDDED, detailsSealed: SHREDDED })
      .where(eq(records.id, id))
    await tx
      .update(records)
      .set({ patientReasonSealed: SHREDDED })
      .where(and(eq(records.id, id), isNotNull(records.patientReasonSealed)))
    const ofRecord = eq(objects.recordId, id)
    const change = { nameSealed: SHREDDED, summarySealed: null, instanceRef: null, scanDue: null }
    await tx
      .update(objects)
      .set(change)
      .where(and(ofRecord, isNull(objects.layoutSealed)))
    await tx
      .update(objects)
      .set({ ...change, layoutSealed: SHREDDED })
      .where(and(ofRecord, isNotNull(objects.layoutSealed)))
  }
}

/** The same for a case: patient, question, request and answers. */
export async function shredCase(tx: Queries, caseId: string, erasureId: string): Promise<void> {
  const { cases, caseRequests: requests, erasedCases } = tx.tables
  await tx.insert(erasedCases).values({ caseId, erasureId })
  await tx
    .update(cases)
    .set({ wrappedKey: SHREDDED, detailsSealed: SHREDDED })
    .where(eq(cases.id, caseId))
  const ofCase = eq(requests.caseId, caseId)
  await tx
    .update(requests)
    .set({ requestSealed: SHREDDED })
    .where(and(ofCase, isNotNull(requests.requestSealed)))
  await tx
    .update(requests)
    .set({ answersSealed: SHREDDED })
    .where(and(ofCase, isNotNull(requests.answersSealed)))
}

/** The patient's reference, by which the access log was asked who saw their records. */
export async function forgetPatient(tx: Queries, caseId: string, now: number): Promise<void> {
  const { cases, caseRetention } = tx.tables
  await tx.update(cases).set({ patientRef: SHREDDED }).where(eq(cases.id, caseId))
  await tx.update(caseRetention).set({ auditErasedAt: now }).where(eq(caseRetention.caseId, caseId))
}
