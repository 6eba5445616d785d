import { createRequire } from 'node:module'

// Drizzle's CommonJS build, and nobody imports its other one: for each of its 300 modules Node copies
// the 180 KB package.json of the package out, so that the ES build costs every start half a second and
// a quarter of a gigabyte. Types are imported from the package as usual; they cost nothing.

/** Loads a part of Drizzle as CommonJS: the drivers are the database folder's own. */
export const requireDrizzle = createRequire(import.meta.url)

export const {
  and,
  asc,
  Column,
  count,
  DrizzleQueryError,
  desc,
  eq,
  exists,
  getTableColumns,
  getTableName,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  max,
  min,
  ne,
  notLike,
  or,
  Param,
  Placeholder,
  SQL,
  sql
}: typeof import('drizzle-orm') = requireDrizzle('drizzle-orm')

export const pg: typeof import('drizzle-orm/pg-core') = requireDrizzle('drizzle-orm/pg-core')
export const lite: typeof import('drizzle-orm/sqlite-core') =
  requireDrizzle('drizzle-orm/sqlite-core')
