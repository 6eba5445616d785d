import type { Safeguard } from '../../../schemas/transfer.ts'
import { dayOf, type Form, isDay } from '../form.ts'
import type { Texts } from '../texts.ts'
import type { Law } from './law.ts'

/** The fields of a safeguard, each type with its own: without scripts all of them are there at once. */
const texts = [
  'basis',
  'condition-reference',
  'condition-sensitive',
  'agreement-type',
  'agreement-reference',
  'assessment-id',
  'assessment-outcome',
  'consent',
  'authority-reason',
  'authority-dpo',
  'vital-incapacity',
  'vital-reason',
  'vital-name',
  'vital-post'
] as const
const days = [
  'condition-date',
  'condition-expires',
  'agreement-date',
  'agreement-expires',
  'assessment-date',
  'vital-date',
  'vital-expires'
] as const
type Field = (typeof texts)[number] | (typeof days)[number]

/** Names of everything that is sent, to carry it from one step to the next. */
export const safeguardFields = [
  ...texts,
  ...days.flatMap(name => ['day', 'month', 'year'].map(part => `${name}-${part}`))
]

export type TypedSafeguard = Record<Field, string>

export const typedSafeguard = (form: Form): TypedSafeguard =>
  Object.fromEntries([
    ...texts.map(name => [name, form.text(name)]),
    ...days.map(name => [name, dayOf(form, name)])
  ]) as TypedSafeguard

/** A way to make a transfer lawful. There are two agreements that ask for the same. */
export type Basis = Exclude<Safeguard['type'], 'idta' | 'addendum'> | 'agreement'

/** The ways there are for a country, the usual one first. */
export function basesFor({ needs }: Law): Basis[] {
  const always: Basis[] = ['agreement', 'explicit-consent', 'vital-interests']
  if (needs === 'nothing') return []
  return needs === 'attestation' ? ['adequacy-condition', ...always] : always
}

/**
 * The safeguard that was typed, or undefined where none is needed. What is missing is told by
 * `transfers`, which is the judge of it; here only what has no form at all.
 */
export function safeguardOf(
  t: Texts,
  form: Form,
  law: Law,
  problems: string[]
): Safeguard | undefined {
  const bases = basesFor(law)
  if (bases.length === 0) return undefined
  const typed = typedSafeguard(form)
  const basis = bases.find(name => name === typed.basis)
  if (basis === undefined) {
    problems.push(t('sharing.basis-missing'))
    return undefined
  }
  const missing = new Set<string>()
  const need = (name: Field): string => {
    const value = typed[name]
    const isFit = (days as readonly string[]).includes(name) ? isDay(value) : value !== ''
    if (!isFit) missing.add(t(`sharing.missing-${name}`))
    return value
  }
  const safeguard = partsOf(basis, law, typed, need)
  problems.push(...missing)
  return missing.size > 0 ? undefined : (safeguard as unknown as Safeguard)
}

function partsOf(type: Basis, law: Law, typed: TypedSafeguard, need: (name: Field) => string) {
  if (type === 'adequacy-condition') {
    const sensitive = law.condition?.sensitive === true && need('condition-sensitive') !== ''
    return {
      type,
      reference: need('condition-reference'),
      date: need('condition-date'),
      expires: need('condition-expires'),
      condition: law.condition?.name,
      ...(sensitive && { markedSensitive: true })
    }
  }
  if (type === 'explicit-consent') {
    const reason = typed['authority-reason']
    const dpoReference = typed['authority-dpo']
    const isAuthority = reason !== '' || dpoReference !== ''
    return {
      type,
      consent: need('consent'),
      ...(isAuthority && {
        publicAuthority: { reason: need('authority-reason'), dpoReference: need('authority-dpo') }
      })
    }
  }
  if (type === 'vital-interests') {
    return {
      type,
      date: need('vital-date'),
      expires: need('vital-expires'),
      incapacity: need('vital-incapacity'),
      reason: need('vital-reason'),
      approver: { name: need('vital-name'), post: need('vital-post') }
    }
  }
  return {
    type: need('agreement-type'),
    reference: need('agreement-reference'),
    date: need('agreement-date'),
    expires: need('agreement-expires'),
    riskAssessment: {
      id: need('assessment-id'),
      date: need('assessment-date'),
      outcome: need('assessment-outcome')
    }
  }
}
