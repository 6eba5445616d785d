import { and, eq, inArray, isNull } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import type { ServiceKeys } from '../exchange.ts'
import { openProfile } from './profile.ts'

/** Where notices to an account go, if anywhere; undefined when it is disabled or not there. */
export async function contactOf(
  queries: Queries,
  keys: Pick<ServiceKeys, 'directory'>,
  accountId: string
): Promise<{ email: string | undefined } | undefined> {
  const { accounts } = queries.tables
  const [row] = await queries
    .select()
    .from(accounts)
    .where(and(eq(accounts.id, accountId), isNull(accounts.disabledAt)))
  return row === undefined ? undefined : { email: openProfile(keys, row).email }
}

/** The names of accounts, by id. Accounts are never deleted, so old events keep their names. */
export async function namesOf(
  queries: Queries,
  keys: Pick<ServiceKeys, 'directory'>,
  ids: string[]
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const { accounts } = queries.tables
  const rows = await queries.select().from(accounts).where(inArray(accounts.id, ids))
  return new Map(rows.map(row => [row.id, openProfile(keys, row).name]))
}

/** Accounts by id: who holds them, and where they work. */
export async function accountsById(
  queries: Queries,
  keys: Pick<ServiceKeys, 'directory'>,
  ids: string[]
): Promise<Map<string, { name: string; organisationId: string; country: string }>> {
  if (ids.length === 0) return new Map()
  const { accounts } = queries.tables
  const rows = await queries.select().from(accounts).where(inArray(accounts.id, ids))
  return new Map(
    rows.map(({ id, organisationId, country, profileSealed }) => {
      const { name } = openProfile(keys, { id, profileSealed })
      return [id, { name, organisationId, country }]
    })
  )
}

/** Organisations by id, with the code that the NHS knows them by. */
export async function organisationsById(
  queries: Queries,
  ids: string[]
): Promise<Map<string, { name: string; odsCode: string | null; country: string }>> {
  if (ids.length === 0) return new Map()
  const { organisations } = queries.tables
  const rows = await queries.select().from(organisations).where(inArray(organisations.id, ids))
  return new Map(rows.map(row => [row.id, row]))
}
