import { createHmac, type KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import {
  type Condition,
  type SpecialistState,
  type SpecialistView,
  type UnverifiedReason,
  unverifiedReasons
} from '../../schemas/specialist.ts'
import type { ServiceKeys } from '../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import type { EntryRow } from './queries.ts'

export type { EntryRow } from './queries.ts'

/** Whose name stands for a verification that no account made. */
export const OPERATOR = 'operator console'

/** What an entry keeps sealed: who it is, and how they were found to be that. */
export interface EntryDetails {
  name: string
  email?: string
  organisation: string
  organisationId?: string
  specialty?: string
  subSpecialties: string[]
  conditions: Condition[]
  languages: string[]
  professionalBody?: string
  registrationSystem?: string
  registrationNumber?: string
  specialistRegister?: { specialty: string; since?: string }
  /** The last that was made, kept while the entry stays as it was then. */
  verification?: { by: string; evidence: string }
}

export type Availability = Pick<EntryRow, 'availableFrom' | 'availableUntil' | 'capacity'>

type DirectoryKey = Pick<ServiceKeys, 'directory'>

const DAY_MILLISECONDS = 86_400_000

const detailsContext = (id: string): Buffer => canonicalContext('specialist', id)

export function sealEntry(keys: DirectoryKey, id: string, details: EntryDetails): Buffer {
  return sealBox(keys.directory, detailsContext(id), Buffer.from(JSON.stringify(details)))
}

/** Opens what `sealEntry` made. Throws SealError when it was changed or moved to another row. */
export function openEntry(
  keys: DirectoryKey,
  row: Pick<EntryRow, 'id' | 'detailsSealed'>
): EntryDetails {
  return JSON.parse(openBox(keys.directory, detailsContext(row.id), row.detailsSealed).toString())
}

/** The keyed hash by which a registration is found: 32 bytes that tell nothing without the key. */
export function numberRef(lookup: KeyObject, system: string, number: string): Buffer {
  return hmac(lookup, 'registration', system, number)
}

/** The same for an e-mail address, in whichever letters it was typed. */
export function emailRef(lookup: KeyObject, email: string): Buffer {
  return hmac(lookup, 'email', email.toLowerCase())
}

/** The same for the names of a person: accents, case and what stands between names do not count. */
export function nameRef(lookup: KeyObject, familyName: string, givenName: string): Buffer {
  return hmac(lookup, 'person', lettersOf(familyName), lettersOf(givenName))
}

const hmac = (key: KeyObject, ...parts: string[]): Buffer =>
  createHmac('sha256', key)
    .update(canonicalContext(...parts))
    .digest()

const lettersOf = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/[^\p{L}]/gu, '')
    .toLowerCase()

/** How an entry stands at this moment: a verification that runs out does so without anybody's doing. */
export function stateOf(
  row: Pick<EntryRow, 'verifiedAt' | 'verifiedUntil'>,
  now: number
): SpecialistState {
  if (row.verifiedAt === null || row.verifiedUntil === null) return 'unverified'
  return now < row.verifiedUntil ? 'verified' : 'expired'
}

/** An entry as it is shown. The address is for those who keep the register. */
export function viewEntry(
  keys: DirectoryKey,
  row: EntryRow,
  now: number,
  withEmail: boolean
): SpecialistView {
  const { email, verification, ...details } = openEntry(keys, row)
  const { verifiedAt, verifiedUntil } = row
  return {
    id: row.id,
    ...(row.accountId !== null && { account: row.accountId }),
    ...details,
    ...(withEmail && email !== undefined && { email }),
    country: row.country,
    availability: viewAvailability(row),
    state: stateOf(row, now),
    ...(row.unverifiedReason !== null && { unverifiedReason: toReason(row.unverifiedReason) }),
    ...(verification !== undefined &&
      verifiedAt !== null &&
      verifiedUntil !== null && {
        verification: {
          at: timestamp(verifiedAt),
          until: timestamp(verifiedUntil),
          ...verification
        }
      })
  }
}

/** The days and the room of an entry, as they are typed. */
export function viewAvailability(row: Availability): SpecialistView['availability'] {
  const { availableFrom, availableUntil, capacity } = row
  return {
    ...(availableFrom !== null && { from: dayOf(availableFrom) }),
    ...(availableUntil !== null && { until: dayOf(availableUntil - DAY_MILLISECONDS) }),
    ...(capacity !== null && { capacity })
  }
}

const dayOf = (milliseconds: number): string => timestamp(milliseconds).slice(0, 10)

/** The first moment after this day, in UTC, as expiry dates of safeguards are read too. */
export const endOfDay = (day: string): number => Date.parse(day) + DAY_MILLISECONDS

function toReason(text: string): UnverifiedReason {
  const reason = unverifiedReasons.find(name => name === text)
  if (reason === undefined) throw new Error('The register holds a reason this release lacks.')
  return reason
}
