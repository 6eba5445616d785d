import type { DisclosureReport } from '../../../schemas/disclosure-report.ts'
import {
  type Answer,
  createCase,
  eventually,
  numberedText,
  openShare,
  type PersonName,
  safeguard,
  sendLink,
  sharedPath,
  shareRecords,
  type TestExchange,
  uploadRecord
} from '../../helpers/exchange.ts'

export const LARGE = numberedText(24 * 1024 * 1024, 'ct-study.txt')
export const SMALL = numberedText(1000, 'letter.txt')

/** What an auditor is told who asks for a report. */
export function sendAsk(
  exchange: TestExchange,
  question: Record<string, unknown>,
  who: PersonName = 'auditor'
): Promise<Answer> {
  return exchange.client(who).send('POST', '/v1/audit/reports', question)
}

export async function askReport(
  exchange: TestExchange,
  question: Record<string, unknown>,
  who: PersonName = 'auditor'
): Promise<DisclosureReport> {
  const answer = await sendAsk(exchange, { ...question, format: 'json' }, who)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json as DisclosureReport
}

/**
 * One case of two records, shared with a specialist at home, who reads a letter and breaks off a
 * scan, and with one in India, who reads a part of the letter before her share is withdrawn and is
 * refused after it; a stranger tries the link.
 */
export async function secondOpinion(exchange: TestExchange) {
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const letter = await uploadRecord(clinician, caseId, {
    kind: 'letter',
    title: 'Letter of referral',
    files: [SMALL]
  })
  const scan = await uploadRecord(clinician, caseId, {
    kind: 'scan',
    title: 'CT of the head',
    files: [LARGE]
  })
  const home = await shareRecords(exchange, caseId, [letter.id, scan.id])
  await openShare(exchange.client('specialistGb'), home.link)
  await exchange.client('specialistGb').send('GET', sharedPath(home.id, letter.id))
  const call = await exchange.raw('specialistGb', `GET ${sharedPath(home.id, scan.id)}`)
  await call.take(70_000)
  call.abort()
  await eventually('the download has ended', () =>
    exchange.exchange.streams.count() === 0 ? true : undefined
  )

  const abroad = await shareRecords(exchange, caseId, [letter.id], {
    with: 'specialistIn',
    safeguard: safeguard(exchange.clock.now())
  })
  const india = exchange.client('specialistIn')
  await openShare(india, abroad.link)
  await india.send('GET', sharedPath(abroad.id, letter.id), undefined, { range: 'bytes=10-99' })
  await sendLink(exchange.client('stranger'), abroad.link)
  await clinician.json('DELETE', `/v1/shares/${abroad.id}`)
  await india.send('GET', sharedPath(abroad.id, letter.id))
  await exchange.auditEvents()
  return { caseId, letter, scan, home, abroad, received: call.received() }
}
