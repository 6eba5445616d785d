import { eq } from '../../schemas/drizzle.ts'
import type { SpecialistInput, SpecialistVerify, SpecialistView } from '../../schemas/specialist.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { requireOperator } from '../identity/operator.ts'
import type { Caller } from '../identity/principal.ts'
import { verifiedUntil } from './enrolled-entry.ts'
import { type EntryRow, endOfDay, openEntry, sealEntry, viewEntry } from './entry.ts'
import { changeEntry, findEntry } from './queries.ts'
import { type CheckedEntry, checkEntry } from './rules.ts'
import { verdictOf } from './verdict.ts'
import { actOf, addEntry, exclusively, replaceEntry, requireChanged } from './write-entry.ts'

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
      await requireOperator(tx, caller)
      await requireOrganisation(tx, checked.details.organisationId)
      return await addEntry(tx, exchange, actOf(caller), checked)
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
      await requireOperator(tx, caller)
      await requireOrganisation(tx, checked.details.organisationId)
      const before = await entryIn(tx, at)
      return await replaceEntry(tx, exchange, actOf(caller), before, checked)
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
    await requireOperator(tx, caller)
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

/** Ends a verification now. Live shares are shut with it: see `verified.ts`. */
export async function expireSpecialist(
  exchange: Parts,
  caller: Caller,
  at: { id: string; version: number },
  reason: string
): Promise<Kept> {
  const row = await exchange.database.write(async tx => {
    await requireOperator(tx, caller)
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
