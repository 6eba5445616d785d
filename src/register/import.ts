import { isDeepStrictEqual } from 'node:util'
import type { SpecialistImport, SpecialistInput } from '../../schemas/specialist.ts'
import type { AuditEvent } from '../audit/log.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { requireOperator } from '../identity/operator.ts'
import type { Caller } from '../identity/principal.ts'
import { CsvError, type CsvLimits, readCsv } from './csv.ts'
import {
  type EntryDetails,
  type EntryRow,
  emailRef,
  numberRef,
  openEntry,
  viewAvailability
} from './entry.ts'
import { columnOf, type Header, type RowProblem, readHeader, readRow } from './import-rows.ts'
import { entriesByEmail, entryByNumber } from './queries.ts'
import { type CheckedEntry, checkEntry } from './rules.ts'
import { type Act, actOf, addEntry, exclusively, replaceEntry } from './write-entry.ts'

const MIB = 1024 ** 2

/** One file of an import. Larger ones are several. */
export const IMPORT_LIMITS: CsvLimits = {
  bytesMax: 8 * MIB,
  rowsMax: 5000,
  cellCharactersMax: 8000,
  columnsMax: 40
}

type Parts = Pick<Exchange, 'database' | 'audit' | 'serviceKeys' | 'clock'>
type RowResult = SpecialistImport['rows'][number]

/**
 * Takes specialists from CSV, row by row, each in a transaction of its own: what was done stays done
 * when the file turns out to be damaged further on, and the same file again changes nothing. A row
 * stands for the entry with its registration, or else its e-mail address; columns that the file lacks
 * stay as they are there. Nobody is verified by it, and who is changed into somebody else is verified
 * no more. With `dryRun` nothing is written but that somebody asked.
 *
 * Throws Refusal `csv-invalid`, which says how many rows were done before.
 */
export async function importSpecialists(
  exchange: Parts,
  act: Act,
  bytes: AsyncIterable<Uint8Array>,
  dryRun: boolean
): Promise<SpecialistImport> {
  const rows: RowResult[] = []
  const seen = new Set<string>()
  try {
    let header: Header | undefined
    for await (const row of readCsv(bytes, IMPORT_LIMITS)) {
      if (header === undefined) {
        header = readHeader(row)
        continue
      }
      const result = await importRow(exchange, act, { read: readRow(header, row), seen, dryRun })
      rows.push({ row: rows.length + 1, line: row.line, ...result })
    }
    if (header === undefined) readHeader(undefined)
  } catch (err) {
    if (!(err instanceof CsvError)) throw err
    const done = `${dryRun ? 0 : rows.length} rows before it were done.`
    throw new Refusal('csv-invalid', err.code, { problems: [err.message, done] })
  }
  const count = (result: RowResult['result']) => rows.filter(row => row.result === result).length
  const counts = {
    created: count('created'),
    updated: count('updated'),
    unchanged: count('unchanged'),
    refused: count('refused')
  }
  await exchange.audit.add(importEvent(act, { dryRun, ...counts }))
  return { dryRun, ...counts, rows }
}

/** The same for a caller, who must be of those that keep the register. Throws Refusal `operator-only` too. */
export async function importAs(
  exchange: Parts,
  caller: Caller,
  bytes: AsyncIterable<Uint8Array>,
  dryRun: boolean
): Promise<SpecialistImport> {
  await requireOperator(exchange.database.read, caller)
  return importSpecialists(exchange, actOf(caller), bytes, dryRun)
}

function importEvent(act: Act, details: Record<string, unknown>): AuditEvent {
  return { action: 'specialist.import', outcome: 'success', ...act(details) }
}

interface RowToImport {
  read: ReturnType<typeof readRow>
  /** What rows before it stood for: one file says one thing about one person. */
  seen: Set<string>
  dryRun: boolean
}

