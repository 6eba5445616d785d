import { randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { v7 as uuidv7 } from 'uuid'
import { NHS_NUMBER_SYSTEM, type PatientIdentifier } from '../../schemas/case.ts'
import { patientRef } from '../../src/cases/patient.ts'
import type { ServiceKeys } from '../../src/exchange.ts'
import { sealProfile } from '../../src/identity/profile.ts'

// Who and what the made-up events of a bench are about: rows that are found and listed as real ones
// are. What a bench never opens, such as the title of a record, is random bytes of a likely length.

const HOUR_MILLISECONDS = 3_600_000

export const ORGANISATIONS = 20
export const ACTORS = 2000

/** How many cases, patients and shares there are from a million events on. */
const CASES = 200_000
const PATIENTS = 160_000
const SHARES = 50_000
const FULL_EVENTS = 1_000_000

interface Sizes {
  cases: number
  patients: number
  shares: number
}

/** A log that is small because it is young has few cases: five events have one, as at a million. */
function sizesFor(events: number): Sizes {
  const part = Math.min(1, events / FULL_EVENTS)
  const of = (full: number) => Math.max(ORGANISATIONS, Math.round(full * part))
  return { cases: of(CASES), patients: of(PATIENTS), shares: of(SHARES) }
}

/** The first organisations hold cases; of the others, which review them, the last are abroad. */
const HOLDERS = 14
const countries = [...new Array<string>(17).fill('GB'), 'IE', 'US', 'AU']

export interface Actor {
  id: string
  organisationId: string
  country: string
  clientId: string
  address: string
}
export interface Case {
  id: string
  recordId: string
  objectId: string
  organisationId: string
  /** Place of its organisation among all. */
  holder: number
  /** The number of its patient. */
  patient: number
  patientRef: Buffer
  createdAt: number
}
export interface Share {
  id: string
  about: Case
  specialist: Actor
  expiresAt: number
}
export interface Population {
  organisations: string[]
  /** By organisation. Those that hold cases have clinicians and auditors, the others specialists. */
  actors: Actor[][]
  cases: Case[]
  shares: Share[]
}

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The NHS number of the patient of this number, from 0: one of those that are never issued. */
export function patientNumbered(number: number): PatientIdentifier {
  // Of two numbers that follow each other one has a check digit: the weight of the last is two.
  const body = [0, 1].map(more => String(999_000_000 + 2 * number + more))
  const value = body.flatMap(digits => withCheckDigit(digits) ?? [])[0] ?? ''
  return { system: NHS_NUMBER_SYSTEM, value }
}

/** By the modulus 11 algorithm of the NHS Data Dictionary; undefined where there is no such digit. */
function withCheckDigit(nine: string): string | undefined {
  const sum = [...nine].reduce((total, digit, place) => total + Number(digit) * (10 - place), 0)
  const check = (11 - (sum % 11)) % 11
  return check === 10 ? undefined : `${nine}${check}`
}

/**
 * Stores everybody and everything that so many events between `from` and `to` (milliseconds UTC) are
 * about, oldest first.
 */
export function populate(
  connection: DatabaseSync,
  keys: ServiceKeys,
  organisationId: string,
  { from, to }: { from: number; to: number },
  events: number
): Population {
  const sizes = sizesFor(events)
  const random = dice(20_260)
  const organisations = countries.map((country, place) => {
    const id = place === 0 ? organisationId : uuidv7({ msecs: from })
    connection
      .prepare(
        'INSERT OR IGNORE INTO organisations (id, name, ods_code, country, created_at) VALUES (?, ?, NULL, ?, ?)'
      )
      .run(id, `Organisation ${place}`, country, from)
    return id
  })
  const actors = addActors(connection, keys, organisations, from)
  const cases = addCases(connection, keys, organisations, actors, sizes, { from, to })
  const shares = addShares(connection, cases, actors, sizes, { from, to }, random)
  return { organisations, actors, cases, shares }
}

function addActors(
  connection: DatabaseSync,
  keys: ServiceKeys,
  organisations: string[],
  at: number
): Actor[][] {
  const insert = connection.prepare('INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, NULL)')
  return organisations.map((organisationId, place) => {
    const country = countries[place] ?? 'GB'
    return Array.from({ length: ACTORS / ORGANISATIONS }, (_, number) => {
      const id = uuidv7({ msecs: at })
      const role = place >= HOLDERS ? 'specialist' : number < 2 ? 'auditor' : 'clinician'
      const profile = sealProfile(keys, id, {
        name: `Dr Number ${number} of Organisation ${place}`,
        professionalBody: 'GMC',
        registrationNumber: '7654321'
      })
      insert.run(id, organisationId, role, country, profile, at)
      const address = `10.20.${place}.${number + 1}`
      return { id, organisationId, country, clientId: uuidv7({ msecs: at }), address }
    })
  })
}

function addCases(
  connection: DatabaseSync,
  keys: ServiceKeys,
  organisations: string[],
  actors: Actor[][],
  sizes: Sizes,
  { from, to }: { from: number; to: number }
): Case[] {
  const insertCase = connection.prepare('INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?)')
  const insertRequest = connection.prepare(
    "INSERT INTO case_requests (case_id, state, version, answers_version, questions_shared) VALUES (?, 'draft', 0, 0, 0)"
  )
  const insertRecord = connection.prepare(
    `INSERT INTO records (id, case_id, kind, wrapped_key, details_sealed, object_count, bytes,
      created_by, created_at) VALUES (?, ?, 'scan', ?, ?, 1, 524288, ?, ?)`
  )
  return Array.from({ length: sizes.cases }, (_, number) => {
    const createdAt = Math.floor(from + ((to - from) * number) / sizes.cases)
    const holder = number % HOLDERS
    const organisationId = organisations[holder] ?? ''
    const createdBy = actors[holder]?.[2 + (number % 90)]?.id ?? ''
    const id = uuidv7({ msecs: createdAt })
    const recordId = uuidv7({ msecs: createdAt })
    const objectId = uuidv7({ msecs: createdAt })
    const patient = number % sizes.patients
    const ref = patientRef(keys.lookup, patientNumbered(patient))
    const wrapped = randomBytes(90)
    insertCase.run(id, organisationId, createdBy, wrapped, randomBytes(280), ref, createdAt)
    insertRequest.run(id)
    insertRecord.run(recordId, id, wrapped, randomBytes(110), createdBy, createdAt)
    return { id, recordId, objectId, organisationId, holder, patient, patientRef: ref, createdAt }
  })
}

/** Each is of a case of its own time, and lasts from three days to thirty. */
function addShares(
  connection: DatabaseSync,
  cases: Case[],
  actors: Actor[][],
  sizes: Sizes,
  { from, to }: { from: number; to: number },
  random: () => number
): Share[] {
  const insert = connection.prepare(
    `INSERT INTO shares (id, case_id, organisation_id, created_by, specialist_id,
      recipient_country, transfer_basis, terms_sealed, not_before, expires_at, openings,
      open_until, created_at) VALUES (?, ?, ?, ?, ?, ?, 'adequacy', ?, ?, ?, 1, ?, ?)`
  )
  return Array.from({ length: sizes.shares }, (_, number) => {
    const createdAt = Math.floor(from + ((to - from) * (number + 0.5)) / sizes.shares)
    const about = cases[Math.floor((number * cases.length) / sizes.shares)] as Case
    const reviewers = random() < 0.1 ? actors.slice(17) : actors.slice(HOLDERS, 17)
    const specialist = reviewers.flat()[Math.floor(random() * reviewers.length * 100)] as Actor
    const id = uuidv7({ msecs: createdAt })
    const expiresAt = createdAt + (random() < 0.7 ? 72 : 720) * HOUR_MILLISECONDS
    insert.run(
      id,
      about.id,
      about.organisationId,
      actors[about.holder]?.[2]?.id ?? '',
      specialist.id,
      specialist.country,
      randomBytes(220),
      createdAt,
      expiresAt,
      createdAt,
      createdAt
    )
    return { id, about, specialist, expiresAt }
  })
}
