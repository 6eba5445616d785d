import type { Agreement, Answer, ReviewedRecord, Reviewer, Stance } from '../../schemas/opinion.ts'
import { countryName, dateText } from '../audit/report/wording.ts'

// Every sentence of the documents that are made of an opinion.

export const agreementText: Record<Agreement, string> = {
  confirms: 'Confirmed.',
  refines: 'Refined.',
  differs: 'Not agreed with.',
  'cannot-say': 'Cannot be judged from what was reviewed.'
}

const stanceText: Record<Stance, string> = {
  yes: 'Yes.',
  no: 'No.',
  conditional: 'On conditions.',
  'cannot-say': 'Cannot be said.'
}

export function answerText({ stance, answer = '', declined }: Answer): string {
  if (declined !== undefined) return `Not answered: ${declined}`
  return stance === undefined ? answer : `${stanceText[stance]} ${answer}`
}

export function reviewerText(reviewer: Reviewer): string {
  const { name, professionalBody, registrationNumber, organisation, country } = reviewer
  const number =
    registrationNumber === undefined
      ? []
      : [`${professionalBody ?? 'registration'} ${registrationNumber}`]
  return [name, ...number, organisation, countryName(country)].join(', ')
}

export function recordText({ title, date, files, handedOver }: ReviewedRecord): string {
  const { whole, part, none } = handedOver
  const parts = [
    `“${title}”, dated ${dateText(date)}`,
    `${files} ${files === 1 ? 'file' : 'files'}: ${whole} handed over whole`,
    ...(part > 0 ? [`${part} in part`] : []),
    ...(none > 0 ? [`${none} not at all`] : [])
  ]
  return parts.join(', ')
}
