import { NHS_NUMBER_SYSTEM, type Patient } from '../../../schemas/case.ts'
import { isNhsNumber } from '../../cases/patient.ts'
import { compareNames } from './person-name.ts'
import type { DicomSummary, HeaderPatient, PatientNumber } from './summary.ts'

export const patientMatches = ['match', 'cannot-tell', 'mismatch'] as const
export type PatientMatch = (typeof patientMatches)[number]

/** Why a header is taken for another patient's. Codes only: nobody's name or number. */
export const mismatchReasons = [
  'nhs-number-differs',
  'hospital-number-differs',
  'birth-date-differs',
  'name-differs',
  'several-patients'
] as const
export type MismatchReason = (typeof mismatchReasons)[number]

export interface Verdict {
  match: PatientMatch
  reasons: MismatchReason[]
}

const unable: Verdict = { match: 'cannot-tell', reasons: [] }

type Agreement = 'agrees' | 'differs' | 'unknown'

/**
 * Whether the patient of a header is the patient of the case. Pure.
 *
 * A mismatch keeps a record from being shared until somebody looks, so it is said only where two
 * people are more likely than two ways of writing: another NHS number, or another birth date, or a
 * name with no word in common, each unless the rest says otherwise. A match needs a number or a
 * birth date besides the name. Everything else is `cannot-tell`, and blocks nothing: most scans are
 * labelled with the number of another hospital, and what was anonymised says nothing.
 */
export function matchPatient(ours: Patient, theirs: HeaderPatient | undefined): Verdict {
  if (theirs === undefined) return unable
  const numbers = compareNumbers(ours, theirs.ids)
  const birth = compareBirthDates(ours.birthDate, theirs.birthDate)
  const name = compareNames(ours.name, theirs.name)
  const isPerson = name === 'agrees' && birth === 'agrees'
  const reasons: MismatchReason[] = []

  if (numbers.nhs === 'differs') reasons.push('nhs-number-differs')
  // Ten digits that happen to be valid: one number in eleven is.
  if (numbers.unnamed === 'differs' && !isPerson) reasons.push('nhs-number-differs')
  if (numbers.hospital === 'differs' && !isPerson) reasons.push('hospital-number-differs')
  const isNumber = numbers.nhs === 'agrees' || numbers.hospital === 'agrees'
  if (isNumber) {
    // One number typed wrong turns up another person, of whom nothing else is the same.
    if (name === 'differs' && birth === 'differs') {
      reasons.push('birth-date-differs', 'name-differs')
    }
  } else {
    if (birth === 'differs') reasons.push('birth-date-differs')
    if (name === 'differs') reasons.push('name-differs')
  }
  if (reasons.length > 0) return { match: 'mismatch', reasons: [...new Set(reasons)] }
  const contradicted = name === 'differs' || birth === 'differs'
  const isMatch = isPerson || (isNumber && !contradicted)
  return isMatch && numbers.unnamed !== 'differs' ? { match: 'match', reasons: [] } : unable
}

/** The verdict on one file: on every patient its header names. What was anonymised names nobody. */
export function matchHeader(ours: Patient, dicom: DicomSummary | undefined): Verdict {
  if (dicom === undefined || dicom.identityRemoved === true) return unable
  const patients = [dicom.patient, ...(dicom.otherPatients ?? [])]
  return joined(patients.map(theirs => matchPatient(ours, theirs)))
}

/** Different headers of one record compared with each other; a study has one, seldom more. */
const HEADERS_MAX = 40

/**
 * The verdict on a record: a mismatch where any file is one, or where two files are of two patients
 * neither of whom can be told from the case's; a match where every header that says who it is of
 * matches.
 */
export function matchRecord(ours: Patient, files: (DicomSummary | undefined)[]): Verdict {
  const verdict = joined(
    files.filter(dicom => dicom?.patient !== undefined).map(dicom => matchHeader(ours, dicom))
  )
  if (verdict.match === 'mismatch') return verdict
  const several = hasSeveral(files)
  return several ? { match: 'mismatch', reasons: ['several-patients'] } : verdict
}

function joined(verdicts: Verdict[]): Verdict {
  const reasons = [...new Set(verdicts.flatMap(each => each.reasons))]
  if (verdicts.some(({ match }) => match === 'mismatch')) return { match: 'mismatch', reasons }
  const isMatch = verdicts.length > 0 && verdicts.every(({ match }) => match === 'match')
  return isMatch ? { match: 'match', reasons } : unable
}

