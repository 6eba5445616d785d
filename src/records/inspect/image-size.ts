import { Refusal } from '../../errors.ts'
import type { InspectionSource } from './source.ts'
import { note, type ObjectSummary } from './summary.ts'

/**
 * A picture with more pixels than this is refused: a viewer needs four bytes for each, and a file of
 * a few kilobytes can claim any number. Larger images come in tiles, as TIFF or DICOM.
 */
export const IMAGE_PIXELS_MAX = 250_000_000

/** Segments of a JPEG looked at before its frame header; a profile may take two hundred. */
const JPEG_SEGMENTS_MAX = 1000

/**
 * Width and height of a PNG. Its head was checked before it came here. Refusal `image-too-large`.
 */
export async function summarisePng(source: InspectionSource): Promise<ObjectSummary> {
  const head = await source.read(0, 33)
  if (head.length < 33) throw new Refusal('file-truncated', 'PNG cut in its header')
  return sized(head.readUInt32BE(16), head.readUInt32BE(20))
}

/**
 * Width and height of a JPEG, from its frame header (ITU-T T.81, section B.2.2), behind any number
 * of other segments. Refusals: `image-too-large`, `file-damaged` when a segment is none, and
 * `file-truncated` when the file ends before its frame begins.
 */
export async function summariseJpeg(source: InspectionSource): Promise<ObjectSummary> {
  let at = 2
  for (let segments = 0; segments < JPEG_SEGMENTS_MAX; segments += 1) {
    const head = await source.read(at, 9)
    if (head.length < 4) throw new Refusal('file-truncated', 'JPEG without a frame')
    if (head[0] !== 0xff) throw new Refusal('file-damaged', 'JPEG without a marker')
    const marker = head.readUInt8(1)
    if (marker === 0xff) {
      at += 1
      continue
    }
    const length = head.readUInt16BE(2)
    if (isFrame(marker)) {
      if (head.length < 9) throw new Refusal('file-truncated', 'JPEG cut in its frame header')
      const [height, width] = [head.readUInt16BE(5), head.readUInt16BE(7)]
      // A height of 0 comes later, in a DNL segment: T.81, section B.2.5. Nobody makes these.
      if (width === 0) throw new Refusal('file-damaged', 'JPEG without width')
      return sized(width, height)
    }
    if (length < 2 || marker === 0xda) throw new Refusal('file-damaged', 'JPEG without a frame')
    at += 2 + length
  }
  return { notes: [note('structure-not-fully-read')] }
}

/** SOF0 to SOF15, without the three numbers among them that are tables. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
}

function sized(width: number, height: number): ObjectSummary {
  if (width * height > IMAGE_PIXELS_MAX) throw new Refusal('image-too-large')
  return { image: { width, height }, notes: [] }
}
