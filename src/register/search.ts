import type { SpecialistPage, SpecialistQuery, SpecialistView } from '../../schemas/specialist.ts'
import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { readPage } from '../http/page.ts'
import { isOperating } from '../identity/operator.ts'
import type { Caller } from '../identity/principal.ts'
import { type EntryRow, viewEntry } from './entry.ts'
import { type EntryFilter, findEntry, pageOfEntries } from './queries.ts'
import { askedWords, plain } from './terms.ts'

/** Names are sealed, so a search by name opens every entry it passes; one page passes no more. */
export const ENTRIES_PER_PAGE_MAX = 2000

type Parts = Pick<Exchange, 'database' | 'serviceKeys' | 'clock' | 'limits'>

/**
 * The register, newest entry first, of every organisation. `q` keeps those whose name contains it,
 * whatever its case and accents: a page ends after `limit` entries or `entriesMax` opened ones, so one
 * with a `next` may be short, even empty: ask on. Throws Refusal `cursor-invalid`.
 */
export async function searchSpecialists(
  exchange: Parts,
  query: SpecialistQuery,
  withEmail = false,
  entriesMax = ENTRIES_PER_PAGE_MAX
): Promise<SpecialistPage> {
  const now = exchange.clock()
  const { before, limit } = readPage(query, exchange.limits)
  const wanted = plain(query.q ?? '')
  // Without a name every row counts, and one more tells whether there is a next page.
  const rowsMax = wanted === '' ? limit + 1 : entriesMax
  const page = { before, now, rowsMax }
  const rows = await pageOfEntries(exchange.database.read, filterOf(query), page)
  const specialists: SpecialistView[] = []
  let last = ''
  for (const row of rows) {
    if (specialists.length === limit) return { specialists, next: last }
    last = row.id
    const view = viewEntry(exchange.serviceKeys, row, now, withEmail)
    if (plain(view.name).includes(wanted)) specialists.push(view)
  }
  return rows.length < rowsMax ? { specialists } : { specialists, next: last }
}

/** The same for a caller, on record. */
export async function listSpecialists(
  exchange: Exchange,
  caller: Caller,
  query: SpecialistQuery
): Promise<SpecialistPage> {
  const page = await searchSpecialists(exchange, query, await keepsRegister(exchange, caller))
  await exchange.audit.add({ action: 'specialist.list', outcome: 'success', ...actedBy(caller) })
  return page
}

/** One entry, with the version it is in. Throws Refusal `specialist-entry-not-found`. */
export async function readSpecialist(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<{ view: SpecialistView; version: number }> {
  const row = await entryOf(exchange, id)
  await exchange.audit.add({
    action: 'specialist.read',
    outcome: 'success',
    ...actedBy(caller, { specialist: id })
  })
  const withEmail = await keepsRegister(exchange, caller)
  return {
    view: viewEntry(exchange.serviceKeys, row, exchange.clock(), withEmail),
    version: row.version
  }
}

/** Who keeps the register sees where its notices go; to others that is nobody's business. */
const keepsRegister = async (
  { database }: Pick<Exchange, 'database'>,
  { role, organisationId }: Caller
): Promise<boolean> => role === 'administrator' && isOperating(database.read, organisationId)

/** Throws Refusal `specialist-entry-not-found`. */
export async function entryOf(exchange: Pick<Exchange, 'database'>, id: string): Promise<EntryRow> {
  const [row] = await findEntry(exchange.database.read, { id })
  if (row === undefined) throw new Refusal('specialist-entry-not-found')
  return row
}

function filterOf(query: SpecialistQuery): EntryFilter {
  const { condition, specialty, language, country, state, available } = query
  return {
    terms: [
      { kind: 'condition', words: askedWords(condition ?? '') },
      { kind: 'specialty', words: askedWords(specialty ?? '') }
    ],
    ...(language !== undefined && { language: language.toLowerCase() }),
    ...(country !== undefined && { country }),
    ...(state !== undefined && { state }),
    ...(available !== undefined && { available: true })
  }
}
