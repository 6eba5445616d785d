import { v7 as uuidv7 } from 'uuid'
import type { Role } from '../../schemas/account.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import { pageOfAccounts, waysInOf } from '../sessions/enrolment-queries.ts'
import { type NewEnrolment, newEnrolment } from '../sessions/enrolments.ts'
import { holdAccount } from '../sessions/passkey-queries.ts'
import { endSessionsOf } from '../sessions/session.ts'
import { toRole } from './accounts.ts'
import { disableAccount } from './enrol.ts'
import { type AccountInput, checkAccount } from './enrolment-rules.ts'
import { findOrganisation, insertAccount, valueOrRefusal } from './insert-account.ts'
import type { Caller } from './principal.ts'
import { openProfile } from './profile.ts'

/** A person of an organisation as its administrators see them. */
export interface StaffView {
  id: string
  name: string
  role: Role
  professionalBody?: string
  registrationNumber?: string
  country: string
  isDisabled: boolean
  passkeys: number
  /** They sign in through an issuer of others. */
  signsInElsewhere: boolean
  /** Until when the code that they were given is good, if they have not used it. */
  codeUntil?: number
}

/** The people of the caller's organisation, newest first. Nothing clinical is among it. */
export async function listStaff(
  exchange: Exchange,
  caller: Caller,
  page: Page
): Promise<{ people: StaffView[]; next?: string }> {
  const { database, limits, serviceKeys, audit, clock } = exchange
  const { organisationId } = caller
  const { rows, next } = await pageOf(page, limits, (before, limit) =>
    pageOfAccounts(database.read, { organisationId, before, limit })
  )
  const ids = rows.map(row => row.id)
  const { passkeys, codes, elsewhere } = await waysInOf(database.read, ids, clock())
  await database.write(tx =>
    audit.append(tx, {
      action: 'account.list',
      outcome: 'success',
      ...actedBy(caller, { shown: ids })
    })
  )
  const people = rows.map(row => {
    const { email: _, ...profile } = openProfile(serviceKeys, row)
    const codeUntil = codes.get(row.id)
    return {
      id: row.id,
      ...profile,
      role: toRole(row.role),
      country: row.country,
      isDisabled: row.disabledAt !== null,
      passkeys: passkeys.get(row.id) ?? 0,
      signsInElsewhere: elsewhere.has(row.id),
      ...(codeUntil !== undefined && { codeUntil })
    }
  })
  return { people, ...(next && { next }) }
}

/**
 * Adds a person to the caller's organisation, with the code for their first passkey. Throws Refusal
 * `request-invalid` with every problem.
 */
export async function addStaff(
  exchange: Exchange,
  caller: Caller,
  input: AccountInput
): Promise<NewEnrolment & { name: string }> {
  return exchange.database.write(async tx => {
    const organisation = await findOrganisation(tx, caller.organisationId)
    if (organisation === undefined) throw new Error('An account names no organisation.')
    const checked = valueOrRefusal(checkAccount(input, organisation.country))
    const id = uuidv7({ msecs: exchange.clock() })
    await insertAccount(tx, exchange, { id, organisation, ...checked }, actedBy(caller))
    const enrolment = await makeCode(tx, exchange, caller, id)
    return { ...enrolment, name: checked.profile.name }
  })
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
    const { disabledAt } = await ownAccount(tx, caller, accountId)
    if (disabledAt !== null) throw new Refusal('account-disabled')
    // Whoever has the device that was lost is out at once, and not when the code is used.
    await endSessionsOf(tx, accountId)
    return makeCode(tx, exchange, caller, accountId)
  })
}

/** Disables a person of the caller's organisation, but never the caller. */
export async function disableStaff(
  exchange: Exchange,
  caller: Caller,
  accountId: string
): Promise<boolean> {
  await exchange.database.write(tx => ownAccount(tx, caller, accountId))
  return disableAccount(exchange, { accountId }, actedBy(caller))
}

async function makeCode(tx: Queries, exchange: Exchange, caller: Caller, accountId: string) {
  const { accountId: createdBy } = caller
  const enrolment = await newEnrolment(tx, exchange, { accountId, createdBy })
  await exchange.audit.append(tx, {
    action: 'enrolment.create',
    outcome: 'success',
    ...actedBy(caller, { account: accountId, enrolment: enrolment.id })
  })
  return enrolment
}

/** An account of the caller's organisation that is not the caller's. To everybody else there is none. */
async function ownAccount(queries: Queries, caller: Caller, id: string) {
  const account = await holdAccount(queries, id)
  if (account === undefined) throw new Refusal('account-not-found')
  const { organisationId } = account
  if (organisationId !== caller.organisationId) {
    const about = { organisationId }
    throw new Refusal('account-not-found', 'of another organisation', { about })
  }
  if (id === caller.accountId) throw new Refusal('account-own')
  return account
}
