import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { type CountryTableView, conditionNames, rulings } from '../../schemas/transfer.ts'
import countries from './countries.json' with { type: 'json' }

const Day = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d$' })
const strict = { additionalProperties: false }

const Row = Type.Object(
  {
    country: Type.String({ pattern: '^[A-Z]{2}$' }),
    ruling: Type.Enum(rulings),
    from: Day,
    until: Type.Optional(Day),
    source: Type.String(),
    condition: Type.Optional(Type.Enum(conditionNames))
  },
  strict
)
/** What the law of the United Kingdom says of one country, from one day to another. */
export type Ruling = Static<typeof Row>

const Condition = Type.Object(
  {
    says: Type.String({ minLength: 1 }),
    reference: Type.String({ minLength: 1 }),
    sensitive: Type.Boolean(),
    daysMax: Type.Integer({ minimum: 1 })
  },
  strict
)

/**
 * Where records may go (facts and their sources in the file itself). A row by which a share was judged
 * is never edited, so that the decision of a day can be judged again: what ends gets its last day, and
 * what changes is a new row.
 */
const Table = Type.Object(
  {
    asOf: Day,
    checkAgainBy: Day,
    owner: Type.String({ minLength: 1 }),
    notes: Type.Array(Type.String()),
    sources: Type.Record(
      Type.String(),
      Type.Object(
        { law: Type.String({ minLength: 1 }), read: Type.Optional(Type.String()) },
        strict
      )
    ),
    conditions: Type.Record(Type.String(), Condition),
    countries: Type.Array(Row, { minItems: 1 })
  },
  strict
)
export type CountryTable = Static<typeof Table>

/** Takes a table as it is written. Throws for one that is not as it must be. */
export function readCountryTable(file: unknown): CountryTable {
  if (!Value.Check(Table, file)) {
    const [first] = Value.Errors(Table, file)
    throw new Error(`The country table is wrong at ${first?.instancePath}: ${first?.message}`)
  }
  for (const row of file.countries) {
    const { country, ruling, condition, source, from, until } = row
    if (file.sources[source] === undefined) throw new Error(`${country} has no source.`)
    if ((ruling === 'conditional') !== (condition !== undefined)) {
      throw new Error(`${country} is conditional without a condition, or has one without being so.`)
    }
    if (condition !== undefined && file.conditions[condition] === undefined) {
      throw new Error(`${country} has a condition that is not there.`)
    }
    if (until !== undefined && until < from) throw new Error(`${country} ends before it begins.`)
    const others = file.countries.filter(other => other !== row && other.country === country)
    if (others.some(other => other.from <= (until ?? '9999') && from <= (other.until ?? '9999'))) {
      throw new Error(`${country} has two rows for one day.`)
    }
  }
  return file
}

export const countryTable = readCountryTable(countries)

/** What is said of a country at a moment (milliseconds UTC; days are those of UTC), if anything. */
export function rulingOn(table: CountryTable, country: string, at: number): Ruling | undefined {
  const today = new Date(at).toISOString().slice(0, 10)
  return table.countries.find(
    row => row.country === country && row.from <= today && today <= (row.until ?? today)
  )
}

/** The condition of a conditional ruling. */
export function conditionOf(table: CountryTable, { condition }: Ruling) {
  const found = condition && table.conditions[condition]
  if (found === undefined) throw new Error('The country table lacks a condition.')
  return { name: condition as NonNullable<typeof condition>, ...found }
}

/** The table as it was, or will be, on a day. */
export function viewCountryTable(table: CountryTable, at: number): CountryTableView {
  const { asOf, checkAgainBy, owner, notes, sources } = table
  const rows = table.countries.filter(row => rulingOn(table, row.country, at) === row)
  return {
    on: new Date(at).toISOString().slice(0, 10),
    asOf,
    checkAgainBy,
    owner,
    notes,
    countries: rows.map(row => ({
      country: row.country,
      ruling: row.ruling,
      from: row.from,
      ...(row.until !== undefined && { until: row.until }),
      law: sources[row.source]?.law ?? '',
      ...(row.ruling === 'conditional' && { condition: conditionOf(table, row) })
    }))
  }
}
