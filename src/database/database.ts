import type { Column, SQL } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { sql } from '../../schemas/drizzle.ts'
import type { Tables } from '../../schemas/tables.ts'
import type { TakePlace } from './places.ts'

/** What a query needs: the four builders and the tables of the database they run on. */
export type Queries = Pick<
  PgDatabase<PgQueryResultHKT>,
  'select' | 'insert' | 'update' | 'delete'
> & {
  readonly tables: Tables
  readonly kind: 'sqlite' | 'postgres'
}

/** The one store of rows. Blobs live elsewhere (`blobs/`). */
export interface Database {
  /**
   * Reads outside a transaction: sees every write this process has acknowledged, and none that is
   * not committed. Take it anew for each query, do not keep it.
   */
  readonly read: Queries
  /** Stands for what `read` sees at this moment: while it is the same object, so are all answers. */
  readonly snapshot: object
  /**
   * Runs `work` as one transaction and resolves once it is on the disk. If `work` throws, nothing
   * of it stays and the error is passed on. `work` must await only `tx`: never the network, a file
   * or `read`, because other writes wait for it. Storage that is full or failing is a Refusal
   * (`storage-full`, `storage-unavailable`); then the work may or may not be stored, and the caller
   * must act as if it was not.
   */
  write<T>(work: (tx: Queries) => Promise<T>): Promise<T>
  /** Throws a Refusal unless a write would reach the disk now. */
  check(): Promise<void>
  /** Everything as it is stored at this moment, for several reads that must agree. */
  openSnapshot(): Promise<Snapshot>
  /** Milliseconds since 1970 UTC: the one clock of all processes that use this database. */
  clock(): number
  /** Places that all processes on this database share. Throws a Refusal when it does not answer. */
  takePlace: TakePlace
  /** Names this opening of the database among all there ever are. */
  readonly run: string
  /** The runs, this one included, whose processes have the database open now. */
  runs(): Promise<Set<string>>
  close(): Promise<void>
}

/** What was stored at one moment, whatever is written meanwhile. Until `close`. */
export interface Snapshot {
  read: Queries
  /** Tables, indexes and triggers that are not as this release makes them, each as a sentence. */
  schemaFaults(): Promise<string[]>
  /** What is wrong with the files themselves, indexes that lack rows among it. Reads everything. */
  damage(): Promise<string[]>
  close(): Promise<void>
}

/**
 * A query that is built once for each connection: building costs drizzle about 40 µs, more than
 * SQLite takes to run it. `build` names its inputs with `sql.placeholder`.
 */
export function prepared<Values extends Record<string, unknown>, Result>(
  build: (queries: Queries) => { execute(values: Record<string, unknown>): Promise<Result> }
): (queries: Queries, values: Values) => Promise<Result> {
  const built = new WeakMap<Queries, ReturnType<typeof build>>()
  return (queries, values) => {
    let query = built.get(queries)
    if (query === undefined) {
      query = build(queries)
      built.set(queries, query)
    }
    return query.execute(values)
  }
}

/**
 * The condition of a prepared query that a column is one of a list, which is one input however long:
 * give it as `listed`.
 */
export function isAmong(queries: Queries, column: Column, name: string): SQL {
  const list = sql.placeholder(name)
  return queries.kind === 'sqlite'
    ? sql`${column} in (select value from json_each(${list}))`
    : sql`${column} = any(${list})`
}

/** A list as each database takes it for one input. */
export const listed = (queries: Queries, texts: string[]): string | string[] =>
  queries.kind === 'sqlite' ? JSON.stringify(texts) : texts

/**
 * Makes the rows that `query` finds stay as they are until the transaction `tx` ends: with `share`
 * others may hold them too, with `update` they wait. SQLite needs nothing: it has one writer.
 */
export function held<Query extends { for(strength: 'share' | 'update'): unknown }>(
  tx: Queries,
  query: Query,
  strength: 'share' | 'update'
): Query {
  if (tx.kind === 'postgres') query.for(strength)
  return query
}

/**
 * Lets one transaction at a time pass that names the same thing, for what is not there yet and so cannot
 * be held: the others wait until it ends, and what they read then has what it made. SQLite needs
 * nothing: it has one writer.
 */
export async function oneAtATime(tx: Queries, name: string): Promise<void> {
  if (tx.kind === 'sqlite') return
  const lock = sql`pg_advisory_xact_lock(hashtextextended(${name}, 0))`
  await tx.select({ taken: sql`true` }).from(lock)
}

/**
 * Whether a constraint or a trigger refused a statement, whichever database it is: of PostgreSQL the
 * class 23 of SQLSTATE (Appendix A of its manual), which our triggers use too.
 */
export function isRuleViolation(err: unknown): boolean {
  const code = err instanceof Error && 'code' in err ? String(err.code) : ''
  return code.startsWith('SQLITE_CONSTRAINT') || /^23[0-9A-Z]{3}$/.test(code)
}
