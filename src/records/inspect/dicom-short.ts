import { type InspectionSource, LooksSpent } from './source.ts'

/** An element of more than this is left out. What names a patient is a hundredth of it. */
const KEPT_BYTES_MAX = 65_536
/** Of all that is kept. */
const KEPT_ALL_BYTES_MAX = 1_048_576
/** Read at a time, because whatever is long is skipped. */
const STEP_BYTES = 16_384
const ELEMENTS_MAX = 20_000
/** The group that says who the patient is. Elements come in ascending order: PS3.5 section 7.1. */
const PATIENT_GROUP = 0x0010
const UNDEFINED_LENGTH = 0xffffffff
const HEADER_BYTES_MAX = 12

/** Tags of items and their ends: PS3.5 section 7.5. */
const ITEM = 0xfffee000
const ITEM_END = 0xfffee00d
const SEQUENCE_END = 0xfffee0dd

/** Representations whose length takes four bytes, two bytes later: PS3.5 section 7.1.2. */
const longLengths = new Set('OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' '))

export interface Encoding {
  isExplicit: boolean
  isBig: boolean
}

interface Header {
  tag: number
  headerBytes: number
  length: number
}

/**
 * The data set that begins at `start`, up to the patient's group and without its long elements: what
 * is left of a header too long to be read as a whole. It reads little more than it keeps, and ends
 * early where it meets what it cannot step over, or where the file's looks are spent.
 */
export async function shortElements(
  source: InspectionSource,
  start: number,
  encoding: Encoding
): Promise<Buffer> {
  const kept: Buffer[] = []
  let keptBytes = 0
  const header = headersOf(source, encoding)
  try {
    for (let at = start, n = 0; n < ELEMENTS_MAX && keptBytes < KEPT_ALL_BYTES_MAX; n += 1) {
      const found = await header(at)
      if (found === undefined || found.tag >>> 16 > PATIENT_GROUP) break
      const end = await endOf(at, found, header)
      if (end === undefined || end > source.bytes) break
      if (end - at <= KEPT_BYTES_MAX) {
        kept.push(Buffer.from(await source.read(at, end - at)))
        keptBytes += end - at
      }
      at = end
    }
  } catch (err) {
    if (!(err instanceof LooksSpent)) throw err
  }
  return Buffer.concat(kept)
}

type ReadHeader = (at: number) => Promise<Header | undefined>

/** Where an element ends. One without a length is walked through to its end. */
async function endOf(at: number, first: Header, header: ReadHeader): Promise<number | undefined> {
  let position = at + first.headerBytes
  if (first.length !== UNDEFINED_LENGTH) return position + first.length
  for (let [depth, n] = [1, 0]; depth > 0; n += 1) {
    const found = n < ELEMENTS_MAX ? await header(position) : undefined
    if (found === undefined) return undefined
    position += found.headerBytes
    if (found.tag === ITEM_END || found.tag === SEQUENCE_END) depth -= 1
    else if (found.length === UNDEFINED_LENGTH) depth += 1
    else position += found.length
  }
  return position
}

/** Reads headers of elements that lie near each other with one look. */
function headersOf(source: InspectionSource, { isExplicit, isBig }: Encoding): ReadHeader {
  let window: Buffer = Buffer.alloc(0)
  let from = 0
  return async at => {
    if (at + 8 > source.bytes) return undefined
    const wanted = Math.min(at + HEADER_BYTES_MAX, source.bytes)
    if (at < from || wanted > from + window.length) {
      window = await source.read(at, STEP_BYTES)
      from = at
    }
    const bytes = window.subarray(at - from, at - from + HEADER_BYTES_MAX)
    const short = (place: number) => (isBig ? bytes.readUInt16BE(place) : bytes.readUInt16LE(place))
    const long = (place: number) => (isBig ? bytes.readUInt32BE(place) : bytes.readUInt32LE(place))
    if (bytes.length < 8) return undefined
    const tag = short(0) * 0x10000 + short(2)
    const isItem = tag === ITEM || tag === ITEM_END || tag === SEQUENCE_END
    if (isItem || !isExplicit) return { tag, headerBytes: 8, length: long(4) }
    if (!longLengths.has(bytes.toString('latin1', 4, 6))) {
      return { tag, headerBytes: 8, length: short(6) }
    }
    return bytes.length < 12 ? undefined : { tag, headerBytes: 12, length: long(8) }
  }
}