async function importRow(
  exchange: Parts,
  act: Act,
  { read, seen, dryRun }: RowToImport
): Promise<Omit<RowResult, 'row' | 'line'>> {
  if ('problems' in read) return refused(read.problems)
  const first = checkEntry(read.fields as SpecialistInput)
  if ('problems' in first) return refused(problemsOf(first))
  const person = personRef(exchange, first.value)
  if (person !== undefined && seen.has(person)) return refused([{ code: 'row-repeated' }])
  if (person !== undefined) seen.add(person)
  try {
    const work = (tx: Queries) => importPerson(tx, exchange, act, { ...read, dryRun }, first.value)
    if (dryRun) return await work(exchange.database.read)
    return await exclusively(() => exchange.database.write(work))
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    const isOfRow = ['registration-taken', 'version-changed'].includes(err.code)
    if (!isOfRow) throw err
    return refused([{ column: 'registration_number', code: err.code }])
  }
}

async function importPerson(
  tx: Queries,
  exchange: Parts,
  act: Act,
  read: { fields: Partial<SpecialistInput>; given: Set<string>; dryRun: boolean },
  checked: CheckedEntry
): Promise<Omit<RowResult, 'row' | 'line'>> {
  const before = await entryOf(tx, exchange, checked)
  if (before === undefined) {
    if (read.dryRun) return { result: 'created' }
    return { result: 'created', id: (await addEntry(tx, exchange, act, checked)).id }
  }
  const old = openEntry(exchange.serviceKeys, before)
  const merged = checkEntry({
    ...keptFields(old, before, read.given),
    ...read.fields
  } as SpecialistInput)
  if ('problems' in merged) return refused(problemsOf(merged))
  const { id } = before
  if (isSame(old, before, merged.value)) return { result: 'unchanged', id }
  if (!read.dryRun) await replaceEntry(tx, exchange, act, before, merged.value)
  return { result: 'updated', id }
}

/** Whom a row stands for: the registration, or else the one entry that has the address and no other. */
async function entryOf(
  tx: Queries,
  { serviceKeys }: Parts,
  { details }: CheckedEntry
): Promise<EntryRow | undefined> {
  const { registrationSystem: system, registrationNumber: number, email } = details
  const isNumbered = system !== undefined && number !== undefined
  if (isNumbered) {
    const found = await entryByNumber(tx, numberRef(serviceKeys.lookup, system, number))
    if (found !== undefined) return found
  }
  if (email === undefined) return undefined
  const known = await entriesByEmail(tx, emailRef(serviceKeys.lookup, email))
  // An address may be that of a secretary: with a number of its own a row is somebody else.
  const fit = isNumbered ? known.filter(row => row.numberRef === null) : known
  return fit.length === 1 ? fit[0] : undefined
}

function personRef({ serviceKeys }: Parts, { details }: CheckedEntry): string | undefined {
  const { registrationSystem: system, registrationNumber: number, email } = details
  if (system !== undefined && number !== undefined) {
    return numberRef(serviceKeys.lookup, system, number).toString('base64')
  }
  return email === undefined ? undefined : emailRef(serviceKeys.lookup, email).toString('base64')
}

/** What an entry says in fields that the file has no column for. */
function keptFields(
  old: EntryDetails,
  row: EntryRow,
  given: Set<string>
): Partial<SpecialistInput> {
  const { verification, ...details } = old
  const availability = viewAvailability(row)
  const fields: Record<string, unknown> = { ...details, country: row.country, availability }
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !given.has(field)))
}

function isSame(old: EntryDetails, row: EntryRow, checked: CheckedEntry): boolean {
  const { verification, ...details } = old
  const { availableFrom, availableUntil, capacity, country } = row
  const before = { details, country, availability: { availableFrom, availableUntil, capacity } }
  return isDeepStrictEqual(before, checked)
}

const refused = (problems: RowProblem[]): Omit<RowResult, 'row' | 'line'> => ({
  result: 'refused',
  problems
})

function problemsOf({ problems }: { problems: { field: string; code: string }[] }): RowProblem[] {
  return problems.map(({ field, code }) => {
    const column = columnOf(field)
    return { ...(column !== undefined && { column }), code }
  })
}
