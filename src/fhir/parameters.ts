import { ids, NHS_NUMBER } from '../audit/fhir/codes.ts'
import { Refusal } from '../errors.ts'

/** More is no question that somebody has. */
const PARAMETERS_MAX = 100
const VALUE_CHARACTERS_MAX = 300

/** Read before all others: see format.ts. */
const READ_BEFORE = '_format'

/** What every search keeps of its parameters. */
export interface Understood {
  cursor?: string
  count?: number
  /** The parameters as they may stand in a link and on the log: without patients and cursors. */
  understood: [name: string, value: string][]
}

/** A search as it came. */
export interface Sent {
  url: URLSearchParams
  form: URLSearchParams
  /** What is unknown is refused. */
  isStrict: boolean
}

export type Read<Search> = (search: Search, value: string) => void

/** What can be asked of one kind of resource. */
export interface Parameters<Search> {
  /** By name; each throws RangeError for a value that it cannot have. */
  readers: Record<string, Read<Search>>
  /** Names under which a patient may be asked for. */
  isPatientName: (name: string) => boolean
  readPatient: Read<Search>
  /** What is always so, and what a link need not repeat. */
  granted?: Record<string, string[]>
}

/**
 * Reads the parameters of a URL and of a form. What is unknown is passed over, or refused when the
 * client asks for strict handling (FHIR R4, search.html#errors). Throws Refusal `patient-in-url`
 * before anything else is looked at, and `request-invalid` with every problem.
 */
export function readParameters<Search extends Understood>(
  search: Search,
  sent: Sent,
  known: Parameters<Search>
): Search {
  const { url, form, isStrict } = sent
  if ([...url].some(([name, value]) => namesPatient(name, value))) {
    throw new Refusal('patient-in-url')
  }
  const all = [...url, ...form].filter(([name, value]) => value !== '' && name !== READ_BEFORE)
  const problems = all.length > PARAMETERS_MAX ? [`at most ${PARAMETERS_MAX} parameters`] : []
  for (const [name, value] of all.slice(0, PARAMETERS_MAX)) {
    try {
      const isRead = readParameter(search, known, name, value)
      if (isRead || !(isStrict || hasModifier(known, name))) continue
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
function readParameter<Search extends Understood>(
  search: Search,
  { readers, isPatientName, readPatient, granted = {} }: Parameters<Search>,
  name: string,
  value: string
): boolean {
  if (name === '_cursor') {
    search.cursor = value
    return true
  }
  if (value.length > VALUE_CHARACTERS_MAX) throw new RangeError('is too long')
  if (namesPatient(name, value)) {
    if (!isPatientName(name)) return false
    readPatient(search, value)
    return true
  }
  if (Object.hasOwn(granted, name) && granted[name]?.includes(value)) return true
  if (name === '_count') readCount(search, value)
  else {
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (read === undefined) return false
    read(search, value)
  }
  search.understood.push([name, value])
  return true
}

/** Also by a modifier or a chain nobody has, and wherever a patient's identifier is the value. */
function namesPatient(name: string, value: string): boolean {
  const mentioned = [`${NHS_NUMBER}|`, `${ids.patient}|`].some(system => value.includes(system))
  return /^(patient|subject)\b/i.test(name) || mentioned
}

/** A modifier that is not supported must be refused (FHIR R4, search.html#modifiers). */
function hasModifier<Search>({ readers }: Parameters<Search>, name: string): boolean {
  const base = /^([^:]*):/.exec(name)?.[1]
  return base !== undefined && (Object.hasOwn(readers, base) || base === 'patient')
}

/** A name that a client made up may be anything. */
const nameable = (name: string): string =>
  /^[\w.:-]{1,60}$/.test(name) ? name : 'one of the parameters'

/** `system|value`. Alternatives (`a,b`) are offered for codes alone. */
export function identifierIn(text: string): { system: string; value: string } {
  const [, system = '', value = ''] =
    /^([A-Za-z][\w.+-]*:[^|\s]{1,199})\|([^|,]{1,64})$/.exec(text) ?? []
  if (system === '') throw new RangeError('needs the form system|value')
  return { system, value }
}

/**
 * FHIR R4, search.html#count: 0 asks for the number of matches alone, which would mean to read all
 * of them. It is refused, because an answer without that number would be wrong.
 */
function readCount(search: Understood, value: string): void {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new RangeError('is 1 or more; counting is not offered')
  search.count = Number(value)
}
