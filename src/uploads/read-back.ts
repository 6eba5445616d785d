import { createHash } from 'node:crypto'
import { actedBy } from '../audit/acted-by.ts'
import { recordOwnReading } from '../audit/sealed-copies.ts'
import type { Exchange } from '../exchange.ts'
import { openParts } from '../records/content.ts'
import { INSPECT_BYTES } from '../records/inspect/inspect.ts'
import { bytesOf, partsOfSegments } from '../records/layout.ts'
import { aboutUpload, homeOf } from './draft.ts'
import type { SegmentRow } from './queries.ts'
import { type Act, asSegment } from './recorded.ts'

/** Reads segments of an upload back, which goes on the access log first. */
async function readBack(exchange: Exchange, act: Act, rows: SegmentRow[]) {
  const { blobs, audit } = exchange
  const parts = partsOfSegments(homeOf(act.found), rows.map(asSegment))
  const end = bytesOf(parts)
  const receipt = await recordOwnReading(audit, {
    action: act.action,
    outcome: 'success',
    ...actedBy(act.caller, { readBack: end }),
    ...aboutUpload(act.found)
  })
  return openParts(blobs, receipt, act.key, parts, { start: 0, end })
}

/** The whole of one small segment. */
export async function bytesOfSegment(
  exchange: Exchange,
  act: Act,
  row: SegmentRow
): Promise<Buffer> {
  const content = await readBack(exchange, act, [row])
  const whole = Buffer.allocUnsafeSlow(row.bytes)
  let at = 0
  try {
    for (let piece = await content.pull(); piece; piece = await content.pull()) {
      at += piece.copy(whole, at)
    }
  } finally {
    await content.close()
  }
  return whole
}

/** SHA-256 of everything an upload holds, and its first bytes. */
export async function digestOfUpload(
  exchange: Exchange,
  act: Act,
  rows: SegmentRow[]
): Promise<{ sha256: Buffer; head: Buffer }> {
  const content = await readBack(exchange, act, rows)
  const hash = createHash('sha256')
  let head: Buffer = Buffer.alloc(0)
  try {
    for (let piece = await content.pull(); piece; piece = await content.pull()) {
      hash.update(piece)
      if (head.byteLength < INSPECT_BYTES) head = Buffer.concat([head, piece])
    }
  } finally {
    await content.close()
  }
  return { sha256: hash.digest(), head }
}
