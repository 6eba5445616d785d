import type { PatientIdentifier } from '../../../schemas/case.ts'
import { Refusal } from '../../errors.ts'
import { isId } from '../../http/page.ts'
import { ACTION_CODE_SYSTEM, ids, NHS_NUMBER, OUTCOME_SYSTEM } from './codes.ts'
import { type DateRange, rangeOf } from './dates.ts'
import { kinds, type Told } from './patterns.ts'
import type { Coding } from './r4.ts'

/** More is no question that somebody has. */
const PARAMETERS_MAX = 100
const VALUES_MAX = 100
const VALUE_CHARACTERS_MAX = 300

type Kind = (typeof kinds)[number]

/** A FHIR search as it was understood. */
export interface Search extends DateRange {
  id?: string
  actor?: string
  case?: string
  record?: string
  object?: string
  share?: string
  patient?: PatientIdentifier
  /** Absent when no code was asked for. */
  kinds?: Kind[]
  /** Two conditions that no event can fulfil at once. */
  isContradiction?: true
  cursor?: string
  count?: number
  /** The parameters as they may stand in a link and on the log: without patients and cursors. */
  understood: [name: string, value: string][]
}

type Read = (search: Search, value: string) => void

/** What can be asked for, beside patients. With `patients` it is the list of search.html#audit. */
const readers: Record<string, Read> = {
  _id: (search, value) => only(search, 'id', value),
  date: readDate,
  _lastUpdated: readDate,
  agent: readAgent,
  'agent:identifier': readAgent,
  'agent.identifier': readAgent,
  entity: readEntity,
  'entity:identifier': readEntity,
  'entity.identifier': readEntity,
  type: readCode(told => [told.type]),
  subtype: readCode(told => told.subtype),
  action: readCode(told => [{ system: ACTION_CODE_SYSTEM, code: told.action }]),
  outcome: readCode(told => [{ system: OUTCOME_SYSTEM, code: told.outcome }]),
  _count: readCount,
  _cursor(search, value) {
    search.cursor = value
  }
}

const patients = ['patient', 'patient:identifier', 'patient.identifier']

/** Asks for what is always so; and what a link need not repeat. */
const granted: Record<string, string[]> = {
  _sort: ['-date', '-_lastUpdated']
}

/** Read before all others: see format.ts. */
const READ_BEFORE = '_format'

/**
 * Reads the parameters of a URL and of a form. What is unknown is passed over, or refused when the
 * client asks for strict handling (FHIR R4, search.html#errors). Throws Refusal `patient-in-url`
 * before anything else is looked at, and `request-invalid` with every problem.
 */
export function readSearch(url: URLSearchParams, form: URLSearchParams, isStrict: boolean): Search {
  if ([...url].some(([name, value]) => namesPatient(name, value))) {
    throw new Refusal('patient-in-url')
  }
  const all = [...url, ...form].filter(([name, value]) => value !== '' && name !== READ_BEFORE)
  const problems = all.length > PARAMETERS_MAX ? [`at most ${PARAMETERS_MAX} parameters`] : []
  const search: Search = { understood: [] }
  for (const [name, value] of all.slice(0, PARAMETERS_MAX)) {
    try {
      if (readParameter(search, name, value) || !(isStrict || hasModifier(name))) continue
      problems.push(`${nameable(name)} is not a parameter of this search`)
    } catch (err) {
      if (!(err instanceof RangeError)) throw err
      problems.push(`${nameable(name)} ${err.message}`)
    }
  }
  if (problems.length > 0) throw new Refusal('request-invalid', 'search', { problems })
  return search
}

/** False when there is no such parameter. Throws RangeError for a value that it cannot have. */
function readParameter(search: Search, name: string, value: string): boolean {
  if (value.length > VALUE_CHARACTERS_MAX && name !== '_cursor') throw new RangeError('is too long')
  if (namesPatient(name, value)) {
    if (!patients.includes(name) && !name.startsWith('entity')) return false
    readPatient(search, value)
    return true
  }
  if (granted[name]?.includes(value)) return true
  const read = Object.hasOwn(readers, name) ? readers[name] : undefined
  if (read === undefined) return false
  read(search, value)
  if (name !== '_cursor') search.understood.push([name, value])
  return true
}

