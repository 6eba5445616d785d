import type { PatientIdentifier } from '../../../schemas/case.ts'
import {
  identifierIn,
  type Read,
  readParameters,
  type Sent,
  type Understood
} from '../../fhir/parameters.ts'
import type { Coding } from '../../fhir/r4.ts'
import { isId } from '../../http/page.ts'
import { ACTION_CODE_SYSTEM, ids, OUTCOME_SYSTEM } from './codes.ts'
import { type DateRange, rangeOf } from './dates.ts'
import { kinds, type Told } from './patterns.ts'

/** More is no question that somebody has. */
const VALUES_MAX = 100

type Kind = (typeof kinds)[number]

/** A FHIR search as it was understood. */
export interface Search extends DateRange, Understood {
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
}

/** What can be asked for, beside patients. With `patients` it is the list of search.html#audit. */
const readers: Record<string, Read<Search>> = {
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
  outcome: readCode(told => [{ system: OUTCOME_SYSTEM, code: told.outcome }])
}

const patients = ['patient', 'patient:identifier', 'patient.identifier']

/** Asks for what is always so; and what a link need not repeat. */
const granted: Record<string, string[]> = {
  _sort: ['-date', '-_lastUpdated']
}

/**
 * Reads a search of the log. Throws Refusal `patient-in-url` before anything else is looked at, and
 * `request-invalid` with every problem.
 */
export function readSearch(sent: Sent): Search {
  return readParameters<Search>({ understood: [] }, sent, {
    readers,
    isPatientName: name => patients.includes(name) || name.startsWith('entity'),
    readPatient,
    granted
  })
}

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
function readCode(codings: (told: Told) => Coding[]): Read<Search> {
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