function hasSeveral(files: (DicomSummary | undefined)[]): boolean {
  const headers = new Map<string, HeaderPatient>()
  for (const dicom of files) {
    const { patient, identityRemoved } = dicom ?? {}
    if (patient === undefined || identityRemoved === true) continue
    headers.set(JSON.stringify(patient), patient)
    if (headers.size === HEADERS_MAX) break
  }
  const people = [...headers.values()]
  return people.some((one, place) => people.slice(place + 1).some(other => areTwo(one, other)))
}

/** Two headers of two people: without an NHS number, name or birth date must say so. */
function areTwo(one: HeaderPatient, other: HeaderPatient): boolean {
  const [nhs] = one.ids.filter(isSurelyNhs)
  const identifier = { system: NHS_NUMBER_SYSTEM, value: nhs ? plainOf(nhs.value) : '' }
  const patient = { identifier, name: nameOf(one), birthDate: one.birthDate ?? '' }
  return matchPatient(patient, other).match === 'mismatch'
}

/** The first spelling, which is the one in Latin letters where there is one. */
const nameOf = ({ name }: HeaderPatient): string => name?.split('=', 1).join('') ?? ''

/**
 * What issuers of NHS numbers call themselves, in small letters and without anything else, among
 * them the URI and the OID of the NHS number.
 */
const nhsIssuers =
  /^(?:.*nhs(?:no|nr|num|nbr|nmbr|number)|(?:uk)?nhs(?:id|england|wales)?|(?:urnoid)?21684011138832141)$/

/** Numbers are written in groups, with spaces, points, hyphens or whatever else between them. */
const plainOf = (text: string) => text.normalize('NFKC').replace(/[^\p{L}\p{N}]/gu, '')
const isNhs = (issuer: string) =>
  // HL7 puts name, OID and kind of an authority into one text: "NHS&2.16.840.1.113883.2.1.4.1&ISO".
  issuer.split(/[&^]/).some(name => nhsIssuers.test(plainOf(name).toLowerCase()))
const isSurelyNhs = ({ value, issuer = '' }: PatientNumber) =>
  isNhs(issuer) && isNhsNumber(plainOf(value))

/**
 * Three comparisons: of numbers said to be NHS numbers; of valid ones nobody says anything of; and
 * of the number of a hospital, where the case is known by one.
 */
function compareNumbers(ours: Patient, ids: PatientNumber[]) {
  const { system, value } = ours.identifier
  const sure = ids.filter(isSurelyNhs).map(id => plainOf(id.value))
  const unnamed = ids
    .filter(id => (id.issuer ?? '').trim() === '' && isNhsNumber(plainOf(id.value)))
    .map(id => plainOf(id.value))
  if (system === NHS_NUMBER_SYSTEM) {
    const own = plainOf(value)
    if (own === '') return { nhs: 'unknown', unnamed: 'unknown', hospital: 'unknown' } as const
    // Equal numbers agree whoever is said to have issued them.
    const agrees = ids.some(id => plainOf(id.value) === own)
    return {
      nhs: agrees ? 'agrees' : sure.length > 0 ? 'differs' : 'unknown',
      unnamed: agrees || unnamed.length === 0 ? 'unknown' : 'differs',
      hospital: 'unknown'
    } as const
  }
  return {
    nhs: 'unknown',
    unnamed: 'unknown',
    hospital: compareHospital(system, value, ids)
  } as const
}

/** Numbers of two hospitals say nothing of each other, equal or not. */
function compareHospital(system: string, value: string, ids: PatientNumber[]): Agreement {
  const normal = (text: string) => text.normalize('NFC').replace(/\s/g, '').toLowerCase()
  const own = ids.filter(id => normal(id.issuer ?? '') === normal(system))
  const open = ids.filter(id => (id.issuer ?? '').trim() === '')
  if ([...own, ...open].some(id => normal(id.value) === normal(value))) return 'agrees'
  return own.length > 0 ? 'differs' : 'unknown'
}

/** Where a system needs a date and knows none, it writes one of these. */
const noBirthDate = /^(?:0001|1[0-8]\d\d|1900|1901|1111|9999)-/

/**
 * The first of January of the right year may be all that was known, and day and month are written
 * in either order.
 */
function compareBirthDates(ours: string, theirs: string | undefined): Agreement {
  if (theirs === undefined || noBirthDate.test(theirs) || ours === '') return 'unknown'
  if (ours === theirs) return 'agrees'
  const [year, month, day] = ours.split('-')
  if (theirs === `${year}-01-01` || theirs === `${year}-${day}-${month}`) return 'unknown'
  return 'differs'
}
