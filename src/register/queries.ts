import {
  and,
  desc,
  eq,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  or,
  sql
} from '../../schemas/drizzle.ts'
import type { SpecialistState } from '../../schemas/specialist.ts'
import { held, prepared, type Queries } from '../database/database.ts'
import type { Term, TermKind } from './terms.ts'

const p = sql.placeholder

/** What sorts after every word that begins so: text compares byte by byte in both databases. */
const LAST_CHARACTER = '\u{10ffff}'

export const findEntry = prepared(q =>
  q
    .select()
    .from(q.tables.specialists)
    .where(eq(q.tables.specialists.id, p('id')))
    .prepare('find_specialist')
)
export type EntryRow = Awaited<ReturnType<typeof findEntry>>[number]

/** The same, which then stays as it is until the transaction ends. */
export const findEntryHeld = prepared(q =>
  held(
    q,
    q
      .select()
      .from(q.tables.specialists)
      .where(eq(q.tables.specialists.id, p('id'))),
    'update'
  ).prepare('find_specialist_held')
)

/** Asked for whenever a share is opened or read. */
export const findVerification = prepared(q => verification(q).prepare('find_verification'))
export const findVerificationHeld = prepared(q =>
  held(q, verification(q), 'share').prepare('find_verification_held')
)

function verification(q: Queries) {
  const { specialists } = q.tables
  return q
    .select({ verifiedAt: specialists.verifiedAt, verifiedUntil: specialists.verifiedUntil })
    .from(specialists)
    .where(eq(specialists.accountId, p('accountId')))
}

export async function insertEntry(tx: Queries, row: EntryRow, terms: Term[]): Promise<void> {
  await tx.insert(tx.tables.specialists).values(row)
  await insertTerms(tx, row.id, terms)
}

/** The same for an account that may have got its entry meanwhile: then it is left, and false comes back. */
export async function insertEntryOnce(tx: Queries, row: EntryRow, terms: Term[]): Promise<boolean> {
  const { specialists } = tx.tables
  const made = await tx
    .insert(specialists)
    .values(row)
    .onConflictDoNothing({ target: specialists.id })
    .returning({ id: specialists.id })
  if (made.length > 0) await insertTerms(tx, row.id, terms)
  return made.length > 0
}

/** Replaces what a search finds an entry by. */
export async function replaceTerms(tx: Queries, id: string, terms: Term[]): Promise<void> {
  const { specialistTerms } = tx.tables
  await tx.delete(specialistTerms).where(eq(specialistTerms.specialistId, id))
  await insertTerms(tx, id, terms)
}

async function insertTerms(tx: Queries, specialistId: string, terms: Term[]): Promise<void> {
  if (terms.length === 0) return
  await tx.insert(tx.tables.specialistTerms).values(terms.map(term => ({ specialistId, ...term })))
}

/**
 * Changes an entry that still is in this version, and counts it on. Returns the entry, or nothing when
 * somebody else was quicker.
 */
export async function changeEntry(
  tx: Queries,
  at: { id: string; version: number },
  change: Partial<EntryRow>
): Promise<EntryRow | undefined> {
  const { specialists } = tx.tables
  const [row] = await tx
    .update(specialists)
    .set({ ...change, version: at.version + 1 })
    .where(and(eq(specialists.id, at.id), eq(specialists.version, at.version)))
    .returning()
  return row
}

/** The entry that holds a registration; a second account of the same person is not it. */
export async function entryByNumber(
  queries: Queries,
  numberRef: Buffer
): Promise<EntryRow | undefined> {
  const { specialists } = queries.tables
  const [row] = await queries
    .select()
    .from(specialists)
    .where(and(eq(specialists.numberRef, numberRef), eq(specialists.isSecond, false)))
  return row
}

/** Entries with this address, the oldest first. */
export function entriesByEmail(queries: Queries, emailRef: Buffer): Promise<EntryRow[]> {
  const { specialists } = queries.tables
  return queries
    .select()
    .from(specialists)
    .where(eq(specialists.emailRef, emailRef))
    .orderBy(specialists.id)
    .limit(10)
}

export interface EntryFilter {
  terms: { kind: TermKind; words: { prefix: string; whole?: string }[] }[]
  /** A language tag in small letters. */
  language?: string
  country?: string
  state?: SpecialistState
  available?: boolean
}

