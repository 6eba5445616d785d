import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type { Tables } from '../../schemas/tables.ts'

/** What a query needs: the four builders and the tables of the database they run on. */
export type Queries = Pick<
  PgDatabase<PgQueryResultHKT>,
  'select' | 'insert' | 'update' | 'delete'
> & { readonly tables: Tables }

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
