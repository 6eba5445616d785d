import { lite, pg } from './drizzle.ts'

const bytea = pg.customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })

/**
 * The column kinds, whose JavaScript values are the same in both databases. Queries are typed
 * against PostgreSQL and run against SQLite by default: a call only PostgreSQL has fails the
 * default tests, a call only SQLite has fails the type check. This is the one cast.
 */
export const postgres = {
  table: pg.pgTable,
  text: (name: string) => pg.text(name),
  int: (name: string) => pg.bigint(name, { mode: 'number' }),
  flag: (name: string) => pg.boolean(name),
  bytes: (name: string) => bytea(name)
}

export const sqlite = {
  table: lite.sqliteTable,
  text: (name: string) => lite.text(name),
  int: (name: string) => lite.integer(name, { mode: 'number' }),
  flag: (name: string) => lite.integer(name, { mode: 'boolean' }),
  bytes: (name: string) => lite.blob(name, { mode: 'buffer' })
} as unknown as typeof postgres
