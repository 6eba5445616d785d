import { Refusal } from '../../errors.ts'
import { IMAGE_PIXELS_MAX } from './image-size.ts'
import type { InspectionSource } from './source.ts'
import { lineOf, note, type ObjectSummary, type SlideLevel } from './summary.ts'

/** Directories looked at, sub-directories included: a slide has about ten, a long fax hundreds. */
const DIRECTORIES_MAX = 500
/** Entries of one directory. Cameras write a hundred; 65,535 is what the format allows. */
const ENTRIES_MAX = 1024
/** Levels told of; the rest are only counted. */
const LEVELS_MAX = 64
const DESCRIPTION_BYTES_MAX = 1024

/** TIFF 6.0, sections 4 to 15, and the technical notes on sub-directories. */
const tags = {
  subfileType: 254,
  width: 256,
  height: 257,
  description: 270,
  make: 271,
  subDirectories: 330,
  tileWidth: 322,
  tileHeight: 323
} as const

/** Bytes of one value, by field type: TIFF 6.0 section 2, and BigTIFF's 13 and 16 to 18. */
const typeBytes: Record<number, number> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4,
  16: 8,
  17: 8,
  18: 8
}

interface Entry {
  type: number
  count: number
  /** Where its values stand in the file. */
  at: number
}

interface Directory {
  entries: Map<number, Entry>
  next: number
}

/**
 * The images of a TIFF, BigTIFF or SVS file: its levels from the largest down, and whether it holds
 * photographs of the label and of the whole glass. Refusals: `file-truncated` when a directory lies
 * past the end, `file-damaged` when directories go in a circle or claim what cannot be, and
 * `image-too-large` for a giant that is not in tiles.
 */
export async function summariseTiff(source: InspectionSource): Promise<ObjectSummary> {
  const reader = await openTiff(source)
  const waiting = [reader.first]
  const seen = new Set<number>()
  const images: Image[] = []
  let cut = false
  while (waiting.length > 0) {
    const at = waiting.shift() ?? 0
    if (at === 0) continue
    if (seen.has(at)) throw new Refusal('file-damaged', 'TIFF whose directories go in a circle')
    if (seen.size >= DIRECTORIES_MAX) {
      cut = true
      break
    }
    seen.add(at)
    const directory = await reader.directory(at)
    images.push(await imageOf(reader, directory))
    for (const sub of await reader.numbers(
      directory.entries.get(tags.subDirectories),
      LEVELS_MAX
    )) {
      if (!seen.has(sub)) waiting.push(sub)
    }
    waiting.push(directory.next)
  }
  return slideOf(images, cut)
}

interface Image extends SlideLevel {
  description: string
  make: string
}

async function imageOf(reader: Tiff, { entries }: Directory): Promise<Image> {
  const one = async (tag: number) => (await reader.numbers(entries.get(tag), 1))[0]
  const [width = 0, height = 0] = [await one(tags.width), await one(tags.height)]
  const [tileWidth, tileHeight] = [await one(tags.tileWidth), await one(tags.tileHeight)]
  if (width * height > IMAGE_PIXELS_MAX && tileWidth === undefined) {
    throw new Refusal('image-too-large', 'TIFF without tiles')
  }
  return {
    width,
    height,
    ...(tileWidth !== undefined && { tileWidth }),
    ...(tileHeight !== undefined && { tileHeight }),
    description: await reader.text(entries.get(tags.description)),
    make: await reader.text(entries.get(tags.make))
  }
}

