import { v7 as uuidv7 } from 'uuid'
import { actedBy } from '../audit/acted-by.ts'
import type { AuditEvent } from '../audit/log.ts'
import { isRuleViolation, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { followRegister } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import {
  type EntryDetails,
  type EntryRow,
  emailRef,
  numberRef,
  openEntry,
  sealEntry
} from './entry.ts'
import { changeEntry, entryByNumber, insertEntry, replaceTerms } from './queries.ts'
import type { CheckedEntry } from './rules.ts'
import { termsOf } from './terms.ts'

type Parts = Pick<Exchange, 'database' | 'audit' | 'serviceKeys' | 'clock'>

/** The part of an event that says who acts: a caller, or whoever runs a script at the machine. */
export type Act = (
  more: Record<string, unknown>
) => Pick<AuditEvent, 'details'> & Partial<ReturnType<typeof actedBy>>

/** The columns that follow from what an entry says. */
function columnsOf({ serviceKeys }: Parts, id: string, checked: CheckedEntry) {
  const { country, details, availability } = checked
  const { registrationSystem: system, registrationNumber: number, email } = details
  return {
    country,
    detailsSealed: sealEntry(serviceKeys, id, details),
    numberSystem: system ?? null,
    numberRef:
      system === undefined || number === undefined
        ? null
        : numberRef(serviceKeys.lookup, system, number),
    emailRef: email === undefined ? null : emailRef(serviceKeys.lookup, email),
    onSpecialistRegister: details.specialistRegister !== undefined,
    ...availability
  }
}

export const actOf =
  (caller: Caller): Act =>
  more =>
    actedBy(caller, more)

/** Adds a checked entry inside the caller's transaction. */
export async function addEntry(
  tx: Queries,
  exchange: Parts,
  act: Act,
  checked: CheckedEntry
): Promise<EntryRow> {
  const now = exchange.clock()
  const id = uuidv7({ msecs: now })
  const row: EntryRow = {
    id,
    accountId: null,
    ...columnsOf(exchange, id, checked),
    isSecond: false,
    verifiedAt: null,
    verifiedUntil: null,
    unverifiedReason: 'new',
    expiryNotedAt: null,
    version: 1,
    createdAt: now,
    changedAt: now
  }
  await requireFree(tx, row)
  await insertEntry(tx, row, termsOf(checked.details))
  await exchange.audit.append(tx, {
    action: 'specialist.create',
    outcome: 'success',
    ...act({ specialist: id })
  })
  return row
}

/** Replaces an entry by a checked one inside the caller's transaction. */
export async function replaceEntry(
  tx: Queries,
  exchange: Parts,
  act: Act,
  before: EntryRow,
  checked: CheckedEntry
): Promise<EntryRow> {
  const now = exchange.clock()
  const old = openEntry(exchange.serviceKeys, before)
  const stays = before.verifiedAt !== null && isSamePerson(old, before.country, checked)
  const { verification } = old
  const details = { ...checked.details, ...(stays && verification && { verification }) }
  const columns = columnsOf(exchange, before.id, { ...checked, details })
  await requireFree(tx, { ...before, ...columns })
  const lapsed = before.verifiedAt !== null && !stays
  const row = requireChanged(
    await changeEntry(tx, before, {
      ...columns,
      ...(lapsed && {
        verifiedAt: null,
        verifiedUntil: null,
        unverifiedReason: 'changed',
        expiryNotedAt: null
      }),
      changedAt: now
    })
  )
  await replaceTerms(tx, before.id, termsOf(details))
  if (before.accountId !== null) {
    await followRegister(tx, exchange.serviceKeys, before.accountId, checked.country, details)
  }
  await exchange.audit.append(tx, {
    action: 'specialist.update',
    outcome: 'success',
    ...act({ specialist: before.id, ...(lapsed && { verification: 'lapsed' }) })
  })
  return row
}

/** Whether what was verified is untouched. */
function isSamePerson(old: EntryDetails, country: string, { details, country: now }: CheckedEntry) {
  const shown = (d: EntryDetails) => [
    d.name,
    d.professionalBody,
    d.registrationSystem,
    d.registrationNumber,
    d.specialistRegister?.specialty,
    d.specialistRegister?.since
  ]
  return country === now && JSON.stringify(shown(old)) === JSON.stringify(shown(details))
}

async function requireFree(tx: Queries, row: EntryRow): Promise<void> {
  if (row.numberRef === null || row.isSecond) return
  const holder = await entryByNumber(tx, row.numberRef)
  if (holder !== undefined && holder.id !== row.id) throw new Refusal('registration-taken')
}

/** On PostgreSQL two may look at once and find it free: then the index lets one of them through. */
export async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (err) {
    if (isRuleViolation(err)) throw new Refusal('registration-taken', 'at once')
    throw err
  }
}

/** The row of a change that was made for this version. Throws Refusal `version-changed` without one. */
export function requireChanged(row: EntryRow | undefined): EntryRow {
  if (row === undefined) throw new Refusal('version-changed', 'at once')
  return row
}
