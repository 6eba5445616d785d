import type { CaseView } from '../../schemas/case.ts'
import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { aboutCase, caseOf, openCaseKey } from './case.ts'
import { inWords, keptRecords, missingOf } from './completeness.ts'
import { holdCase, moveCase } from './move.ts'
import { viewCase } from './view.ts'

/**
 * Says that a case has everything a reviewer needs, which starts the turnaround clock. It is said once
 * and not undone. Refusals: `case-incomplete` with what is missing, `case-state-refused`.
 */
export async function completeCase(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<CaseView> {
  const { database, clock } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const about = aboutCase(found)
  const key = await openCaseKey(exchange.keyring, found)
  await database.write(async tx => {
    const row = await holdCase(tx, caseId)
    // A case that is past this is told so, whatever is missing now.
    const kept = await keptRecords(tx, caseId)
    const missing = row.state === 'draft' ? missingOf(key, row, kept) : []
    if (missing.length > 0) {
      const problems = inWords(key, row, missing)
      throw new Refusal('case-incomplete', undefined, { problems, about })
    }
    await moveCase(tx, 'complete', { caseId, by: caller.accountId, at: clock() })
    await exchange.audit.append(tx, {
      action: 'case.complete',
      outcome: 'success',
      ...actedBy(caller, { request: row.version, checklist: row.answersVersion }),
      ...about
    })
  })
  return viewCase(exchange, found)
}
