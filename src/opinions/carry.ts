import type { Queries } from '../database/database.ts'
import { findOpinion, moveDraftRow } from './queries.ts'

/**
 * Lets the draft of one share go on under another of the same case and specialist, inside the caller's
 * transaction: for whoever replaces a share by a longer one. What was submitted stays where it was
 * returned, and so does a draft whose new share has one already.
 */
export async function carryDraft(
  tx: Queries,
  { from, to }: { from: string; to: string }
): Promise<void> {
  const [before] = await findOpinion(tx, { shareId: to })
  if (before === undefined) await moveDraftRow(tx, from, to)
}
