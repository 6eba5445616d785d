import type { ConditionName, Safeguard, SafeguardType } from '../../schemas/transfer.ts'
import { daysBetween } from '../calendar.ts'
import { plainText } from '../cases/check-request.ts'
import { Refusal } from '../errors.ts'
import { type CountryTable, conditionOf, type Ruling } from './country-table.ts'

const DAY_MILLISECONDS = 24 * 60 * 60 * 1000
/** An exception is for one emergency: no longer than the longest share. */
const VITAL_DAYS_MAX = 30

type Dated = Required<Pick<Safeguard, 'date' | 'expires'>>
type OnFile = Dated & { reference: string }

/** A safeguard with everything its type needs and nothing else. */
export type WholeSafeguard =
  | (OnFile & { type: 'adequacy-condition'; condition: ConditionName; markedSensitive?: boolean })
  | (OnFile & { type: 'idta' | 'addendum' } & Required<Pick<Safeguard, 'riskAssessment'>>)
  | ({ type: 'explicit-consent'; consent: string } & Pick<Safeguard, 'publicAuthority'>)
  | (Dated & { type: 'vital-interests' } & Required<
        Pick<Safeguard, 'incapacity' | 'reason' | 'approver'>
      >)

type Member = Exclude<keyof Safeguard, 'type'>

const agreement: Rule = { needs: ['reference', 'date', 'expires', 'riskAssessment'], may: [] }
interface Rule {
  needs: Member[]
  may: Member[]
}

/** Which members belong to which type. */
const members: Record<SafeguardType, Rule> = {
  'adequacy-condition': {
    needs: ['reference', 'date', 'expires', 'condition'],
    may: ['markedSensitive']
  },
  idta: agreement,
  addendum: agreement,
  'explicit-consent': { needs: ['consent'], may: ['publicAuthority'] },
  'vital-interests': { needs: ['date', 'expires', 'incapacity', 'reason', 'approver'], may: [] }
}

/**
 * The safeguard, whole and in one spelling. Throws Refusal `transfer-safeguard-incomplete`, with every
 * member that is missing or belongs to another type, or `text-invalid`.
 */
export function wholeSafeguard(given: Safeguard): WholeSafeguard {
  const { needs, may } = members[given.type]
  const { type, ...parts } = given
  const others = (Object.keys(parts) as Member[]).filter(
    name => !needs.includes(name) && !may.includes(name)
  )
  const problems = [
    ...needs.filter(name => given[name] === undefined).map(name => `${type} needs ${name}`),
    ...others.map(name => `${name} does not belong to ${type}`)
  ]
  if (problems.length > 0) {
    throw new Refusal('transfer-safeguard-incomplete', type, { problems })
  }
  return plain(given) as WholeSafeguard
}

function plain(given: Safeguard): Safeguard {
  const { reference, riskAssessment, publicAuthority, reason, approver } = given
  const lines = <T extends Record<string, string>>(field: string, value: T): T =>
    Object.fromEntries(
      Object.entries(value).map(([name, text]) => [name, plainText(`${field}.${name}`, text)])
    ) as T
  return {
    ...given,
    ...(reference !== undefined && { reference: plainText('safeguard.reference', reference) }),
    ...(reason !== undefined && { reason: plainText('safeguard.reason', reason) }),
    ...(riskAssessment && { riskAssessment: lines('riskAssessment', riskAssessment) }),
    ...(publicAuthority && { publicAuthority: lines('publicAuthority', publicAuthority) }),
    ...(approver && { approver: lines('approver', approver) })
  }
}

/**
 * Whether a whole safeguard makes a transfer to this country lawful at this moment. A consent is
 * judged where consents are kept. Throws Refusal `transfer-safeguard-unfit`, `-expired`, or
 * `transfer-risk-too-high`.
 */
export function requireFit(
  table: CountryTable,
  country: string,
  ruling: Ruling | undefined,
  safeguard: WholeSafeguard,
  now: number
): void {
  const problems: string[] = []
  const { type } = safeguard
  if (type === 'adequacy-condition') {
    problems.push(...unmetCondition(table, country, ruling, safeguard))
  }
  if (type === 'idta' || type === 'addendum') {
    const { riskAssessment } = safeguard
    if (riskAssessment.outcome === 'materially-lower') throw new Refusal('transfer-risk-too-high')
    if (Date.parse(riskAssessment.date) > now) {
      problems.push('the date of its risk assessment is yet to come')
    }
  }
  if (type !== 'explicit-consent') {
    if (Date.parse(safeguard.date) > now) problems.push('its date is yet to come')
    if (safeguard.expires < safeguard.date) problems.push('it expires before its date')
  }
  if (type === 'vital-interests') {
    problems.push(...tooLong(safeguard, VITAL_DAYS_MAX))
  }
  if (problems.length > 0) throw new Refusal('transfer-safeguard-unfit', country, { problems })
  const ends = safeguardEnds(safeguard)
  if (ends !== undefined && ends <= now) throw new Refusal('transfer-safeguard-expired', country)
}

function unmetCondition(
  table: CountryTable,
  country: string,
  ruling: Ruling | undefined,
  safeguard: Extract<WholeSafeguard, { type: 'adequacy-condition' }>
): string[] {
  if (ruling?.ruling !== 'conditional') {
    return [`${country} has no conditional adequacy decision`]
  }
  const { name, sensitive, daysMax } = conditionOf(table, ruling)
  const problems = tooLong(safeguard, daysMax)
  if (safeguard.condition !== name) problems.push(`the condition of ${country} is ${name}`)
  if (sensitive && safeguard.markedSensitive !== true) {
    problems.push('the recipient must be told that the data are sensitive: markedSensitive')
  }
  return problems
}

function tooLong({ date, expires }: Dated, daysMax: number): string[] {
  return daysBetween(date, expires) > daysMax
    ? [`it must expire within ${daysMax} days of its date`]
    : []
}

/**
 * The first moment, in milliseconds UTC, at which the safeguard no longer holds: its last day is one
 * of UTC. Of a consent the consent itself says it.
 */
export function safeguardEnds(safeguard: WholeSafeguard): number | undefined {
  if (safeguard.type === 'explicit-consent') return undefined
  return Date.parse(safeguard.expires) + DAY_MILLISECONDS
}
