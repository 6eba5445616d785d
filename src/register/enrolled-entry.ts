import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { openProfile, type Profile } from '../identity/profile.ts'
import { type EntryDetails, emailRef, numberRef, OPERATOR, sealEntry } from './entry.ts'
import { accountsWithoutEntry, entryByNumber, insertEntryOnce } from './queries.ts'
import { systemOfBody } from './rules.ts'
import { termsOf } from './terms.ts'

type Parts = Pick<Exchange, 'audit' | 'serviceKeys'>

const DAY_MILLISECONDS = 86_400_000
/** For how long a look at somebody's registration counts, unless another day is given. */
export const VERIFIED_DAYS_DEFAULT = 365

/** Accounts that get their entry in one transaction. */
const BATCH = 200

/** A specialist who was enrolled by an operator at the machine itself, or by somebody else. */
export interface EnrolledSpecialist {
  accountId: string
  country: string
  organisation: string
  organisationId: string
  profile: Profile
  verifiedAt: number
  verifiedUntil: number
  /** Who did, if not an operator. */
  addedBy?: { actorId?: string | undefined; actorOrganisationId?: string | undefined }
}

/**
 * Gives an account its entry, under the same id. What an operator enrolled counts as verified by whoever
 * ran the script: they were asked for body and number. What an administrator typed (`addedBy`) is verified
 * by nobody yet. Writes the event too. False when another process was quicker.
 */
export async function insertEnrolled(
  tx: Queries,
  { audit, serviceKeys }: Parts,
  enrolled: EnrolledSpecialist,
  now: number
): Promise<boolean> {
  const { accountId: id, country, organisation, organisationId, profile, addedBy } = enrolled
  const { name, professionalBody, registrationNumber, email } = profile
  const isRegistered = professionalBody !== undefined && registrationNumber !== undefined
  const isVerified = isRegistered && addedBy === undefined
  const system = isRegistered ? systemOfBody(professionalBody, country) : null
  const ref =
    system === null ? null : numberRef(serviceKeys.lookup, system, registrationNumber ?? '')
  const details: EntryDetails = {
    name,
    ...(email !== undefined && { email }),
    organisation,
    organisationId,
    subSpecialties: [],
    conditions: [],
    languages: [],
    ...(isRegistered && {
      professionalBody,
      registrationSystem: system ?? '',
      registrationNumber,
      ...(isVerified && {
        verification: { by: OPERATOR, evidence: 'Enrolled at the operator console.' }
      })
    })
  }
  const isSecond = ref !== null && (await entryByNumber(tx, ref)) !== undefined
  const row = {
    id,
    accountId: id,
    country,
    detailsSealed: sealEntry(serviceKeys, id, details),
    numberSystem: system,
    numberRef: ref,
    isSecond,
    emailRef: email === undefined ? null : emailRef(serviceKeys.lookup, email),
    onSpecialistRegister: false,
    availableFrom: null,
    availableUntil: null,
    capacity: null,
    verifiedAt: isVerified ? enrolled.verifiedAt : null,
    verifiedUntil: isVerified ? enrolled.verifiedUntil : null,
    unverifiedReason: isVerified ? null : 'new',
    expiryNotedAt: null,
    version: 1,
    createdAt: now,
    changedAt: now
  }
  if (!(await insertEntryOnce(tx, row, termsOf(details)))) return false
  await audit.append(tx, {
    action: 'specialist.create',
    outcome: 'success',
    organisationId,
    actorId: addedBy?.actorId,
    actorOrganisationId: addedBy?.actorOrganisationId,
    details: {
      ...(addedBy === undefined && { by: OPERATOR }),
      specialist: id,
      account: id,
      verified: isVerified
    }
  })
  return true
}

/** When a verification that was made now ends, if nobody says otherwise. */
export const verifiedUntil = (now: number): number => now + VERIFIED_DAYS_DEFAULT * DAY_MILLISECONDS

/**
 * Gives every specialist who was enrolled before there was a register an entry, so that nothing that
 * worked stops. They count as verified when they were enrolled, and are to be verified anew within a
 * year from now. Several processes may do it at once; stopped half-way, the next start goes on.
 * Resolves to how many there were.
 */
export async function registerOldAccounts(
  exchange: Parts & Pick<Exchange, 'database' | 'clock'>
): Promise<number> {
  const { database, serviceKeys } = exchange
  let registered = 0
  while ((await accountsWithoutEntry(database.read, 1)).length > 0) {
    registered += await database.write(async tx => {
      const now = exchange.clock()
      const rows = await accountsWithoutEntry(tx, BATCH)
      let made = 0
      for (const { account, organisation } of rows) {
        const { id: accountId, country, organisationId, createdAt: verifiedAt } = account
        const profile = openProfile(serviceKeys, account)
        const until = verifiedUntil(now)
        const isNew = await insertEnrolled(
          tx,
          exchange,
          {
            accountId,
            country,
            organisation,
            organisationId,
            profile,
            verifiedAt,
            verifiedUntil: until
          },
          now
        )
        if (isNew) made += 1
      }
      return made
    })
  }
  return registered
}
