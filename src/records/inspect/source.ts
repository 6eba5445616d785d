/** A file that can be read at any place, a bounded piece at a time. */
export interface InspectionSource {
  /** Length of the whole file. */
  readonly bytes: number
  /**
   * The bytes from `position` on: `length` of them, or fewer where the file ends first. Whoever
   * reads must not change them.
   */
  read(position: number, length: number): Promise<Buffer>
}

/**
 * First bytes of a file kept at hand while it arrives, and the first that are asked for: nearly every
 * DICOM header ends in them, or has told by then what is wanted of it.
 */
export const HEAD_KEPT_BYTES = 16_384

/** What one file may have read of it, all in all: a looping structure costs no more than this. */
export const READ_BYTES_MAX = 48 * 1024 ** 2
export const READS_MAX = 4096

/** Thrown by `bounded` when a file wants more looks than an inspection has. */
export class LooksSpent extends Error {}

/** The same file, of which no more than `READ_BYTES_MAX` bytes in `READS_MAX` pieces can be read. */
export function bounded(source: InspectionSource): InspectionSource {
  let bytesLeft = READ_BYTES_MAX
  let readsLeft = READS_MAX
  return {
    bytes: source.bytes,
    async read(position, length) {
      const wanted = Math.min(length, Math.max(source.bytes - position, 0))
      if (!(wanted > 0)) return Buffer.alloc(0)
      bytesLeft -= wanted
      readsLeft -= 1
      if (bytesLeft < 0 || readsLeft < 0) throw new LooksSpent()
      return source.read(position, wanted)
    }
  }
}

/** A file whose first bytes are at hand; the rest is fetched from `beyond`. */
export function withHead(head: Buffer, beyond: InspectionSource): InspectionSource {
  return {
    bytes: beyond.bytes,
    async read(position, length) {
      const end = Math.min(position + length, beyond.bytes)
      if (end <= head.length) return head.subarray(position, end)
      return beyond.read(position, end - position)
    }
  }
}
