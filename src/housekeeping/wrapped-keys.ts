import type { PgColumn } from 'drizzle-orm/pg-core'
import { and, asc, count, eq, gt, gte, lt, or } from '../../schemas/drizzle.ts'
import { caseKeyContext } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { recordKeyContext, SHREDDED, wrappedPrefix } from '../sealing/keys.ts'
import { serviceKeyContext } from '../service-keys.ts'

/** One wrapped key of the database. */
export interface WrappedRow {
  id: string
  /** What it is bound to. */
  context: Buffer
  wrappedKey: Buffer
}

/** Where the database keeps wrapped keys: every column of that name is here. */
export interface WrappedKeys {
  /** As the log and the operator are told, in the plural. */
  name: 'serviceKeys' | 'cases' | 'drafts' | 'records'
  /** Rows after this id, in the order of ids, whose key is not under this KEK. */
  outside(queries: Queries, kekId: string, afterId: string, limit: number): Promise<WrappedRow[]>
  countOutside(queries: Queries, kekId: string): Promise<number>
  countUnder(queries: Queries, kekId: string): Promise<number>
  /** Puts another wrapped key in the place of this one; false when it is no longer there. */
  replace(tx: Queries, row: WrappedRow, wrappedKey: Buffer): Promise<boolean>
}

type Column = PgColumn

/** All that is wrapped under one KEK lies between these two, as bytes are compared. */
function boundsOf(kekId: string): { first: Buffer; after: Buffer } {
  const first = wrappedPrefix(kekId)
  const after = Buffer.from(first)
  const last = after.length - 1
  after[last] = (after[last] ?? 0) + 1
  return { first, after }
}

/** A key that was destroyed is under none. */
function isOutside(column: Column, kekId: string) {
  const { first, after } = boundsOf(kekId)
  return or(and(gt(column, SHREDDED), lt(column, first)), gte(column, after))
}

function isUnder(column: Column, kekId: string) {
  const { first, after } = boundsOf(kekId)
  return and(gte(column, first), lt(column, after))
}

const serviceKeys: WrappedKeys = {
  name: 'serviceKeys',
  async outside(queries, kekId, afterId, limit) {
    const { serviceKeys: keys } = queries.tables
    const rows = await queries
      .select({ id: keys.purpose, wrappedKey: keys.wrappedKey })
      .from(keys)
      .where(and(gt(keys.purpose, afterId), isOutside(keys.wrappedKey, kekId)))
      .orderBy(asc(keys.purpose))
      .limit(limit)
    return rows.map(row => ({ ...row, context: serviceKeyContext(row.id) }))
  },
  countOutside: (queries, kekId) =>
    counted(queries, 'serviceKeys', column => isOutside(column, kekId)),
  countUnder: (queries, kekId) => counted(queries, 'serviceKeys', column => isUnder(column, kekId)),
  async replace(tx, { id, wrappedKey: old }, wrappedKey) {
    const { serviceKeys: keys } = tx.tables
    const changed = await tx
      .update(keys)
      .set({ wrappedKey })
      .where(and(eq(keys.purpose, id), eq(keys.wrappedKey, old)))
      .returning({ id: keys.purpose })
    return changed.length > 0
  }
}

const cases: WrappedKeys = {
  name: 'cases',
  async outside(queries, kekId, afterId, limit) {
    const { cases: c } = queries.tables
    const rows = await queries
      .select({ id: c.id, organisationId: c.organisationId, wrappedKey: c.wrappedKey })
      .from(c)
      .where(and(gt(c.id, afterId), isOutside(c.wrappedKey, kekId)))
      .orderBy(asc(c.id))
      .limit(limit)
    return rows.map(row => ({
      id: row.id,
      wrappedKey: row.wrappedKey,
      context: caseKeyContext(row)
    }))
  },
  countOutside: (queries, kekId) => counted(queries, 'cases', column => isOutside(column, kekId)),
  countUnder: (queries, kekId) => counted(queries, 'cases', column => isUnder(column, kekId)),
  async replace(tx, { id, wrappedKey: old }, wrappedKey) {
    const { cases: c } = tx.tables
    const changed = await tx
      .update(c)
      .set({ wrappedKey })
      .where(and(eq(c.id, id), eq(c.wrappedKey, old)))
      .returning({ id: c.id })
    return changed.length > 0
  }
}

const records: WrappedKeys = {
  name: 'records',
  async outside(queries, kekId, afterId, limit) {
    const { cases: c, records: r } = queries.tables
    const rows = await queries
      .select({ id: r.id, organisationId: c.organisationId, wrappedKey: r.wrappedKey })
      .from(r)
      .innerJoin(c, eq(c.id, r.caseId))
      .where(and(gt(r.id, afterId), isOutside(r.wrappedKey, kekId)))
      .orderBy(asc(r.id))
      .limit(limit)
    return rows.map(row => ({
      id: row.id,
      wrappedKey: row.wrappedKey,
      context: recordKeyContext(row.organisationId, row.id)
    }))
  },
  countOutside: (queries, kekId) => counted(queries, 'records', column => isOutside(column, kekId)),
  countUnder: (queries, kekId) => counted(queries, 'records', column => isUnder(column, kekId)),
  async replace(tx, { id, wrappedKey: old }, wrappedKey) {
    const { records: r } = tx.tables
    const changed = await tx
      .update(r)
      .set({ wrappedKey })
      .where(and(eq(r.id, id), eq(r.wrappedKey, old)))
      .returning({ id: r.id })
    return changed.length > 0
  }
}

/** Before records: a draft may become one meanwhile, and is found there then. */
const drafts: WrappedKeys = {
  name: 'drafts',
  async outside(queries, kekId, afterId, limit) {
    const { drafts: d } = queries.tables
    const rows = await queries
      .select({ id: d.id, organisationId: d.organisationId, wrappedKey: d.wrappedKey })
      .from(d)
      .where(and(gt(d.id, afterId), isOutside(d.wrappedKey, kekId)))
      .orderBy(asc(d.id))
      .limit(limit)
    return rows.map(row => ({
      id: row.id,
      wrappedKey: row.wrappedKey,
      context: recordKeyContext(row.organisationId, row.id)
    }))
  },
  countOutside: (queries, kekId) => counted(queries, 'drafts', column => isOutside(column, kekId)),
  countUnder: (queries, kekId) => counted(queries, 'drafts', column => isUnder(column, kekId)),
  async replace(tx, { id, wrappedKey: old }, wrappedKey) {
    const { drafts: d } = tx.tables
    const changed = await tx
      .update(d)
      .set({ wrappedKey })
      .where(and(eq(d.id, id), eq(d.wrappedKey, old)))
      .returning({ id: d.id })
    return changed.length > 0
  }
}

async function counted(
  queries: Queries,
  name: WrappedKeys['name'],
  condition: (column: Column) => ReturnType<typeof or>
): Promise<number> {
  const table = queries.tables[name] as Queries['tables']['cases']
  const [row] = await queries.select({ n: count() }).from(table).where(condition(table.wrappedKey))
  return row?.n ?? 0
}

export const wrappedKeys: readonly WrappedKeys[] = [serviceKeys, cases, drafts, records]
