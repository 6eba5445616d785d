import type { UnverifiedReason } from '../../schemas/specialist.ts'
import type { Queries } from '../database/database.ts'
import type { EntryRow } from './entry.ts'
import { latestWord } from './queries.ts'

/** What a register says of a status that is not full registration with a licence. */
const reasons: Record<string, UnverifiedReason> = {
  suspended: 'register-suspended',
  erased: 'register-erased',
  'no-licence': 'register-no-licence',
  'not-full': 'register-not-full'
}

/**
 * Why the latest file of the entry's professional body speaks against it, or undefined: also when no
 * file of that body was ever read. Deny by default: a status nobody knows is none that lets practise.
 */
export async function verdictOf(
  queries: Queries,
  entry: Pick<EntryRow, 'numberSystem' | 'numberRef' | 'onSpecialistRegister'>
): Promise<UnverifiedReason | undefined> {
  if (entry.numberSystem === null || entry.numberRef === null) return undefined
  const word = await latestWord(queries, entry.numberSystem, entry.numberRef)
  if (word === undefined) return undefined
  const { row: found } = word
  if (found === null) return 'register-missing'
  if (found.status !== 'registered') return reasons[found.status] ?? 'register-not-registered'
  const lacksEntry = entry.onSpecialistRegister && !found.onSpecialistRegister
  return lacksEntry ? 'register-not-specialist' : undefined
}
