import { createInflateRaw } from 'node:zlib'
import dicomParser, { type DataSet, type Element } from 'dicom-parser'
import { Refusal } from '../../errors.ts'
import { shortElements } from './dicom-short.ts'
import { HEAD_KEPT_BYTES, type InspectionSource } from './source.ts'

/** How much of a file is read to find the end of its header: more each time it was too little. */
const HEADER_WINDOW_BYTES = [HEAD_KEPT_BYTES, 262_144, 2 * 1024 ** 2, 8 * 1024 ** 2]
/** A deflated header is unpacked this far. An honest one is a hundredth of it. */
const INFLATED_BYTES_MAX = 4 * 1024 ** 2
/** One that unpacks to that, and to so much more than it takes, is a trap. */
const DEFLATED_HEADER_RATIO_MAX = 200
/** What deflate can do at its best: RFC 1951 has one bit for two of 258 bytes. */
const DEFLATE_RATIO_MAX = 1032
/** A deflated image that unpacks to more than this, and so much more than it takes, is a trap. */
const DEFLATED_PIXELS_BYTES_MAX = 1024 ** 3
const DEFLATED_PIXELS_RATIO_MAX = 200
/** Sequences in sequences. Structured reports, the deepest there are, stay below ten. */
const NESTING_MAX = 16

const PIXEL_DATA = 'x7fe00010'
/** The groups whose elements a summary has come before this tag. */
const LAST_WANTED = 'x0028ffff'
/** The group that says who the patient is. */
const PATIENT_GROUP = 'x0010'
const LAST_OF_PATIENT = 'x0010ffff'
/** Groups a data set begins with: 0004 on discs, 0008 elsewhere, later ones where it was cut down. */
const FIRST_GROUPS = [0x0003, 0x0041] as const
const UNDEFINED_LENGTH = 0xffffffff

const EXPLICIT = '1.2.840.10008.1.2.1'
const IMPLICIT = '1.2.840.10008.1.2'
const DEFLATED = '1.2.840.10008.1.2.1.99'
const BIG_ENDIAN = '1.2.840.10008.1.2.2'

/** Every value representation there is: PS3.5 section 6.2. */
const representations = new Set(
  'AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV'.split(
    ' '
  )
)

export interface ParsedHeader {
  dataSet: DataSet
  /** As the file says; what it is parsed as may differ. */
  transferSyntax: string
  /** Not everything before the pixels could be read. */
  partial: boolean
  /** There is nothing after the file meta information. */
  empty: boolean
  /** The data set is not in the transfer syntax that the file names. */
  otherSyntax: boolean
}

/**
 * Parses the header of a DICOM file, up to its pixel data. Refusals: `file-truncated` when an element
 * says it is longer than the rest of the file, `file-damaged` when what follows the file meta
 * information is no data set, `file-inflates-too-far` when a small deflated file unpacks to a giant.
 * A header that is wrong in one place is taken as far as it can be read.
 */
export async function parseHeader(source: InspectionSource): Promise<ParsedHeader> {
  for (const size of HEADER_WINDOW_BYTES) {
    const window = Buffer.from(await source.read(0, size))
    const isLast = size === HEADER_WINDOW_BYTES.at(-1)
    const parsed = await parseWindow(window, source.bytes, isLast)
    if (parsed !== undefined) return isLast ? await findPatient(source, window, parsed) : parsed
  }
  throw new Error('The last window always gives an answer.')
}

/**
 * A header whose patient lies behind more than the last window is stepped through as far as that, so
 * that whom it names is known all the same; it is still one that was not fully read.
 */
async function findPatient(
  source: InspectionSource,
  window: Buffer,
  parsed: ParsedHeader
): Promise<ParsedHeader> {
  const meta = readMeta(window)
  const isPassed = (tag: string) => tag > LAST_OF_PATIENT
  const tags = Object.keys(parsed.dataSet.elements)
  if (!parsed.partial || 'fault' in meta || tags.some(isPassed)) return parsed
  const { end, syntaxElement, transferSyntax } = meta
  if (transferSyntax === DEFLATED) return parsed
  const syntax = syntaxOf(window, end, source.bytes, transferSyntax)
  const encoding = { isExplicit: syntax !== IMPLICIT, isBig: syntax === BIG_ENDIAN }
  const short = await shortElements(source, end, encoding)
  const whole = Buffer.concat([window.subarray(0, end), short])
  const { dataSet } = parseAs(whole, syntax, syntaxElement)
  requireShallow(dataSet)
  const isFound = Object.keys(dataSet.elements).some(tag => tag.startsWith(PATIENT_GROUP))
  return isFound ? { ...parsed, dataSet } : parsed
}

