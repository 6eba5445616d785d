import { timestamp } from '../../schemas/common.ts'
import type { ErasureView } from '../../schemas/retention.ts'
import type { ErasureRow } from './queries.ts'

/** An erasure as its organisation sees it. */
export function viewErasure(row: ErasureRow): ErasureView {
  const { filesAt, filesKept } = row
  return {
    id: row.id,
    case: row.caseId,
    organisation: row.organisationId,
    scope: row.scope as ErasureView['scope'],
    ground: row.ground as ErasureView['ground'],
    ...(row.orderedBy !== null && { orderedBy: row.orderedBy }),
    at: timestamp(row.at),
    policy: row.policy,
    records: row.records,
    objects: row.objects,
    bytes: row.bytes,
    copies: row.copies,
    manifest: row.manifest.toString('hex'),
    stayed: JSON.parse(row.stayed),
    files: {
      state: filesAt === null ? 'removing' : filesKept > 0 ? 'kept-by-store' : 'removed',
      ...(filesAt !== null && { at: timestamp(filesAt) }),
      kept: filesKept
    },
    event: row.eventId
  }
}
