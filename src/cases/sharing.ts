import type { KeyObject } from 'node:crypto'
import type { SharedRequest } from '../../schemas/request.ts'
import type { Override } from '../../schemas/share.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { aboutCase, type CaseRow } from './case.ts'
import { plainText } from './check-request.ts'
import { inWords, keptRecords, missingOf } from './completeness.ts'
import { holdCase, moveCase, refusedMove } from './move.ts'
import type { RequestRow } from './queries.ts'
import { openRequest, requestRow, sharedPart } from './request.ts'

/** What goes into the sealed terms of a share, besides its own, and what it was made from. */
export interface Shareable {
  terms: { request?: SharedRequest; override?: Override }
  row: RequestRow
}

/**
 * Whether a case may be shared as it is now. One that is not complete may, for a reason: it goes into
 * the terms with what was missing. A case whose request was never written is asked by its question
 * alone, as all cases once were, and nothing is held against it. Refusals: `case-incomplete` with
 * what is missing, `case-state-refused`, `text-invalid`, and `version-changed` when its request is not
 * the one that was looked at.
 */
export async function requireShareable(
  { database }: Pick<Exchange, 'database'>,
  found: CaseRow,
  key: KeyObject,
  overrideReason: string | undefined,
  versionSeen?: number
): Promise<Shareable> {
  const row = await requestRow(database.read, found.id)
  if (versionSeen !== undefined && row.version !== versionSeen) {
    throw new Refusal('version-changed', 'since it was looked at', { about: aboutCase(found) })
  }
  if (row.state === 'closed') throw refusedMove(row, 0)
  const details = openRequest(key, row)
  if (details === undefined) return { terms: {}, row }
  const request = sharedPart(row, details)
  const missing = missingOf(key, row, await keptRecords(database.read, found.id))
  if (missing.length === 0 && row.completedAt !== null) return { terms: { request }, row }
  if (overrideReason === undefined) {
    const said = row.completedAt === null ? ['the case has not been marked complete'] : []
    throw new Refusal('case-incomplete', undefined, {
      problems: [...inWords(key, row, missing), ...said],
      about: aboutCase(found)
    })
  }
  const reason = plainText('overrideReason', overrideReason)
  return { terms: { request, override: { reason, missing } }, row }
}

/**
 * Lets the case follow a share that was made in this transaction. What the terms were made from must
 * still stand: otherwise Refusal `version-changed`, or `case-state-refused` when it was closed.
 */
export async function caseShared(
  tx: Queries,
  { row, terms }: Shareable,
  step: { shareId: string; by: string; at: number }
): Promise<void> {
  const { caseId } = row
  const now = await holdCase(tx, caseId)
  if (now.version !== row.version || now.answersVersion !== row.answersVersion) {
    throw new Refusal('version-changed', 'while it was shared')
  }
  const numbers = terms.request?.questions.map(({ number }) => number) ?? []
  const questionsShared = Math.max(now.questionsShared, ...numbers)
  await moveCase(tx, 'share', { ...step, caseId, change: { questionsShared } })
}
