import { v7 as uuidv7 } from 'uuid'
import { eq } from '../../schemas/drizzle.ts'
import type { SpecialistInput, SpecialistVerify, SpecialistView } from '../../schemas/specialist.ts'
import { actedBy } from '../audit/acted-by.ts'
import { isRuleViolation, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { verifiedUntil } from './enrolled-entry.ts'
import {
  type EntryDetails,
  type EntryRow,
  emailRef,
  endOfDay,
  numberRef,
  openEntry,
  sealEntry,
  viewEntry
} from './entry.ts'
import { changeEntry, entryByNumber, findEntry, insertEntry, replaceTerms } from './queries.ts'
import { type CheckedEntry, checkEntry } from './rules.ts'
import { termsOf } from './terms.ts'
import { verdictOf } from './verdict.ts'

/** How far away the day may be on which an entry is to be verified anew. */
const VERIFIED_DAYS_MAX = 731
const DAY_MILLISECONDS = 86_400_000

type Parts = Pick<Exchange, 'database' | 'audit' | 'serviceKeys' | 'clock'>

/** An entry as it is after an act, with the version for its ETag. */
export interface Kept {
  view: SpecialistView
  version: number
}

/** Makes an entry, which nobody has verified yet. Throws Refusal `registration-taken`. */
export async function createSpecialist(
  exchange: Parts,
  caller: Caller,
  input: SpecialistInput
): Promise<Kept> {
  const checked = checkedOrRefusal(input)
  const row = await exclusively(() =>
    exchange.database.write(async tx => {
      await requireOrganisation(tx, checked.details.organisationId)
      return await addEntry(tx, exchange, caller, checked)
    })
  )
  return keptOf(exchange, row)
}

/**
 * Replaces what an entry says. When that is not who was verified any more (name, registration, country,
 * specialist register), the verification lapses in the same moment. Throws Refusal `version-changed`
 * when somebody else changed the entry since.
 */
export async function replaceSpecialist(
  exchange: Parts,
  caller: Caller,
  at: { id: string; version: number },
  input: SpecialistInput
): Promise<Kept> {
  const checked = checkedOrRefusal(input)
  const row = await exclusively(() =>
    exchange.database.write(async tx => {
      await requireOrganisation(tx, checked.details.organisationId)
      const before = await entryIn(tx, at)
      return await replaceEntry(tx, exchange, caller, before, checked)
    })
  )
  return keptOf(exchange, row)
}

/**
 * Puts on record that somebody looked the specialist up and found them registered, until a day. Refused
 * without a registration, or when the file of the professional body says otherwise.
 */
export async function verifySpecialist(
  exchange: Parts,
  caller: Caller,
  at: { id: string; version: number },
  wanted: SpecialistVerify
): Promise<Kept> {
  const { serviceKeys } = exchange
  const row = await exchange.database.write(async tx => {
    const now = exchange.clock()
    const until = wanted.until === undefined ? verifiedUntil(now) : endOfDay(wanted.until)
    if (until <= now || until > now + VERIFIED_DAYS_MAX * DAY_MILLISECONDS) {
      throw new Refusal('verification-dates-invalid')
    }
    const before = await entryIn(tx, at)
    if (before.numberRef === null) throw new Refusal('registration-missing')
    const reason = await verdictOf(tx, before)
    if (reason !== undefined) throw new Refusal('register-disagrees', reason)
    const verification = { by: caller.accountId, evidence: wanted.evidence }
    const details = { ...openEntry(serviceKeys, before), verification }
    const changed = await changeEntry(tx, before, {
      detailsSealed: sealEntry(serviceKeys, before.id, details),
      verifiedAt: now,
      verifiedUntil: until,
      unverifiedReason: null,
      expiryNotedAt: null,
      changedAt: now
    })
    await exchange.audit.append(tx, {
      action: 'specialist.verify',
      outcome: 'success',
      ...actedBy(caller, { specialist: before.id, evidence: wanted.evidence, until })
    })
    return requireChanged(changed)
  })
  return keptOf(exchange, row)
}

/** Ends a verification now. Live shares are shut with it: see `shareable.ts`. */
export async function expireSpecialist(
  exchange: Parts,
  caller: Caller,
  at: { id: string; version: number },
  reason: string
): Promise<Kept> {
  const row = await exchange.database.write(async tx => {
    const now = exchange.clock()
    const before = await entryIn(tx, at)
    if (before.verifiedAt === null) throw new Refusal('specialist-unverified')
    const changed = await changeEntry(tx, before, {
      verifiedUntil: Math.min(now, before.verifiedUntil ?? now),
      expiryNotedAt: now,
      changedAt: now
    })
    await exchange.audit.append(tx, {
      action: 'specialist.expire',
      outcome: 'success',
      ...actedBy(caller, { specialist: before.id, reason })
    })
    return requireChanged(changed)
  })
  return keptOf(exchange, row)
}

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

/** Adds a checked entry inside the caller's transaction. */
export async function addEntry(
  tx: Queries,
  exchange: Parts,
  caller: Caller,
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
    ...actedBy(caller, { specialist: id })
  })
  return row
}

/** Replaces an entry by a checked one inside the caller's transaction. */
export async function replaceEntry(
  tx: Queries,
  exchange: Parts,
  caller: Caller,
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
  await exchange.audit.append(tx, {
    action: 'specialist.update',
    outcome: 'success',
    ...actedBy(caller, { specialist: before.id, ...(lapsed && { verification: 'lapsed' }) })
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

async function requireOrganisation(tx: Queries, id: string | undefined): Promise<void> {
  if (id === undefined) return
  const { organisations } = tx.tables
  const [row] = await tx.select().from(organisations).where(eq(organisations.id, id))
  if (row === undefined) {
    const problems = ['organisationId is of no organisation that is enrolled here.']
    throw new Refusal('request-invalid', undefined, { problems })
  }
}

async function entryIn(tx: Queries, at: { id: string; version: number }): Promise<EntryRow> {
  const [row] = await findEntry(tx, { id: at.id })
  if (row === undefined) throw new Refusal('specialist-entry-not-found')
  if (row.version !== at.version) throw new Refusal('version-changed')
  return row
}

function requireChanged(row: EntryRow | undefined): EntryRow {
  if (row === undefined) throw new Refusal('version-changed', 'at once')
  return row
}

function checkedOrRefusal(input: SpecialistInput): CheckedEntry {
  const checked = checkEntry(input)
  if ('value' in checked) return checked.value
  const problems = checked.problems.map(problem => problem.text)
  throw new Refusal('request-invalid', undefined, { problems })
}

function keptOf(exchange: Parts, row: EntryRow): Kept {
  return {
    view: viewEntry(exchange.serviceKeys, row, exchange.clock(), true),
    version: row.version
  }
}
