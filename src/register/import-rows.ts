import { Value } from 'typebox/value'
import { SpecialistInput } from '../../schemas/specialist.ts'
import { CsvError, type CsvRow } from './csv.ts'

/** The columns of an import, and the field of `SpecialistInput` that each of them fills. */
const columns = {
  name: 'name',
  email: 'email',
  country: 'country',
  organisation: 'organisation',
  specialty: 'specialty',
  sub_specialties: 'subSpecialties',
  conditions: 'conditions',
  languages: 'languages',
  professional_body: 'professionalBody',
  registration_system: 'registrationSystem',
  registration_number: 'registrationNumber',
  specialist_register: 'specialistRegister',
  specialist_register_since: 'specialistRegister',
  available_from: 'availability',
  available_until: 'availability',
  capacity: 'availability'
} as const
type Column = keyof typeof columns

/** They say one thing together: a file with one of them says all of it. */
const availabilityColumns: Column[] = ['available_from', 'available_until', 'capacity']

const required: Column[] = ['name', 'country', 'organisation', 'specialty', 'languages']

/** What stands between several values in one cell. */
const LIST = '|'
/** `Carcinoma of the breast [snomed:254837009] [icd10:C50.9]` */
const CODE = /\s*\[(snomed|icd10):\s*([^\]]*)\]/gi

/** One thing that is wrong with a row. */
export interface RowProblem {
  column?: string
  code: string
}

export type Header = Map<Column, number>

/** The places of the columns. Throws CsvError for one that is unknown, twice or missing. */
export function readHeader(row: CsvRow | undefined): Header {
  if (row === undefined) throw new CsvError('file-empty', 1, 'the file is empty.')
  const header: Header = new Map()
  for (const [place, cell] of row.cells.entries()) {
    const name = cell
      .trim()
      .toLowerCase()
      .replace(/[\s-]+/g, '_')
    const column = (Object.keys(columns) as Column[]).find(known => known === name)
    // The cell itself is not told: a file without a header would have somebody's name there.
    const which = `column ${place + 1} of the header`
    if (column === undefined) {
      throw new CsvError('column-unknown', row.line, `${which} is none of the known ones.`)
    }
    if (header.has(column)) throw new CsvError('column-twice', row.line, `${which} is there twice.`)
    header.set(column, place)
  }
  for (const column of required) {
    if (!header.has(column)) {
      throw new CsvError('column-missing', row.line, `the column ${column} is missing.`)
    }
  }
  return header
}

/**
 * What a row says: the fields whose columns are in the file. An empty cell is a field that is not there.
 * Its form is checked as that of a request would be.
 */
export function readRow(
  header: Header,
  { cells }: CsvRow
): { fields: Partial<SpecialistInput>; given: Set<string> } | { problems: RowProblem[] } {
  if (cells.length !== header.size) return { problems: [{ code: 'cells-miscounted' }] }
  const cell = (column: Column) => {
    const place = header.get(column)
    const text = place === undefined ? '' : (cells[place] ?? '').trim()
    return text === '' ? undefined : text
  }
  const list = (column: Column) =>
    cell(column)
      ?.split(LIST)
      .map(part => part.trim())
      .filter(part => part !== '')
  const capacity = cell('capacity')
  const register = cell('specialist_register')
  const fields = present({
    name: cell('name'),
    email: cell('email'),
    country: cell('country')?.toUpperCase(),
    organisation: cell('organisation'),
    specialty: cell('specialty'),
    subSpecialties: list('sub_specialties'),
    conditions: list('conditions')?.map(readCondition),
    languages: list('languages'),
    professionalBody: cell('professional_body'),
    registrationSystem: cell('registration_system'),
    registrationNumber: cell('registration_number'),
    specialistRegister:
      register === undefined
        ? undefined
        : present({ specialty: register, since: cell('specialist_register_since') }),
    availability: availabilityColumns.some(column => header.has(column))
      ? present({
          from: cell('available_from'),
          until: cell('available_until'),
          // What is no number stays a text, and is refused as one.
          capacity:
            capacity !== undefined && /^\d{1,9}$/.test(capacity) ? Number(capacity) : capacity
        })
      : undefined
  })
  const problems = Value.Errors(SpecialistInput, fields).map(formProblem)
  if (problems.length > 0) return { problems }
  return {
    fields: fields as unknown as Partial<SpecialistInput>,
    given: new Set([...header.keys()].map(column => columns[column]))
  }
}

function readCondition(text: string): Record<string, string> {
  const codes: Record<string, string> = {}
  for (const [, system = '', code = ''] of text.matchAll(CODE)) {
    codes[system.toLowerCase()] = code.trim()
  }
  return { text: text.replace(CODE, '').trim(), ...codes }
}

const present = <T extends Record<string, unknown>>(all: T): Record<string, unknown> =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))

/** A breach of the schema, by the column that its field comes from. */
function formProblem(problem: { keyword: string; instancePath: string; params?: unknown }) {
  const { requiredProperties } = Object(problem.params) as { requiredProperties?: string[] }
  const [, top, inner] = problem.instancePath.split('/')
  const field = top ?? requiredProperties?.[0]
  const isMissing = problem.keyword === 'required'
  const code = isMissing ? 'text-missing' : `${problem.keyword.toLowerCase()}-wrong`
  const column = columnOf(field, inner)
  return { ...(column !== undefined && { column }), code }
}

/** The column of a field; of those with several columns the one of this part. */
export function columnOf(field: string | undefined, part?: string): string | undefined {
  const parts: Record<string, Column> = {
    since: 'specialist_register_since',
    until: 'available_until',
    capacity: 'capacity'
  }
  const own = part === undefined ? undefined : parts[part]
  if (own !== undefined) return own
  return (Object.entries(columns) as [Column, string][]).find(([, name]) => name === field)?.[0]
}
