import { v7 as uuidv7 } from 'uuid'
import { timestamp } from '../../schemas/common.ts'
import type { RoleChange, StaffAdd, StaffView } from '../../schemas/staff.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import { accountRow, pageOfAccounts, setRole, waysInOf } from '../sessions/enrolment-queries.ts'
import { type NewEnrolment, newEnrolment } from '../sessions/enrolments.ts'
import { holdCaller } from '../sessions/hold-caller.ts'
import { holdAccount } from '../sessions/passkey-queries.ts'
import { endSessionsOf } from '../sessions/session.ts'
import { toRole } from './accounts.ts'
import { disableAccount, doneBy, enableAccount } from './enrol.ts'
import { type AccountInput, checkAccount } from './enrolment-rules.ts'
import { findOrganisation, insertAccount, invalid, valueOrRefusal } from './insert-account.ts'
import { requireOperator } from './operator.ts'
import type { Caller } from './principal.ts'
import { openProfile, sealProfile } from './profile.ts'

/** The people of the caller's organisation, newest first. Nothing clinical is among it. */
export async function listStaff(
  exchange: Exchange,
  caller: Caller,
  page: Page
): Promise<{ accounts: StaffView[]; next?: string }> {
  const { database, limits, audit } = exchange
  const { organisationId } = caller
  const { rows, next } = await pageOf(page, limits, (before, limit) =>
    pageOfAccounts(database.read, { organisationId, before, limit })
  )
  await audit.add({
    action: 'account.list',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(row => row.id) })
  })
  return { accounts: await viewStaff(exchange, rows), ...(next && { next }) }
}

/** One of them. Throws Refusal `account-not-found`, alike for those of others. */
export async function readStaff(
  exchange: Exchange,
  caller: Caller,
  accountId: string
): Promise<StaffView> {
  const { database, audit } = exchange
  const row = await accountRow(database.read, accountId)
  requireOwn(caller, row)
  await audit.add({
    action: 'account.read',
    outcome: 'success',
    ...actedBy(caller, { account: accountId })
  })
  const [view] = await viewStaff(exchange, [row])
  if (view === undefined) throw new Refusal('account-not-found')
  return view
}

async function viewStaff(
  { database, serviceKeys, clock }: Exchange,
  rows: Awaited<ReturnType<typeof pageOfAccounts>>
): Promise<StaffView[]> {
  const ids = rows.map(row => row.id)
  const { passkeys, codes, recovered, elsewhere } = await waysInOf(database.read, ids, clock())
  return rows.map(row => {
    const { email: _, ...profile } = openProfile(serviceKeys, row)
    const [codeUntil, recoveredAt] = [codes.get(row.id), recovered.get(row.id)]
    return {
      id: row.id,
      ...profile,
      role: toRole(row.role),
      country: row.country,
      disabled: row.disabledAt !== null,
      passkeys: passkeys.get(row.id) ?? 0,
      signsInElsewhere: elsewhere.has(row.id),
      ...(codeUntil !== undefined && { codeUntil: timestamp(codeUntil) }),
      ...(recoveredAt !== undefined && { recoveredAt: timestamp(recoveredAt) })
    }
  })
}

/**
 * Adds a person to the caller's organisation, with the code for their first passkey; or an administrator
 * to another one, for who runs the exchange. Throws Refusal `operator-only`, or `request-invalid` with
 * every problem.
 */
export async function addStaff(
  exchange: Exchange,
  caller: Caller,
  {
    organisation: at = caller.organisationId,
    ...input
  }: AccountInput & Pick<StaffAdd, 'organisation'>
): Promise<NewEnrolment & { accountId: string; name: string }> {
  return exchange.database.write(async tx => {
    await holdAdministrator(tx, caller)
    if (at !== caller.organisationId) await requireAdministratorFor(tx, caller, input)
    const organisation = await findOrganisation(tx, at)
    if (organisation?.id !== at) throw new Refusal('organisation-not-found')
    const checked = valueOrRefusal(checkAccount(input, organisation.country))
    const id = uuidv7({ msecs: exchange.clock() })
    await insertAccount(tx, exchange, { id, organisation, ...checked }, doneBy(caller))
    const enrolment = await makeCode(tx, exchange, caller, { id, organisationId: at })
    return { ...enrolment, accountId: id, name: checked.profile.name }
  })
}

/** People of others are added by their own administrators, once they have one. */
async function requireAdministratorFor(tx: Queries, caller: Caller, input: AccountInput) {
  await requireOperator(tx, caller)
  if (input.role === 'administrator') return
  throw invalid([
    'To another organisation only an administrator can be added, who adds the others.'
  ])
}

/**
 * Makes a new code for a person of the caller's organisation who has lost the last one, or every way in,
 * and ends their sessions.
 * Throws Refusal `account-not-found`, alike for those of others, or `account-disabled`.
 */
