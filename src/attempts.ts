import { createHash } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { canonicalJson } from './audit/canonical.ts'
import type { Caller } from './identity/principal.ts'

/**
 * The id of something new that is made once of one attempt, a UUIDv7 of the caller's own, however often
 * it is asked for: a form that was pressed twice, an answer that was lost. The id follows from who makes
 * what, `made`, with it: its first 48 bits are the time in the attempt, as in every id here, or now if
 * that is yet to come, and the others a digest, so that nobody can ask for the id of somebody else's.
 * Without an attempt each is another.
 */
export function idOfAttempt(
  { accountId }: Pick<Caller, 'accountId'>,
  attempt: string | undefined,
  made: object,
  now: number
): string {
  if (attempt === undefined) return uuidv7({ msecs: now })
  const of = createHash('sha256')
    .update(canonicalJson({ ...made, accountId, attempt }))
    .digest()
  const msecs = Math.min(now, Number.parseInt(attempt.replace('-', '').slice(0, 12), 16))
  return uuidv7({ msecs, random: of })
}
