import { and, asc, eq, isNull, sql } from '../../schemas/drizzle.ts'
import { held, prepared, type Queries } from '../database/database.ts'

const p = sql.placeholder

const findBy = (strength: 'share' | 'update') =>
  prepared(q =>
    held(
      q,
      q
        .select()
        .from(q.tables.safeguards)
        .where(eq(q.tables.safeguards.ref, p('ref'))),
      strength
    ).prepare(`find_safeguard_${strength}`)
  )

/** A safeguard that nobody can withdraw until the transaction ends. */
export const findSafeguardHeld = findBy('share')
/** The same for whoever withdraws it: no share that rests on it is made meanwhile. */
export const findSafeguardToEnd = findBy('update')

/** Writes down that a safeguard was named, unless it was before. */
export async function noteSafeguard(
  tx: Queries,
  row: { ref: string; organisationId: string; type: string }
): Promise<void> {
  await tx.insert(tx.tables.safeguards).values(row).onConflictDoNothing()
}

export async function endSafeguard(
  tx: Queries,
  ref: string,
  end: { withdrawnAt: number; withdrawnBy: string }
): Promise<void> {
  const { safeguards } = tx.tables
  await tx
    .update(safeguards)
    .set(end)
    .where(and(eq(safeguards.ref, ref), isNull(safeguards.withdrawnAt)))
}

/** Writes down that a share was used from a country, unless it was before. */
export async function noteSighting(
  tx: Queries,
  row: { shareId: string; country: string; firstAt: number }
): Promise<void> {
  await tx.insert(tx.tables.shareSightings).values(row).onConflictDoNothing()
}

export const sightingsOf = prepared(q => {
  const { shareSightings: sightings } = q.tables
  return q
    .select()
    .from(sightings)
    .where(eq(sightings.shareId, p('shareId')))
    .orderBy(asc(sightings.firstAt), asc(sightings.country))
    .prepare('sightings_of')
})
