import { type AccountView, type Role, roles, type SpecialistPage } from '../../schemas/account.ts'
import { and, desc, eq, isNull, lt, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange, ServiceKeys } from '../exchange.ts'
import { openProfile } from './profile.ts'

type Parts = Pick<Exchange, 'database' | 'serviceKeys'>

/** Names are sealed, so a search opens every profile it passes; one page passes no more than this. */
export const PROFILES_PER_PAGE_MAX = 2000

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const p = sql.placeholder

const findAccount = prepared((q: Queries) => {
  const { accounts, organisations } = q.tables
  return q
    .select({ account: accounts, organisation: organisations })
    .from(accounts)
    .innerJoin(organisations, eq(organisations.id, accounts.organisationId))
    .where(eq(accounts.id, p('id')))
    .prepare('find_account')
})

/**
 * Specialists of every organisation who are not disabled, newest first. `q` keeps those whose name
 * contains it, whatever its case and accents. A page ends after `limit` specialists or `profilesMax`
 * profiles, so one with a `next` may be short, even empty: ask on.
 * Throws Refusal `cursor-invalid`.
 */
export async function listSpecialists(
  exchange: Parts,
  page: { cursor?: string | undefined; limit: number; q?: string | undefined },
  profilesMax = PROFILES_PER_PAGE_MAX
): Promise<SpecialistPage> {
  const { cursor, limit } = page
  if (cursor !== undefined && !UUID.test(cursor)) throw new Refusal('cursor-invalid')
  const wanted = plain(page.q ?? '')
  // Without a search every row counts, and one more tells whether there is a next page.
  const rowsMax = wanted === '' ? limit + 1 : profilesMax
  const rows = await specialistsBefore(exchange, cursor, rowsMax)
  const specialists: SpecialistPage['specialists'] = []
  let last = ''
  for (const { account, organisation } of rows) {
    if (specialists.length === limit) return { specialists, next: last }
    last = account.id
    const { email: _, ...profile } = openProfile(exchange.serviceKeys, account)
    if (!plain(profile.name).includes(wanted)) continue
    specialists.push({ id: account.id, ...profile, country: account.country, organisation })
  }
  return rows.length < rowsMax ? { specialists } : { specialists, next: last }
}

/** One account as its holder sees it. Throws Refusal `account-not-found`. */
export async function describeAccount(exchange: Parts, accountId: string): Promise<AccountView> {
  const [row] = await findAccount(exchange.database.read, { id: accountId })
  if (row === undefined) throw new Refusal('account-not-found')
  const { account, organisation } = row
  return {
    id: account.id,
    role: toRole(account.role),
    ...openProfile(exchange.serviceKeys, account),
    country: account.country,
    organisation: {
      id: organisation.id,
      name: organisation.name,
      ...(organisation.odsCode === null ? {} : { odsCode: organisation.odsCode }),
      country: organisation.country
    }
  }
}

/** The specialist with this account id, unless there is none or they are disabled. */
export async function findSpecialist(
  queries: Queries,
  id: string
): Promise<{ id: string; organisationId: string; country: string } | undefined> {
  const [row] = await findAccount(queries, { id })
  if (row?.account.role !== 'specialist' || row.account.disabledAt !== null) return undefined
  const { organisationId, country } = row.account
  return { id, organisationId, country }
}

/** By which names a specialist knows the clinician who shared with them. */
export async function describeSender(
  queries: Queries,
  keys: Pick<ServiceKeys, 'directory'>,
  accountId: string
): Promise<{ organisation: string; clinician: string }> {
  const [row] = await findAccount(queries, { id: accountId })
  if (row === undefined) throw new Refusal('account-not-found')
  return { organisation: row.organisation.name, clinician: openProfile(keys, row.account).name }
}

/** Throws for a role that a newer release has stored. */
export function toRole(text: string): Role {
  const role = roles.find(name => name === text)
  if (role === undefined) throw new Error('The database holds a role this release does not know.')
  return role
}

function specialistsBefore(exchange: Parts, cursor: string | undefined, rowsMax: number) {
  const { accounts, organisations } = exchange.database.read.tables
  return exchange.database.read
    .select({ account: accounts, organisation: organisations.name })
    .from(accounts)
    .innerJoin(organisations, eq(organisations.id, accounts.organisationId))
    .where(
      and(
        eq(accounts.role, 'specialist'),
        isNull(accounts.disabledAt),
        cursor === undefined ? undefined : lt(accounts.id, cursor)
      )
    )
    .orderBy(desc(accounts.id))
    .limit(rowsMax)
}

/** Letters without case and accents, so that "Muller" finds "Müller". */
function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().trim()
}