/** Also by a modifier or a chain nobody has, and wherever a patient's identifier is the value. */
function namesPatient(name: string, value: string): boolean {
  const mentioned = [`${NHS_NUMBER}|`, `${ids.patient}|`].some(system => value.includes(system))
  return /^patient\b/i.test(name) || mentioned
}

/** A modifier that is not supported must be refused (FHIR R4, search.html#modifiers). */
function hasModifier(name: string): boolean {
  const base = /^([^:]*):/.exec(name)?.[1]
  return base !== undefined && (Object.hasOwn(readers, base) || base === 'patient')
}

/** A name that a client made up may be anything. */
const nameable = (name: string): string =>
  /^[\w.:-]{1,60}$/.test(name) ? name : 'one of the parameters'

function readPatient(search: Search, value: string): void {
  const { system, value: identifier } = identifierIn(value)
  if (system === ids.patient) {
    only(search, 'case', identifier)
    search.understood.push(['entity.identifier', `${ids.case}|${identifier}`])
    return
  }
  const known = search.patient
  if (known && (known.system !== system || known.value !== identifier)) {
    search.isContradiction = true
  }
  search.patient = { system, value: identifier }
}

function readAgent(search: Search, value: string): void {
  const { system, value: identifier } = identifierIn(value)
  if (system !== ids.account) throw new RangeError(`needs the system ${ids.account}`)
  only(search, 'actor', identifier)
}

const entityKinds = ['case', 'record', 'object', 'share'] as const

function readEntity(search: Search, value: string): void {
  const { system, value: identifier } = identifierIn(value)
  const kind = entityKinds.find(kind => ids[kind] === system)
  if (kind === undefined) {
    const systems = entityKinds.map(kind => ids[kind])
    throw new RangeError(`needs one of the systems ${systems.join(', ')}`)
  }
  only(search, kind, identifier)
}

/** `system|value`. Alternatives (`a,b`) are offered for codes alone. */
function identifierIn(text: string): { system: string; value: string } {
  const [, system = '', value = ''] =
    /^([A-Za-z][\w.+-]*:[^|\s]{1,199})\|([^|,]{1,64})$/.exec(text) ?? []
  if (system === '') throw new RangeError('needs the form system|value')
  return { system, value }
}

/** An event has one of each, so a second value contradicts the first. */
function only(
  search: Search,
  name: 'id' | 'actor' | (typeof entityKinds)[number],
  value: string
): void {
  if (!isId(value) || (search[name] !== undefined && search[name] !== value)) {
    search.isContradiction = true
  }
  search[name] = value
}

/** Several dates are conditions on one moment: the range gets narrower. */
function readDate(search: Search, value: string): void {
  const range = rangeOf(value)
  if (range === undefined) {
    throw new RangeError('needs a date, after eq, ge, gt, le, lt, sa, eb or nothing')
  }
  const from = Math.max(search.from ?? -Infinity, range.from ?? -Infinity)
  const to = Math.min(search.to ?? Infinity, range.to ?? Infinity)
  if (from !== -Infinity) search.from = from
  if (to !== Infinity) search.to = to
  if (from >= to) search.isContradiction = true
}

/** The kinds of events that carry one of these codes: `code`, `system|code`, `|code`, `system|`. */
function readCode(codings: (told: Told) => Coding[]): Read {
  return (search, value) => {
    const tokens = value.split(',')
    if (tokens.length > VALUES_MAX) throw new RangeError(`takes at most ${VALUES_MAX} values`)
    const left = search.kinds ?? kinds
    search.kinds = left.filter(({ told }) =>
      codings(told).some(coding => tokens.some(token => isCode(coding, token)))
    )
  }
}

function isCode({ system, code }: Coding, token: string): boolean {
  const bar = token.indexOf('|')
  if (bar === -1) return token === code
  const [wantedSystem, wantedCode] = [token.slice(0, bar), token.slice(bar + 1)]
  return wantedSystem === system && (wantedCode === '' || wantedCode === code)
}

/**
 * FHIR R4, search.html#count: 0 asks for the number of events alone, which would mean to read the
 * whole log. It is refused, because an answer without that number would be wrong.
 */
function readCount(search: Search, value: string): void {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new RangeError('is 1 or more; counting is not offered')
  search.count = Number(value)
}
