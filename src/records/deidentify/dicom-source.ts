import { Readable } from 'node:stream'
import { createInflateRaw } from 'node:zlib'
import { Refusal } from '../../errors.ts'

/** The next bytes of a file, or undefined at its end. They stay as they are until the next but one. */
export type Pull = () => Promise<Buffer | undefined>

/** A deflated data set is unpacked no further than this: a bomb would go on for hours. */
const INFLATED_BYTES_MAX = 4 * 1024 ** 3

/** A file read from its beginning to its end, with only a window of it in memory. */
export interface DicomSource {
  /** Bytes read so far. */
  position(): number
  /** The unread bytes that are in memory. They stay until the next `fill` or `piece`. */
  window(): Buffer
  /** Reads on until the window has this many bytes. False when the file ends before. */
  fill(bytes: number): Promise<boolean>
  /** Takes bytes that are in the window. */
  take(bytes: number): Buffer
  /** Takes whatever is there, but at most this much; undefined at the end of the file. */
  piece(bytesMax: number): Promise<Buffer | undefined>
}

export function dicomSource(pull: Pull): DicomSource {
  let held: Buffer = Buffer.alloc(0)
  let at = 0
  let position = 0
  let ended = false

  async function more(): Promise<boolean> {
    // Taken over before the next pull, which may use the memory of the piece before again.
    const left = Buffer.from(held.subarray(at))
    const next = ended ? undefined : await pull()
    if (next === undefined) {
      ended = true
      return false
    }
    held = left.length === 0 ? next : Buffer.concat([left, next])
    at = 0
    return true
  }
  const take = (bytes: number): Buffer => {
    const taken = held.subarray(at, at + bytes)
    at += taken.length
    position += taken.length
    return taken
  }
  return {
    position: () => position,
    window: () => held.subarray(at),
    async fill(bytes) {
      while (held.length - at < bytes) if (!(await more())) return false
      return true
    },
    take,
    async piece(bytesMax) {
      while (held.length === at) if (!(await more())) return undefined
      return take(Math.min(bytesMax, held.length - at))
    }
  }
}

/**
 * What is left of `source`, unpacked (RFC 1951; DICOM PS3.5, section A.5). Refusal `dicom-unreadable`
 * when it is damaged, cut off or too long.
 */
export function inflated(source: DicomSource): Pull {
  async function* packed() {
    for (;;) {
      const piece = await source.piece(65_536)
      if (piece === undefined) return
      yield Buffer.from(piece)
    }
  }
  const unpacking = createInflateRaw()
  const feeding = Readable.from(packed(), { objectMode: false })
  feeding.once('error', err => unpacking.destroy(err))
  feeding.pipe(unpacking)
  const pieces = unpacking.iterator()
  let bytes = 0
  return async () => {
    try {
      const { value } = (await pieces.next()) as { value: Buffer | undefined }
      bytes += value?.length ?? 0
      if (bytes > INFLATED_BYTES_MAX) throw new Refusal('dicom-too-complex', 'inflated too long')
      return value
    } catch (err) {
      feeding.destroy()
      unpacking.destroy()
      const { code } = err as { code?: unknown }
      // Faults of the store behind it are not the file's.
      if (typeof code !== 'string' || !code.startsWith('Z_')) throw err
      throw new Refusal('dicom-unreadable', 'deflated data damaged', {}, err)
    }
  }
}
