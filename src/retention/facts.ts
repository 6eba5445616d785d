import type { KeyObject } from 'node:crypto'
import {
  type CaseRow,
  knownCase,
  openCaseDetails,
  openCaseKey,
  requireCaseKept
} from '../cases/case.ts'
import { openRequest, type RequestRow, requestRow } from '../cases/request.ts'
import { consentsOf } from '../consents/consent.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { homeOf } from '../identity/accounts.ts'
import type { CaseFacts } from './retention.ts'

/** A case as its retention is judged, with the key that its facts were opened by. */
export interface JudgedCase {
  found: CaseRow
  row: RequestRow
  key: KeyObject
  facts: CaseFacts
}

type Parts = Pick<Exchange, 'database' | 'keyring'>

/** Reads what decides how long a case stays. Refusal `case-erased` once that can be read no more. */
export async function judge(parts: Parts, found: CaseRow): Promise<JudgedCase> {
  try {
    return await readFacts(parts, found)
  } catch (err) {
    // What was being read may have been erased meanwhile, and then it opens no more.
    requireCaseKept(await knownCase(parts.database.read, found.id))
    throw err
  }
}

async function readFacts({ database, keyring }: Parts, found: CaseRow): Promise<JudgedCase> {
  const key = await openCaseKey(keyring, found)
  const row = await requestRow(database.read, found.id)
  const { patient } = openCaseDetails(key, found)
  const { timeZone } = await homeOf(database.read, found.organisationId)
  const facts: CaseFacts = {
    zone: timeZone,
    closedAt: row.closedAt,
    conditionGroup: openRequest(key, row)?.conditionGroup ?? 'general',
    birthDate: patient.birthDate,
    ...(await evidenceOf(database.read, row))
  }
  return { found, row, key, facts }
}

/**
 * Whether there is something that the law makes stay although the copies go. Asked again in the
 * transaction that erases: an opinion or a consent that came in between stays.
 */
export async function evidenceOf(
  queries: Queries,
  row: Pick<RequestRow, 'caseId' | 'opinionAt'>
): Promise<Pick<CaseFacts, 'hasOpinion' | 'hasConsent'>> {
  const consents = await consentsOf(queries, { caseId: row.caseId })
  return { hasOpinion: row.opinionAt !== null, hasConsent: consents.length > 0 }
}
