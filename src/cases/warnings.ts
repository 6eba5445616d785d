import type { Warning } from '../../schemas/request.ts'
import type { RequestDetails } from './request.ts'

/** What warnings are judged by. Nothing of it is stored: they are as true as the moment. */
export interface Circumstances {
  /** The date where the organisation is. */
  today: string
  homeCountry: string
  /** Countries of the shares that have not ended. */
  sharedWith: string[]
  isClosed: boolean
  /** Whether an opinion has come back. */
  isAnswered: boolean
}

const sentences = {
  overdue: 'The due date is over and no opinion has come back.',
  'insurance-missing': 'Name the insurer, or say under funding who pays.',
  'authorisation-missing': 'Ask the insurer for an authorisation code.',
  'authorisation-not-begun': 'The authorisation does not hold yet.',
  'authorisation-expired': 'The authorisation has expired: ask the insurer to renew it.',
  'authorisation-ends-early': 'The authorisation ends before the due date.',
  'consultation-not-covered': 'The authorisation does not cover the consultation.',
  'review-abroad-not-covered':
    'The case is shared abroad and the authorisation does not cover a global expert review.'
} as const
type Code = keyof typeof sentences

/** Everything about a request that somebody should see to. Of a closed case there is nothing. */
export function warningsOf(details: RequestDetails | undefined, now: Circumstances): Warning[] {
  if (details === undefined || now.isClosed) return []
  const codes: Code[] = []
  const { dueDate } = details
  if (dueDate !== undefined && dueDate < now.today && !now.isAnswered) codes.push('overdue')
  codes.push(...ofInsurance(details, now))
  return codes.map(code => ({ code, detail: sentences[code] }))
}

function ofInsurance({ funding, insurance, dueDate }: RequestDetails, now: Circumstances): Code[] {
  if (funding === 'nhs' || funding === 'self') return []
  if (insurance === undefined) return ['insurance-missing']
  const { authorisation } = insurance
  if (authorisation === undefined) return ['authorisation-missing']
  const { from, until, covers } = authorisation
  const isAbroad = now.sharedWith.some(country => country !== now.homeCountry)
  const hasEnded = until < now.today
  const found: Record<string, boolean> = {
    'authorisation-not-begun': now.today < from,
    'authorisation-expired': hasEnded,
    'authorisation-ends-early': !hasEnded && dueDate !== undefined && until < dueDate,
    'consultation-not-covered': !covers.includes('consultation'),
    'review-abroad-not-covered': isAbroad && !covers.includes('global-expert-review')
  }
  return (Object.keys(found) as Code[]).filter(code => found[code])
}
