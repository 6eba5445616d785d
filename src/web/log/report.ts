import type { FastifyReply, FastifyRequest } from 'fastify'
import { NHS_NUMBER_SYSTEM } from '../../../schemas/case.ts'
import { timestamp } from '../../../schemas/common.ts'
import type { DisclosureReport, DisclosureReportAsked } from '../../../schemas/disclosure-report.ts'
import { makeReport } from '../../audit/report/gather.ts'
import { sendReport } from '../../audit/report/send-report.ts'
import {
  dateText,
  endingText,
  identifierText,
  readerText,
  recordText,
  transferText,
  whatText
} from '../../audit/report/wording.ts'
import { dayEnds } from '../../calendar.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { isId } from '../../http/page.ts'
import { homeOf } from '../../identity/accounts.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { linked } from './answer.ts'
import { chartsOf } from './chart.ts'
import { type FieldErrors, readDate } from './question.ts'

const DAY_MILLISECONDS = 86_400_000
/** Shares, and openings, that the page shows: the newest. The file has all of them. */
const LINES_SHOWN_MAX = 100
const names = ['nhs-number', 'case', 'from', 'to'] as const

/** The form in which a report is asked for. A case may be named in the address, never a patient. */
export function reportForm({ pages }: Web, request: FastifyRequest, reply: FastifyReply) {
  return pages.show(request, reply, 'log/report-form', { question: {}, errors: {} })
}

/** A report in the page. That it was made is on the log. */
export async function reportPage(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const { question, asked } = await reportAsked(web, request, reply)
  const report = await makeReport(exchange, callerOf(request), asked)
  return pages.show(request, reply, 'log/report', {
    ...viewOf(report),
    charts: chartsOf(report),
    hidden: Object.entries(question).filter(([, value]) => value !== '')
  })
}

/** The same as a file: a report of its own. */
export async function reportFile(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { asked } = await reportAsked(web, request, reply)
  const format = formOf(request).text('format') === 'json' ? 'json' : 'pdf'
  return sendReport(web.exchange, callerOf(request), { ...asked, format }, reply)
}

async function reportAsked({ exchange, pages }: Web, request: FastifyRequest, reply: FastifyReply) {
  const { texts: t } = pages
  const question = Object.fromEntries(names.map(name => [name, formOf(request).text(name)]))
  const errors: FieldErrors = {}
  pages.onRefusal(request, (problems, { code }) => {
    if (code === 'nhs-number-invalid') errors['nhs-number'] = t('log.wrong-nhs-number')
    const model = { question, errors: inTemplate(errors), problems: linked(errors, problems) }
    return pages.show(request, reply, 'log/report-form', model)
  })
  const { timeZone } = await homeOf(exchange.database.read, callerOf(request).organisationId)
  const { 'nhs-number': nhsNumber = '', case: caseId = '', from = '', to = '' } = question
  if ((nhsNumber === '') === (caseId === '')) errors['nhs-number'] = t('log.report-wrong-subject')
  if (caseId !== '' && !isId(caseId.toLowerCase())) errors.case = t('log.wrong-id')
  const [first, last] = [readDate(from), readDate(to)]
  if (from !== '' && first === undefined) errors.from = t('log.wrong-date')
  if (to !== '' && last === undefined) errors.to = t('log.wrong-date')
  if (first !== undefined && last !== undefined && first > last) errors.to = t('log.wrong-dates')
  const problems = Object.values(errors)
  if (problems.length > 0) throw new Refusal('request-invalid', 'report', { problems })
  const before = first && new Date(Date.parse(first) - DAY_MILLISECONDS).toISOString().slice(0, 10)
  const asked: DisclosureReportAsked = {
    ...(nhsNumber !== '' && { patient: { system: NHS_NUMBER_SYSTEM, value: nhsNumber } }),
    ...(caseId !== '' && { case: caseId.toLowerCase() }),
    ...(before !== undefined && { from: timestamp(dayEnds(timeZone, before)) }),
    ...(last !== undefined && { to: timestamp(dayEnds(timeZone, last)) })
  }
  return { question, asked }
}

const inTemplate = (errors: FieldErrors) =>
  Object.fromEntries(Object.entries(errors).map(([name, text]) => [name, { text }]))

/** The report in the words of its printed form. */
function viewOf(report: DisclosureReport) {
  const { id, madeLondon, madeBy, organisation, about, patients, period, refused } = report
  return {
    report: { id, madeLondon, period: period.london, refused },
    by: [madeBy.name ?? madeBy.id, organisation.name].join(', '),
    aboutCase: about.case,
    erasedCases: report.erasedCases?.length ?? 0,
    patients: patients.map(patient => ({
      name: patient.name,
      born: dateText(patient.birthDate),
      identifier: identifierText(patient.identifier)
    })),
    hiddenShares: Math.max(0, report.shares.length - LINES_SHOWN_MAX),
    hiddenDisclosures: Math.max(0, report.disclosures.length - LINES_SHOWN_MAX),
    shares: report.shares.slice(-LINES_SHOWN_MAX).map(share => ({
      who: readerText(share.specialist),
      by: share.madeBy.name ?? share.madeBy.id,
      from: share.validLondon.from,
      until: share.validLondon.to,
      withdrawn: share.withdrawn?.london,
      records: share.records.map(recordText),
      basis: share.transfer === undefined ? '' : transferText(share.transfer)
    })),
    disclosures: report.disclosures.slice(-LINES_SHOWN_MAX).map(line => ({
      event: line.event,
      when: line.london,
      who: readerText(line.reader),
      what: whatText(line.what),
      address: line.address ?? '',
      ended: endingText(line.ending)
    })),
    isEmpty: report.shares.length + report.disclosures.length + refused.total === 0
  }
}