/** Entries whose account, if any, is not disabled, newest first, from `before` (exclusive) on. */
export async function pageOfEntries(
  queries: Queries,
  filter: EntryFilter,
  page: { before?: string | undefined; now: number; rowsMax: number }
): Promise<EntryRow[]> {
  const { specialists, accounts } = queries.tables
  const { language, country, state, available } = filter
  const { before, now, rowsMax } = page
  const words = filter.terms.flatMap(({ kind, words }) =>
    words.map(word => inArray(specialists.id, entriesWithWord(queries, kind, word)))
  )
  const rows = await queries
    .select({ entry: specialists })
    .from(specialists)
    .leftJoin(accounts, eq(accounts.id, specialists.accountId))
    .where(
      and(
        isNull(accounts.disabledAt),
        ...words,
        language === undefined
          ? undefined
          : inArray(specialists.id, entriesWithLanguage(queries, language)),
        country === undefined ? undefined : eq(specialists.country, country),
        state === undefined ? undefined : standsAs(queries, state, now),
        available === true ? isAvailable(queries, now) : undefined,
        before === undefined ? undefined : lt(specialists.id, before)
      )
    )
    .orderBy(desc(specialists.id))
    .limit(rowsMax)
  return rows.map(row => row.entry)
}

function entriesWithWord(
  queries: Queries,
  kind: TermKind,
  { prefix, whole }: { prefix: string; whole?: string }
) {
  const { specialistTerms: terms } = queries.tables
  const begins = and(gte(terms.term, prefix), lt(terms.term, prefix + LAST_CHARACTER))
  return queries
    .select({ id: terms.specialistId })
    .from(terms)
    .where(
      and(eq(terms.kind, kind), whole === undefined ? begins : or(begins, eq(terms.term, whole)))
    )
}

function entriesWithLanguage(queries: Queries, language: string) {
  const { specialistTerms: terms } = queries.tables
  return queries
    .select({ id: terms.specialistId })
    .from(terms)
    .where(and(eq(terms.kind, 'language'), eq(terms.term, language)))
}

function standsAs(queries: Queries, state: SpecialistState, now: number) {
  const { verifiedUntil } = queries.tables.specialists
  if (state === 'unverified') return isNull(verifiedUntil)
  return state === 'verified' ? gt(verifiedUntil, now) : lte(verifiedUntil, now)
}

/** Could be sent a share now: enrolled, verified, there, and with room for one more. */
function isAvailable(queries: Queries, now: number) {
  const { specialists, shares } = queries.tables
  const { availableFrom, availableUntil, capacity } = specialists
  const live = sql`(select count(*) from ${shares} where ${shares.specialistId} = ${specialists.accountId} and ${shares.revokedAt} is null and ${shares.expiresAt} > ${now})`
  return and(
    isNotNull(specialists.accountId),
    standsAs(queries, 'verified', now),
    or(isNull(availableFrom), lte(availableFrom, now)),
    or(isNull(availableUntil), gt(availableUntil, now)),
    or(isNull(capacity), gt(capacity, live))
  )
}

/** Specialists' accounts that have no entry: they are from before there was a register. */
export function accountsWithoutEntry(queries: Queries, limit: number) {
  const { accounts, specialists, organisations } = queries.tables
  return queries
    .select({ account: accounts, organisation: organisations.name })
    .from(accounts)
    .innerJoin(organisations, eq(organisations.id, accounts.organisationId))
    .leftJoin(specialists, eq(specialists.accountId, accounts.id))
    .where(and(eq(accounts.role, 'specialist'), isNull(specialists.id)))
    .orderBy(accounts.id)
    .limit(limit)
}

/** The file of a register that counts: of the latest day, and of that the latest read. */
export async function latestFile(queries: Queries, source: string) {
  const { registerFiles } = queries.tables
  const [file] = await queries
    .select()
    .from(registerFiles)
    .where(eq(registerFiles.source, source))
    .orderBy(desc(registerFiles.asOf), desc(registerFiles.id))
    .limit(1)
  return file
}

/** What a file says of one registration. */
export async function registerRow(queries: Queries, fileId: string, numberRef: Buffer) {
  const { registerRows } = queries.tables
  const [row] = await queries
    .select()
    .from(registerRows)
    .where(and(eq(registerRows.fileId, fileId), eq(registerRows.numberRef, numberRef)))
  return row
}

/**
 * The same of the file that counts, or undefined where no file of this source was ever read. It is one
 * statement: rows of a file go once another counts, and who looks for them then would find nobody.
 */
export async function latestWord(queries: Queries, source: string, numberRef: Buffer) {
  const { registerFiles: files, registerRows: rows } = queries.tables
  const [found] = await queries
    .select({ row: rows })
    .from(files)
    .leftJoin(rows, and(eq(rows.fileId, files.id), eq(rows.numberRef, numberRef)))
    .where(eq(files.source, source))
    .orderBy(desc(files.asOf), desc(files.id))
    .limit(1)
  return found
}
