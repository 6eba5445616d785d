import { GMC_NUMBER } from '../identity/enrolment-rules.ts'
import { CsvError, type CsvLimits, readCsv } from './csv.ts'
import type { RegisterEntry, RegisterSource, RegisterStatus } from './register-source.ts'
import { GMC_SYSTEM } from './rules.ts'

const GIB = 1024 ** 3

/** The register has about 400,000 doctors in 40 columns. */
const GMC_LIMITS: CsvLimits = {
  bytesMax: GIB,
  rowsMax: 2_000_000,
  cellCharactersMax: 2000,
  columnsMax: 100
}

/**
 * The columns that are read, by the names which NHS organisations that receive the file have published
 * (the GMC's own licensed file was not at hand). Others may stand between them.
 */
const COLUMNS = {
  number: 'gmc ref no',
  familyName: 'surname',
  givenName: 'given name',
  status: 'registration status',
  specialistSince: 'specialist register date'
} as const
type Place = Record<keyof typeof COLUMNS, number>

/**
 * From the text of a status, the first that fits. Only "Registered with Licence" is published; the
 * others are how the GMC words them elsewhere. What fits none does not let practise.
 */
const statuses: [pattern: RegExp, status: RegisterStatus][] = [
  [/suspend/i, 'suspended'],
  [/eras/i, 'erased'],
  [/^not registered|deceased|relinquish/i, 'not-registered'],
  [/provisional|temporary/i, 'not-full'],
  [/without (a )?licen[cs]e/i, 'no-licence'],
  [/^registered with (a )?licen[cs]e/i, 'registered']
]

/** The List of Registered Medical Practitioners of the General Medical Council, as its download has it. */
export const gmcRegister: RegisterSource = {
  system: GMC_SYSTEM,
  name: 'GMC',
  async *read(bytes) {
    let place: Place | undefined
    for await (const { line, cells } of readCsv(bytes, GMC_LIMITS)) {
      if (place === undefined) place = placesOf(cells)
      else yield readDoctor(place, line, cells)
    }
  }
}

function placesOf(cells: string[]): Place {
  const names = cells.map(cell => cell.trim().toLowerCase().replace(/\s+/g, ' '))
  const entries = Object.entries(COLUMNS).map(([field, name]) => {
    const place = names.indexOf(name)
    if (place < 0) throw new CsvError('column-missing', 1, `the column ${name} is missing.`)
    return [field, place]
  })
  return Object.fromEntries(entries) as Place
}

function readDoctor(place: Place, line: number, cells: string[]): RegisterEntry {
  const cell = (field: keyof Place) => (cells[place[field]] ?? '').trim()
  const number = GMC_NUMBER.exec(cell('number'))?.[1]
  if (number === undefined) {
    throw new CsvError('gmc-number-invalid', line, 'there is no GMC number of 7 digits.')
  }
  const text = cell('status')
  if (text === '') throw new CsvError('status-missing', line, 'the registration status is missing.')
  return {
    number,
    familyName: cell('familyName'),
    givenName: cell('givenName'),
    status: statuses.find(([pattern]) => pattern.test(text))?.[1] ?? 'not-registered',
    onSpecialistRegister: cell('specialistSince') !== ''
  }
}
