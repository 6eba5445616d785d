import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { AuditExportSearch } from '../../../schemas/audit-query.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { exportLog } from './export.ts'

const NDJSON = 'application/x-ndjson'
const mediaTypes = { csv: 'text/csv; charset=utf-8', ndjson: NDJSON, proof: NDJSON }
const endings = { csv: 'csv', ndjson: 'ndjson', proof: 'proof.ndjson' }

/**
 * Answers with the export as a file. It takes one of the caller's places for downloads, from the
 * question to the last byte. Refusals as `exportLog`, and `too-many-streams`.
 */
export async function sendExport(
  exchange: Exchange,
  caller: Caller,
  asked: AuditExportSearch,
  reply: FastifyReply
) {
  const { format = 'ndjson' } = asked
  let lines: Readable | undefined
  const place = await exchange.streams.enter(caller, () => lines?.destroy())
  try {
    lines = Readable.from(await exportLog(exchange, caller, asked))
  } catch (err) {
    place.leave()
    throw err
  }
  lines.once('close', place.leave)
  return reply
    .type(mediaTypes[format])
    .header('cache-control', 'no-store')
    .header('content-disposition', `attachment; filename="access-log.${endings[format]}"`)
    .send(lines)
}