export async function newStaffCode(
  exchange: Exchange,
  caller: Caller,
  accountId: string
): Promise<NewEnrolment> {
  return exchange.database.write(async tx => {
    const account = await ownAccount(tx, caller, accountId)
    if (account.disabledAt !== null) throw new Refusal('account-disabled')
    // Whoever has the device that was lost is out at once, and not when the code is used.
    await endSessionsOf(tx, accountId)
    return makeCode(tx, exchange, caller, account)
  })
}

/** Disables a person of the caller's organisation, but never the caller. */
export async function disableStaff(
  exchange: Exchange,
  caller: Caller,
  accountId: string
): Promise<boolean> {
  const allowed = (tx: Queries) => ownAccount(tx, caller, accountId)
  return disableAccount(exchange, { accountId }, actedBy(caller), allowed)
}

/** Lets a person of the caller's organisation in again, with the passkeys they had. */
export async function enableStaff(
  exchange: Exchange,
  caller: Caller,
  accountId: string
): Promise<boolean> {
  const allowed = (tx: Queries) => ownAccount(tx, caller, accountId)
  return enableAccount(exchange, { accountId }, actedBy(caller), allowed)
}

/**
 * Gives a person of the caller's organisation another role, and ends their sessions: what a page offers
 * is of the role it was opened with. A specialist stays one, and nobody becomes one, because an entry of
 * the register and what was sent to it belong to the account. Throws Refusal `role-fixed`, or
 * `request-invalid` when the role needs a registration that is not known.
 */
export async function changeRole(
  exchange: Exchange,
  caller: Caller,
  accountId: string,
  wanted: Omit<RoleChange, 'role'> & { role: string }
): Promise<void> {
  const { serviceKeys, audit } = exchange
  await exchange.database.write(async tx => {
    await ownAccount(tx, caller, accountId)
    const row = await accountRow(tx, accountId)
    if (row === undefined || row.disabledAt !== null) throw new Refusal('account-disabled')
    if (row.role === 'specialist' || wanted.role === 'specialist') throw new Refusal('role-fixed')
    if (row.role === wanted.role) throw invalid(['The account has this role already.'])
    const given = { ...openProfile(serviceKeys, row), country: row.country, ...wanted }
    const { role, profile } = valueOrRefusal(checkAccount(given, row.country))
    const profileSealed = sealProfile(serviceKeys, accountId, profile)
    await setRole(tx, accountId, { role, profileSealed })
    const sessionsEnded = await endSessionsOf(tx, accountId)
    await audit.append(tx, {
      action: 'account.role',
      outcome: 'success',
      ...actedBy(caller, { account: accountId, from: row.role, to: role, sessionsEnded })
    })
  })
}

async function makeCode(
  tx: Queries,
  exchange: Exchange,
  caller: Caller,
  { id: accountId, organisationId }: { id: string; organisationId: string }
) {
  const { accountId: createdBy } = caller
  const enrolment = await newEnrolment(tx, exchange, { accountId, createdBy })
  await exchange.audit.append(tx, {
    action: 'enrolment.create',
    outcome: 'success',
    ...actedBy(caller, { account: accountId, enrolment: enrolment.id }),
    organisationId
  })
  return enrolment
}

/**
 * An account of the caller's organisation that is not the caller's, held like that. To everybody else there
 * is none.
 */
export async function ownAccount(tx: Queries, caller: Caller, id: string) {
  // In one order, so that of two who do something to each other none waits for the other.
  const isCallerFirst = caller.accountId <= id
  if (isCallerFirst) await holdAdministrator(tx, caller)
  const account = await holdAccount(tx, id)
  if (!isCallerFirst) await holdAdministrator(tx, caller)
  requireOwn(caller, account)
  if (id === caller.accountId) throw new Refusal('account-own')
  return account
}

/**
 * Asks again, in the transaction of the act: of two administrators who disable each other at once the
 * second is none any more, and one is left.
 */
async function holdAdministrator(tx: Queries, caller: Caller): Promise<void> {
  const { role } = await holdCaller(tx, caller)
  if (role !== caller.role) throw new Refusal('role-refused', role)
}

/** Throws Refusal `account-not-found` unless somebody is of the caller's organisation. */
export async function requireStaff(
  { database }: Pick<Exchange, 'database'>,
  caller: Caller,
  id: string
): Promise<void> {
  requireOwn(caller, await accountRow(database.read, id))
}

function requireOwn<T extends { organisationId: string }>(
  caller: Caller,
  account: T | undefined
): asserts account is T {
  if (account === undefined) throw new Refusal('account-not-found')
  const { organisationId } = account
  if (organisationId !== caller.organisationId) {
    const about = { organisationId }
    throw new Refusal('account-not-found', 'of another organisation', { about })
  }
}
