import type { FastifyReply, FastifyRequest } from 'fastify'
import { makeReport } from '../../audit/report/gather.ts'
import { endingText, readerText, whatText } from '../../audit/report/wording.ts'
import { readCase } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import type { Web } from '../routes.ts'
import { caseIdOf } from './case.ts'
import { shownPatient } from './patient.ts'

/** Who saw what of a case: the disclosure report, in sentences. That it was asked for is on the log. */
export async function showSeen(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const caller = callerOf(request)
  const id = caseIdOf(request)
  const found = await readCase(exchange, caller, id)
  const report = await makeReport(exchange, caller, { case: id })
  return pages.show(request, reply, 'cases/seen', {
    case: found,
    patient: shownPatient(found.patient),
    refused: report.refused,
    lines: report.disclosures
      .map(line => ({
        at: line.at,
        who: readerText(line.reader),
        what: whatText(line.what),
        ending: endingText(line.ending)
      }))
      .reverse()
  })
}
