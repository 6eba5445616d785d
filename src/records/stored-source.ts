import type { KeyObject } from 'node:crypto'
import { receiptForInspection } from '../audit/inspections.ts'
import type { Blobs } from '../blobs/blobs.ts'
import { openContent } from './content.ts'
import type { InspectionSource } from './inspect/source.ts'
import type { ObjectRow } from './queries.ts'

/** Read at a time at least: the tables of contents of a slide lie near each other. */
const READ_BYTES_MIN = 65_536

/** A stored object, opened for the inspection of it, piece by piece as it asks. */
export function storedSource(
  blobs: Blobs,
  sealed: { organisationId: string; recordKey: KeyObject; object: ObjectRow }
): InspectionSource {
  const { bytes, id } = sealed.object
  const receipt = receiptForInspection(id)
  let kept = { start: 0, bytes: Buffer.alloc(0) }
  return {
    bytes,
    async read(position, length) {
      const end = Math.min(position + length, bytes)
      if (position < kept.start || end > kept.start + kept.bytes.length) {
        const range = {
          start: position,
          end: Math.min(Math.max(end, position + READ_BYTES_MIN), bytes)
        }
        const content = await openContent(blobs, receipt, sealed, range)
        const pieces: Buffer[] = []
        try {
          for (let piece = await content.pull(); piece; piece = await content.pull()) {
            pieces.push(Buffer.from(piece))
          }
        } finally {
          await content.close()
        }
        kept = { start: position, bytes: Buffer.concat(pieces) }
      }
      return kept.bytes.subarray(position - kept.start, end - kept.start)
    }
  }
}
