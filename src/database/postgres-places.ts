import type { Client } from 'pg'
import { Refusal } from '../errors.ts'
import { once, type TakePlace } from './places.ts'
import { inOurWords } from './postgres-errors.ts'

/** Places that all processes on one database share. */
export interface SharedPlaces {
  take: TakePlace
  /**
   * Takes on a new connection what the one before it held: the server restarted, or the way broke. Then
   * calls `adopt`, from which on `connection` is to give the new one.
   */
  takeAgain(client: Client, adopt: () => void): Promise<void>
}

/** A place is an advisory lock of its session. The one whose number is taken here is passed over. */
const TAKE = `SELECT place FROM generate_series(1, $2::int) AS place
  WHERE CASE WHEN place = ANY ($3::int[]) THEN false
    ELSE pg_try_advisory_lock(hashtextextended($1 || '/' || place, 0)) END
  LIMIT 1`

const HOLD = `SELECT pg_try_advisory_lock(hashtextextended(name, 0)) FROM unnest($1::text[]) AS name`
const GIVE_BACK = `SELECT pg_advisory_unlock(hashtextextended($1 || '/' || $2::int, 0))`

/**
 * Counts by locks and not by rows: nothing is written, and the server lets go of them when the
 * process ends, however it ends. If the server itself restarts, somebody may for a moment take a
 * place that another still uses.
 */
export function sharedPlaces(connection: () => Client | undefined): SharedPlaces {
  const held = new Map<string, Set<number>>()
  let turn: Promise<unknown> = Promise.resolve()

  /** One after the other: a session that asks twice for a lock has it twice. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = turn.then(work)
    turn = next.catch(() => {})
    return next
  }

  async function tryPlaces(name: string, max: number): Promise<number | undefined> {
    const client = connection()
    if (client === undefined) throw new Refusal('storage-unavailable', 'connection')
    const own = held.get(name) ?? new Set()
    if (own.size >= max) return undefined
    try {
      const { rows } = await client.query<{ place: number }>(TAKE, [name, max, [...own]])
      const [found] = rows
      if (found !== undefined) held.set(name, own.add(found.place))
      return found?.place
    } catch (err) {
      throw inOurWords(err)
    }
  }

  async function letGo(name: string, place: number): Promise<void> {
    const own = held.get(name)
    own?.delete(place)
    if (own?.size === 0) held.delete(name)
    await connection()?.query(GIVE_BACK, [name, place])
  }

  return {
    async take(name, max) {
      const place = await inTurn(() => tryPlaces(name, max))
      if (place === undefined) return undefined
      // A connection that breaks now has let go of it already.
      return once(() => void inTurn(() => letGo(name, place)).catch(() => {}))
    },
    // In its turn too: what is given back meanwhile is to be let go of on the new connection.
    takeAgain: (client, adopt) =>
      inTurn(async () => {
        const names = [...held].flatMap(([name, places]) => [...places].map(n => `${name}/${n}`))
        if (names.length > 0) await client.query(HOLD, [names])
        adopt()
      })
  }
}
