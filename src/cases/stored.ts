import type { KeyObject } from 'node:crypto'
import type { Queries } from '../database/database.ts'
import { openAnswers } from './answers.ts'
import { viewMove } from './move.ts'
import { movesOf } from './queries.ts'
import { openRequest, requestRow } from './request.ts'

/**
 * Opens everything a case has sealed beside its details: request, answers and the reason of each move.
 * Throws for what does not open, and when the moves do not lead where the case stands.
 */
export async function openWhatIsAsked(
  queries: Queries,
  key: KeyObject,
  caseId: string
): Promise<void> {
  const row = await requestRow(queries, caseId)
  openRequest(key, row)
  openAnswers(key, row)
  const moves = (await movesOf(queries, { caseId })).map(move => viewMove(key, move))
  // What `shared` hides is told by the moves before it.
  const isClosed = moves.at(-1)?.to === 'closed'
  if (isClosed !== (row.state === 'closed')) throw new Error('its moves do not lead to its state')
}