/** Aperio calls them "label" and "macro" in the second line of the description; others likewise. */
function slideOf(images: Image[], cut: boolean): ObjectSummary {
  const named = (word: RegExp) => images.filter(image => word.test(image.description))
  const labels = named(/(?:^|[\s"'>|])label(?:[\s"'<|]|$)/i)
  const macros = named(/(?:^|[\s"'>|])(?:macro|overview)(?:[\s"'<|]|$)/i)
  const levels = images
    .filter(image => image.width > 0 && image.height > 0)
    .filter(image => !labels.includes(image) && !macros.includes(image))
    .sort((a, b) => b.width * b.height - a.width * a.height)
    .slice(0, LEVELS_MAX)
    .map(({ description, make, ...level }) => level)
  const vendor = vendorOf(images)
  const hasLabel = labels.length > 0
  return {
    slide: { levels, label: hasLabel, macro: macros.length > 0, ...(vendor && { vendor }) },
    notes: [
      ...(hasLabel ? [note('label-image')] : []),
      ...(cut ? [note('structure-not-fully-read')] : [])
    ]
  }
}

function vendorOf(images: Image[]): string | undefined {
  const [first] = images
  if (first === undefined) return undefined
  const known = /^(?:Aperio|Leica|Hamamatsu|Philips|Ventana|3DHISTECH|Olympus)\b/i
  return known.exec(first.description)?.[0] ?? lineOf(first.make, 40)
}

type Tiff = Awaited<ReturnType<typeof openTiff>>

async function openTiff(source: InspectionSource) {
  const head = await need(source, 0, 8)
  const isLittle = head[0] === 0x49
  const isBig = head.readUInt8(isLittle ? 2 : 3) === 0x2b
  const number = (from: Buffer, at: number, bytes: number): number => {
    if (bytes <= 4) return isLittle ? from.readUIntLE(at, bytes) : from.readUIntBE(at, bytes)
    return Number(isLittle ? from.readBigUInt64LE(at) : from.readBigUInt64BE(at))
  }
  const [countBytes, entryBytes, offsetBytes] = isBig ? [8, 20, 8] : [2, 12, 4]
  const first = isBig ? number(await need(source, 8, 8), 0, 8) : number(head, 4, 4)

  async function directory(at: number): Promise<Directory> {
    const count = number(await need(source, at, countBytes), 0, countBytes)
    const end = at + countBytes + count * entryBytes
    if (count === 0 || count > ENTRIES_MAX) {
      throw new Refusal('file-damaged', 'TIFF directory without entries, or with too many')
    }
    const body = await need(source, at + countBytes, count * entryBytes)
    const entries = new Map<number, Entry>()
    for (let index = 0; index < count; index += 1) {
      const from = index * entryBytes
      const type = number(body, from + 2, 2)
      const values = number(body, from + 4, offsetBytes)
      const place = from + 4 + offsetBytes
      const bytes = (typeBytes[type] ?? 1) * values
      const inline = at + countBytes + place
      const entryAt = bytes <= offsetBytes ? inline : number(body, place, offsetBytes)
      if (entryAt + bytes > source.bytes) {
        throw new Refusal('file-truncated', 'TIFF with values past its end')
      }
      entries.set(number(body, from, 2), { type, count: values, at: entryAt })
    }
    // Some writers leave out the last offset when the file ends there.
    const last = await source.read(end, offsetBytes)
    return { entries, next: last.length < offsetBytes ? 0 : number(last, 0, offsetBytes) }
  }

  async function numbers(entry: Entry | undefined, most: number): Promise<number[]> {
    const bytes = entry && [3, 4, 13, 16, 18].includes(entry.type) ? typeBytes[entry.type] : 0
    if (entry === undefined || !bytes) return []
    const count = Math.min(entry.count, most)
    const values = await need(source, entry.at, count * bytes)
    return Array.from({ length: count }, (_, index) => number(values, index * bytes, bytes))
  }

  async function text(entry: Entry | undefined): Promise<string> {
    if (entry?.type !== 2) return ''
    const bytes = await source.read(entry.at, Math.min(entry.count, DESCRIPTION_BYTES_MAX))
    return bytes.toString('latin1').split('\0', 1).join('')
  }

  return { first, directory, numbers, text }
}

async function need(source: InspectionSource, at: number, length: number): Promise<Buffer> {
  const bytes = await source.read(at, length)
  if (bytes.length < length) throw new Refusal('file-truncated', 'TIFF that ends too early')
  return bytes
}