/** Undefined when more of the file is needed. */
async function parseWindow(
  window: Buffer,
  fileBytes: number,
  isLast: boolean
): Promise<ParsedHeader | undefined> {
  const isWhole = window.length >= fileBytes
  const meta = readMeta(window)
  if ('fault' in meta) {
    if (!isWhole && !isLast) return undefined
    const code = isWhole && isOverrun(meta.fault) ? 'file-truncated' : 'file-damaged'
    throw new Refusal(code, 'DICOM whose file meta information cannot be read')
  }
  const { transferSyntax, end, syntaxElement } = meta
  const about = { transferSyntax, partial: false, empty: false, otherSyntax: false }
  if (end >= fileBytes) return { ...about, dataSet: meta.dataSet, empty: true }
  if (window.length < end + 8 && !isWhole && !isLast) return undefined
  if (transferSyntax === DEFLATED) {
    const packed = window.subarray(end)
    const inflated = await inflate(packed)
    const isEnded = inflated.cut || isWhole || isLast
    if (inflated.bytes.length === 0) {
      if (!isEnded) return undefined
      throw new Refusal('file-damaged', 'DICOM whose packed data set does not unpack')
    }
    const whole = Buffer.concat([window.subarray(0, end), inflated.bytes])
    const parsed = parseAs(whole, EXPLICIT, syntaxElement)
    if (parsed.pixels === undefined && !isEnded && !hasWanted(parsed)) return undefined
    const isTrap = inflated.cut && packed.length * DEFLATED_HEADER_RATIO_MAX < INFLATED_BYTES_MAX
    requireHonestDeflation(parsed, isTrap, fileBytes - end)
    const partial = parsed.fault !== undefined || (parsed.pixels === undefined && !isWhole)
    return { ...about, dataSet: parsed.dataSet, partial }
  }
  const syntax = syntaxOf(window, end, fileBytes, transferSyntax)
  const parsed = parseAs(window, syntax, syntaxElement)
  const otherSyntax = syntax !== transferSyntax && isKnownPlain(transferSyntax)
  if (parsed.pixels === undefined && !isWhole && !isLast && !hasWanted(parsed)) return undefined
  requireWholeFile(parsed, window, fileBytes)
  requireShallow(parsed.dataSet)
  const partial = parsed.pixels === undefined && (parsed.fault !== undefined || !isWhole)
  return { ...about, dataSet: parsed.dataSet, otherSyntax, partial: partial && !hasWanted(parsed) }
}

interface Parsed {
  dataSet: DataSet
  /** Where the pixel data begins, once the header is read to there. */
  pixels: Element | undefined
  fault: unknown
}

function readMeta(window: Buffer) {
  try {
    const dataSet = dicomParser.readPart10Header(window) as DataSet & { position: number }
    const syntaxElement = dataSet.elements['x00020010']
    const transferSyntax = (dataSet.string('x00020010') ?? '').trim()
    return { dataSet, transferSyntax, end: dataSet.position, syntaxElement }
  } catch (fault) {
    return { fault }
  }
}

/** The library says so in words. */
const isOverrun = (fault: unknown): boolean =>
  typeof fault === 'string' && /past|overr|outside|cannot seek|greater than/i.test(fault)

/**
 * Parses the window as this syntax, whatever the file names. The library has no such option where
 * the file names one, so the name is changed in the window, which is ours; other names of explicit
 * little endian syntaxes say how the pixels are packed and change nothing here.
 */
function parseAs(window: Buffer, syntax: string, named: Element | undefined): Parsed {
  if (named !== undefined && named.length >= syntax.length) {
    window.fill(0, named.dataOffset, named.dataOffset + named.length)
    window.write(syntax, named.dataOffset, 'latin1')
  }
  try {
    const dataSet = dicomParser.parseDicom(window, {
      TransferSyntaxUID: syntax,
      untilTag: PIXEL_DATA
    })
    return { dataSet, pixels: dataSet.elements[PIXEL_DATA], fault: undefined }
  } catch (err) {
    const { dataSet, exception } = err as { dataSet?: DataSet; exception?: unknown }
    if (dataSet === undefined) throw new Refusal('file-damaged', 'DICOM that cannot be parsed')
    if (exception instanceof RangeError) throw new Refusal('file-damaged', 'DICOM nested too deep')
    return { dataSet, pixels: undefined, fault: exception ?? err }
  }
}

