import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { DisclosureReportAsked } from '../../../schemas/disclosure-report.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { makeReport } from './gather.ts'
import { reportAsPdf } from './pdf.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

/**
 * Answers with a new report as a file, which takes one of the caller's places for downloads from the
 * question to the last byte. Refusals as `makeReport`, and `too-many-streams`.
 */
export async function sendReport(
  exchange: Exchange,
  caller: Caller,
  asked: DisclosureReportAsked,
  reply: FastifyReply
) {
  const { format = 'pdf' } = asked
  let pdf: Readable | undefined
  const place = await exchange.streams.enter(caller, () => pdf?.destroy())
  try {
    const report = await makeReport(exchange, caller, asked)
    const name = `disclosure-report-${report.id}.${format}`
    reply
      .header('cache-control', 'no-store')
      .header('content-disposition', `attachment; filename="${name}"`)
    if (format === 'json') return reply.type(JSON_TYPE).send(report)
    pdf = Readable.from(reportAsPdf(report), { objectMode: false })
  } finally {
    if (pdf === undefined) place.leave()
  }
  pdf.once('close', place.leave)
  return reply.type('application/pdf').send(pdf)
}
