import type { KeyObject } from 'node:crypto'
import type { Patient } from '../../schemas/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Caller } from '../identity/principal.ts'
import type { Keyring } from '../sealing/keyrings/keyring.ts'
import { canonicalContext, isShredded, openBox, sealBox, unwrapKey } from '../sealing/keys.ts'
import { type CaseRow, findCase } from './queries.ts'

export type { CaseRow } from './queries.ts'
export { findCase, liveShares, pageOfCases } from './queries.ts'

/** What a case keeps sealed under its own key. */
export interface CaseDetails {
  patient: Patient
  question: string
}

/**
 * The case with this id, for a caller of the organisation that owns it. To everybody else it does
 * not exist (`case-not-found`), and the owner's access log shows who asked.
 */
export async function caseOf(queries: Queries, caller: Caller, id: string): Promise<CaseRow> {
  const [row] = await findCase(queries, { id })
  if (row === undefined) throw new Refusal('case-not-found')
  if (row.organisationId !== caller.organisationId) {
    throw new Refusal('case-not-found', 'of another organisation', { about: aboutCase(row) })
  }
  return row
}

/** The case with this id, whoever asks: for flows that have other grounds to read it. */
export async function knownCase(queries: Queries, id: string): Promise<CaseRow> {
  const [row] = await findCase(queries, { id })
  if (row === undefined) throw new Error('A row names a case that is not there.')
  return row
}

/** What the access log says about a case. */
export function aboutCase(row: CaseRow) {
  return { organisationId: row.organisationId, caseId: row.id, patientRef: row.patientRef }
}

/**
 * The key of a case, which seals its fields and the terms of its shares. Refusal `case-erased` when
 * there is none any more.
 */
export async function openCaseKey(keyring: Keyring, row: CaseRow): Promise<KeyObject> {
  requireCaseKept(row)
  return await unwrapKey(keyring, caseKeyContext(row), row.wrappedKey)
}

/** Throws Refusal `case-erased` for a case of which only the rows are left. */
export function requireCaseKept(row: CaseRow): void {
  if (isErased(row)) throw new Refusal('case-erased', undefined, { about: aboutCase(row) })
}

/** Whether the key of a case, or of a record, is gone, and with it all that was sealed under it. */
export const isErased = ({ wrappedKey }: { wrappedKey: Buffer }): boolean => isShredded(wrappedKey)

export const caseKeyContext = (row: { organisationId: string; id: string }): Buffer =>
  canonicalContext('case-key', row.organisationId, row.id, '1')

const detailsContext = (id: string): Buffer => canonicalContext('case-details', id)

export function sealCaseDetails(key: KeyObject, id: string, details: CaseDetails): Buffer {
  return sealBox(key, detailsContext(id), Buffer.from(JSON.stringify(details)))
}

export function openCaseDetails(key: KeyObject, row: CaseRow): CaseDetails {
  return JSON.parse(openBox(key, detailsContext(row.id), row.detailsSealed).toString())
}
