import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import { findOpinion, type OpinionRow } from './queries.ts'

type About = Refusal['extra']['about']

/** Throws Refusal `opinion-final` for an opinion that was submitted. */
export function requireDraft(row: OpinionRow | undefined, about: About): void {
  if (row === undefined || row.submittedAt === null) return
  throw new Refusal('opinion-final', undefined, { about: about ?? {} })
}

/** Why a guarded change of a draft changed nothing. */
export async function whyNotChanged(tx: Queries, shareId: string, about: About): Promise<Refusal> {
  const [row] = await findOpinion(tx, { shareId })
  const code = row !== undefined && row.submittedAt !== null ? 'opinion-final' : 'version-changed'
  return new Refusal(code, 'meanwhile', { about: about ?? {} })
}
