import {
  createCase,
  numberedText,
  openShare,
  type PersonName,
  sendLink,
  sharedPath,
  shareRecords,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'

/** One line of the log, as an auditor gets it. */
export interface Line {
  id: string
  at: string
  action: string
  outcome: string
  code?: string
  actor?: { id: string; name?: string; organisation?: string }
  case?: string
  record?: string
  object?: string
  share?: string
  recipientCountry?: string
  grant?: string
  bytesHandedOver?: number
  details: Record<string, unknown>
}

export interface LogPage {
  events: Line[]
  next?: string
}

export const PATIENTS = ['9990000018', '9990000026'] as const

/**
 * Two patients of City Hospital, a record of each shared with a specialist at home and one in
 * Dublin, read and refused; and one patient of the other trust.
 */
export async function liveliness(exchange: TestExchange) {
  const clinician = exchange.client('clinician')
  const cases = []
  for (const [index, nhsNumber] of PATIENTS.entries()) {
    const { id: caseId } = await createCase(clinician, nhsNumber)
    const record = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
    const who: PersonName = index === 0 ? 'specialistGb' : 'specialistIe'
    const share = await shareRecords(exchange, caseId, [record.id], { with: who })
    await openShare(exchange.client(who), share.link)
    await exchange.client(who).send('GET', sharedPath(share.id, record.id))
    await sendLink(exchange.client('stranger'), share.link)
    cases.push({ caseId, record, share, who })
  }
  await createCase(exchange.client('otherClinician'), PATIENTS[0])
  await exchange.client().send('GET', '/v1/cases')
  const [first, second] = cases
  if (first === undefined || second === undefined) throw new Error('There are two cases.')
  await exchange.auditEvents()
  return { first, second }
}

/** Every line that answers the question, page by page. */
export async function ask(
  exchange: TestExchange,
  question: Record<string, unknown>,
  who: PersonName = 'auditor'
): Promise<Line[]> {
  const lines: Line[] = []
  let cursor: string | undefined
  do {
    const page: LogPage = await exchange
      .client(who)
      .json('POST', '/v1/audit/events/search', { ...question, ...(cursor && { cursor }) })
    lines.push(...page.events)
    cursor = page.next
  } while (cursor !== undefined)
  return lines
}
