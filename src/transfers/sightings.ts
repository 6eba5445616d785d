import { timestamp } from '../../schemas/common.ts'
import type { Queries } from '../database/database.ts'
import type { Caller } from '../identity/principal.ts'
import { noteSighting, sightingsOf } from './queries.ts'

/**
 * Whether a caller seems to be in another country than the one they work in, as far as a trusted
 * proxy says where requests come from. It stops nothing: people travel, and addresses are guesses.
 */
export const isElsewhere = ({ country, trace }: Pick<Caller, 'country' | 'trace'>): boolean =>
  trace.country !== undefined && trace.country !== country

/** For the event of an access. */
export const toldOfPlace = (caller: Caller) => (isElsewhere(caller) ? { elsewhere: true } : {})

/** Flags the share to its sender, in the transaction of the access, once for each country. */
export async function flagElsewhere(
  tx: Queries,
  shareId: string,
  caller: Caller,
  at: number
): Promise<void> {
  const { country } = caller.trace
  if (country === undefined || !isElsewhere(caller)) return
  await noteSighting(tx, { shareId, country, firstAt: at })
}

/** From which other countries a share was used, and since when. */
export async function seenElsewhere(
  queries: Queries,
  shareId: string
): Promise<{ country: string; firstAt: string }[]> {
  const rows = await sightingsOf(queries, { shareId })
  return rows.map(({ country, firstAt }) => ({ country, firstAt: timestamp(firstAt) }))
}
