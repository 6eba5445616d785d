import { setImmediate as nextTurn } from 'node:timers/promises'

/** Entries of an index that are looked at in one go. */
const ENTRIES_AT_A_TIME = 1000

/** Entries of one stream that are looked at for one page, whether they match or not. */
export const ENTRIES_PER_PAGE_MAX = 10_000

/** The database answers in this thread, so after so long everybody else has a turn. */
const TURN_MILLISECONDS_MAX = 5

/** Above every id, as text. */
export const BELOW_ALL = '~'

/** Ids from `from` (inclusive) to `below` (exclusive). */
export interface Range {
  from: string | undefined
  below: string
}

/** Rows in the order of one index that ends in the id, newest first. */
export interface Stream<Row extends { id: string }> {
  /** The id of the n-th entry of the range, from 1, whether it matches or not. */
  nthId(range: Range, n: number): Promise<string | undefined>
  /** The first rows of the range that match. */
  rows(range: Range, limit: number): Promise<Row[]>
}

/** A page may be short, or empty, and yet have a next: then what was looked at did not match. */
export interface KeysetPage<Row> {
  rows: Row[]
  /** Where the next page begins (exclusive), while there may be one. */
  next?: string
}

/**
 * One page of several streams as if they were one, newest first. No row may be in two of them.
 * However few rows match, the work is bounded.
 */
export async function pageOfStreams<Row extends { id: string }>(
  streams: Stream<Row>[],
  range: Range,
  limit: number
): Promise<KeysetPage<Row>> {
  const breathe = turns()
  const found: Row[] = []
  // Below this not every stream has been looked at, so nothing below it may be shown.
  let floor = range.from
  let isCut = false
  for (const stream of streams) {
    const looked = await examine(stream, { ...range, from: floor }, limit + 1, breathe)
    found.push(...looked.rows)
    if (looked.to === undefined) continue
    floor = looked.to
    isCut = true
  }
  const complete = found
    .filter(row => floor === undefined || row.id >= floor)
    .sort((a, b) => (a.id < b.id ? 1 : -1))
  const rows = complete.slice(0, limit)
  const next = complete.length > limit ? rows.at(-1)?.id : isCut ? floor : undefined
  return { rows, ...(next !== undefined && { next }) }
}

/** The first row of a stream that matches, however far it is, or undefined. */
export async function firstOf<Row extends { id: string }>(
  stream: Stream<Row>
): Promise<Row | undefined> {
  const breathe = turns()
  let below = BELOW_ALL
  for (;;) {
    await breathe()
    const last = await stream.nthId({ from: undefined, below }, ENTRIES_AT_A_TIME)
    const [row] = await stream.rows({ from: last, below }, 1)
    if (row !== undefined || last === undefined) return row
    below = last
  }
}

/** `to` is the last entry that was looked at, while there may be more. */
async function examine<Row extends { id: string }>(
  stream: Stream<Row>,
  { from, below }: Range,
  wanted: number,
  breathe: () => Promise<void>
): Promise<{ rows: Row[]; to?: string }> {
  const rows: Row[] = []
  let top = below
  for (let entries = 0; entries < ENTRIES_PER_PAGE_MAX; entries += ENTRIES_AT_A_TIME) {
    await breathe()
    const last = await stream.nthId({ from, below: top }, ENTRIES_AT_A_TIME)
    rows.push(...(await stream.rows({ from: last ?? from, below: top }, wanted - rows.length)))
    if (rows.length === wanted) return { rows, to: rows[wanted - 1]?.id ?? top }
    if (last === undefined) return { rows }
    top = last
  }
  return { rows, to: top }
}

/** Resolves at once while this turn of the event loop is short, and else in the next turn. */
function turns(): () => Promise<void> {
  let began = performance.now()
  return async () => {
    if (performance.now() - began < TURN_MILLISECONDS_MAX) return
    await nextTurn()
    began = performance.now()
  }
}

/**
 * The smallest id of a millisecond: a UUIDv7 begins with its time (RFC 9562, section 5.7), so every
 * index that ends in the id serves time ranges too.
 */
export function firstIdAt(milliseconds: number): string {
  const time = Math.max(0, milliseconds).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}

/** The range of all ids up to this one. As text, nothing lies between an id and its successor. */
export const upTo = (id: string): string => `${id}0`
