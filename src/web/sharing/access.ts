import type { FastifyReply, FastifyRequest } from 'fastify'
import { makeReport } from '../../audit/report/gather.ts'
import { sendReport } from '../../audit/report/send-report.ts'
import { readerText, transferText } from '../../audit/report/wording.ts'
import { readCase } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import type { Web } from '../routes.ts'
import type { OfCase } from './choose.ts'
import { usedText } from './history.ts'

/** Openings that the page shows: the newest. The PDF has all of them. */
const LINES_SHOWN_MAX = 100

type CasePage = FastifyRequest<{ Params: OfCase }>

/** Who saw what of a case, as its patient may be told. */
export async function accessPage({ exchange, pages }: Web, request: CasePage, reply: FastifyReply) {
  const caller = callerOf(request)
  const { id } = await readCase(exchange, caller, request.params.case)
  const report = await makeReport(exchange, caller, { case: id })
  return pages.show(request, reply, 'sharing/access', {
    caseId: id,
    shares: report.shares.map(share => ({
      ...share,
      reader: readerText(share.specialist),
      basis: share.transfer && transferText(share.transfer)
    })),
    older: Math.max(0, report.disclosures.length - LINES_SHOWN_MAX),
    uses: report.disclosures
      .slice(-LINES_SHOWN_MAX)
      .toReversed()
      .map(use => ({ at: use.at, says: usedText(use) })),
    refused: report.refused.total
  })
}

/** The same as a PDF, to be given to the patient. */
export async function accessReport({ exchange }: Web, request: CasePage, reply: FastifyReply) {
  const asked = { case: request.params.case, format: 'pdf' as const }
  return sendReport(exchange, callerOf(request), asked, reply)
}
