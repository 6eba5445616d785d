import { type AccountView, type Role, roles } from '../../schemas/account.ts'
import { eq, sql } from '../../schemas/drizzle.ts'
import { prepared, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange, ServiceKeys } from '../exchange.ts'
import { openProfile, type Profile, sealProfile } from './profile.ts'

type Parts = Pick<Exchange, 'database' | 'serviceKeys'>

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

/**
 * Lets an account say what the register says of its holder, inside the caller's transaction: where they
 * work decides which of their shares are lawful, and their name is signed under opinions. An address for
 * notices stays when the register has none. Throws Refusal `account-not-found`.
 */
export async function followRegister(
  tx: Queries,
  keys: Pick<ServiceKeys, 'directory'>,
  accountId: string,
  country: string,
  entry: Profile
): Promise<void> {
  const [row] = await findAccount(tx, { id: accountId })
  if (row === undefined) throw new Refusal('account-not-found')
  const { email: before } = openProfile(keys, row.account)
  const { name, professionalBody, registrationNumber, email = before } = entry
  const profile: Profile = {
    name,
    ...(professionalBody !== undefined && { professionalBody }),
    ...(registrationNumber !== undefined && { registrationNumber }),
    ...(email !== undefined && { email })
  }
  const { accounts } = tx.tables
  await tx
    .update(accounts)
    .set({ country, profileSealed: sealProfile(keys, accountId, profile) })
    .where(eq(accounts.id, accountId))
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

const findHome = prepared((q: Queries) => {
  const { organisations } = q.tables
  return q
    .select({
      country: organisations.country,
      timeZone: organisations.timeZone,
      publicAuthority: organisations.publicAuthority
    })
    .from(organisations)
    .where(eq(organisations.id, p('id')))
    .prepare('find_home')
})

/** Where an organisation is, in which time zone its days are counted, and what it is. */
export async function homeOf(
  queries: Queries,
  organisationId: string
): Promise<{ country: string; timeZone: string; publicAuthority: boolean }> {
  const [home] = await findHome(queries, { id: organisationId })
  if (home === undefined) throw new Error('A row names an organisation that is not there.')
  return home
}