/** Implicit, explicit or big endian, by the first element rather than by what the file names. */
function syntaxOf(window: Buffer, at: number, fileBytes: number, named: string): string {
  const isBig = named === BIG_ENDIAN
  if (window.length < at + 8) throw new Refusal('file-truncated', 'DICOM cut in its first element')
  const group = isBig ? window.readUInt16BE(at) : window.readUInt16LE(at)
  const isExplicit = representations.has(window.toString('latin1', at + 4, at + 6))
  const length = window.readUInt32LE(at + 4)
  const fits = length === UNDEFINED_LENGTH || at + 8 + length <= fileBytes
  const isGroup = group >= FIRST_GROUPS[0] && group <= FIRST_GROUPS[1]
  const isPrivate = group % 2 === 1
  if ((isGroup || isPrivate) && isExplicit) return isBig ? BIG_ENDIAN : EXPLICIT
  if (isGroup && fits && !isBig) return IMPLICIT
  throw new Refusal('file-damaged', 'DICOM with something else than a data set')
}

/** Compressed syntaxes are explicit little endian outside their pixels. */
function isKnownPlain(syntax: string): boolean {
  return syntax === EXPLICIT || syntax === IMPLICIT || syntax === BIG_ENDIAN
}

function hasWanted({ dataSet }: Parsed): boolean {
  return Object.keys(dataSet.elements).some(tag => tag > LAST_WANTED)
}

/** Even lengths are the rule, and a missing last padding byte is no loss. */
const PADDING_BYTES = 1

function requireWholeFile(
  { dataSet, pixels, fault }: Parsed,
  window: Buffer,
  fileBytes: number
): void {
  if (pixels !== undefined && pixels.length !== UNDEFINED_LENGTH) {
    if (pixels.dataOffset + pixels.length > fileBytes + PADDING_BYTES) {
      throw new Refusal('file-truncated', 'DICOM with fewer pixels than it says')
    }
  }
  const unended = dataSet.warnings.some(warning => /^eof .*while reading/.test(warning))
  if (unended && pixels === undefined && window.length >= fileBytes) {
    throw new Refusal('file-truncated', 'DICOM that ends inside a sequence')
  }
  if (isOverrun(fault) && window.length >= fileBytes) {
    throw new Refusal('file-truncated', 'DICOM whose header is longer than the file')
  }
}

function requireShallow(dataSet: DataSet): void {
  let level: DataSet[] = [dataSet]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > NESTING_MAX) throw new Refusal('file-damaged', 'DICOM nested too deep')
    level = level.flatMap(({ elements }) =>
      Object.values(elements).flatMap(({ items = [] }) => items.flatMap(item => item.dataSet ?? []))
    )
  }
}

/** Unpacks a beginning. `cut` says that there was more. */
async function inflate(packed: Buffer): Promise<{ bytes: Buffer; cut: boolean }> {
  const pieces: Buffer[] = []
  let bytes = 0
  const inflater = createInflateRaw()
  inflater.end(packed)
  try {
    for await (const piece of inflater as AsyncIterable<Buffer>) {
      pieces.push(piece)
      bytes += piece.length
      if (bytes >= INFLATED_BYTES_MAX) return { bytes: Buffer.concat(pieces), cut: true }
    }
  } catch {
    // The window ended inside the packed bytes, or they are damaged: what came is looked at.
  }
  return { bytes: Buffer.concat(pieces), cut: false }
}

function requireHonestDeflation(parsed: Parsed, isTrap: boolean, packedBytes: number): void {
  const { pixels, dataSet } = parsed
  requireShallow(dataSet)
  if (pixels === undefined) {
    if (isTrap) throw new Refusal('file-inflates-too-far', 'a header larger than any image has')
    return
  }
  const ratio = pixels.length === UNDEFINED_LENGTH ? 0 : pixels.length / packedBytes
  if (ratio > DEFLATE_RATIO_MAX) {
    throw new Refusal('file-truncated', 'more pixels than deflate can pack so small')
  }
  if (ratio > DEFLATED_PIXELS_RATIO_MAX && pixels.length > DEFLATED_PIXELS_BYTES_MAX) {
    throw new Refusal('file-inflates-too-far', 'pixels')
  }
}
