import { inflateSync } from 'node:zlib'
import type { InspectionSource } from './source.ts'
import { type ObjectSummary, type PdfFlag, pdfFlags } from './summary.ts'

/** A longer file is looked at in its first and its last half of this, where its structure is. */
const PDF_BYTES_MAX = 32 * 1024 ** 2
/** Looked at at a time, and how much of the next is read with it for what begins before its end. */
const STEP_BYTES = 4 * 1024 ** 2
const OVERLAP_BYTES = 512 * 1024
/** Object streams unpacked, each and all together. */
const OBJECT_STREAM_BYTES_MAX = 4 * 1024 ** 2
const OBJECT_STREAMS_BYTES_MAX = 32 * 1024 ** 2
const OBJECT_STREAMS_MAX = 5000
/** What deflate can do at its best: RFC 1951 has one bit for two of 258 bytes. */
const DEFLATE_RATIO_MAX = 1032
/** How far before its stream a dictionary is looked for. */
const DICTIONARY_BYTES_MAX = 2048

/** Whatever ends a name: ISO 32000-2, section 7.2.3. */
const end = '(?=[\\s\\0()<>\\[\\]{}/%]|$)'

/**
 * What makes a reader act, or hides something, by the names that start it: ISO 32000-2, sections
 * 12.6.4, 7.11.4, 7.6 and 7.7.2. The two letters of JS may stand anywhere in packed bytes, so what
 * follows must be a script or a reference.
 */
const names: [PdfFlag, RegExp][] = [
  ['javascript', new RegExp(`/JavaScript${end}`)],
  ['javascript', /\/JS\s*(?:\(|<[0-9A-Fa-f\s]|\d{1,10}\s+\d{1,5}\s+R)/],
  ['launch', new RegExp(`/Launch${end}`)],
  ['embedded-files', new RegExp(`/EmbeddedFiles?${end}`)],
  ['encrypted', new RegExp(`/Encrypt${end}`)],
  ['open-action', new RegExp(`/(?:OpenAction|AA)${end}(?=\\s*[<\\d\\[])`)]
]

/**
 * Flags what in a PDF can act or hide. It looks for names, in the clear and in object streams, with
 * any character written as #xx (section 7.3.5), and takes no structure on trust: a table of contents
 * can be made to hide an object from us that a reader finds. So it may flag what is only mentioned;
 * it does not miss what is there, or says `not-fully-read`. Never refuses: these are facts to show.
 */
export async function summarisePdf(source: InspectionSource): Promise<ObjectSummary> {
  const flags = new Set<PdfFlag>()
  let pages = 0
  const budget = { streams: OBJECT_STREAMS_MAX, bytes: OBJECT_STREAMS_BYTES_MAX }
  const steps = stepsOf(source.bytes)
  if (steps.length * STEP_BYTES < source.bytes) flags.add('not-fully-read')
  for (const start of steps) {
    const part = await source.read(start, STEP_BYTES + OVERLAP_BYTES)
    const text = part.toString('latin1')
    flagNames(text, flags)
    pages += countPages(text, STEP_BYTES)
    for (const unpacked of objectStreams(part, text, budget, flags)) {
      flagNames(unpacked, flags)
      pages += countPages(unpacked, unpacked.length)
    }
  }
  // What is encrypted cannot be looked into; only its outline can.
  if (flags.has('encrypted')) flags.add('not-fully-read')
  const told = pdfFlags.filter(flag => flags.has(flag))
  const complete = !flags.has('not-fully-read') && pages > 0
  return { pdf: { ...(complete && { pages }), flags: told }, notes: [] }
}

/** Where the parts begin that are looked at. */
function stepsOf(bytes: number): number[] {
  const steps = (from: number, to: number) =>
    Array.from({ length: Math.ceil((to - from) / STEP_BYTES) }, (_, i) => from + i * STEP_BYTES)
  if (bytes <= PDF_BYTES_MAX) return steps(0, bytes)
  return [...steps(0, PDF_BYTES_MAX / 2), ...steps(bytes - PDF_BYTES_MAX / 2, bytes)]
}

function flagNames(text: string, flags: Set<PdfFlag>): void {
  const plain = unescapeNames(text)
  for (const [flag, pattern] of names) if (pattern.test(plain)) flags.add(flag)
}

function unescapeNames(text: string): string {
  if (!text.includes('#')) return text
  return text.replace(/#([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16))
  )
}

/** Page objects that begin in the first `before` characters, each once however often it was changed. */
function countPages(text: string, before: number): number {
  const pages = new Set<string>()
  let object = ''
  const marks = /(\d{1,10})\s{1,8}\d{1,5}\s{1,8}obj\b|\/Type\s{0,8}\/Page(?![A-Za-z])/g
  for (const { index, 1: number } of text.matchAll(marks)) {
    if (index >= before) break
    if (number !== undefined) object = number
    else pages.add(object === '' ? `the ${pages.size + 1}th of a stream` : object)
  }
  return pages.size
}

/** The unpacked object streams (section 7.5.7) of a part. */
function* objectStreams(
  part: Buffer,
  text: string,
  budget: { streams: number; bytes: number },
  flags: Set<PdfFlag>
): Generator<string> {
  for (const found of text.matchAll(/\bstream(?:\r\n|\n|\r)/g)) {
    if (found.index >= STEP_BYTES) return
    const dictionary = dictionaryBefore(text, found.index)
    if (!/\/ObjStm(?![A-Za-z])/.test(dictionary)) continue
    const start = found.index + found[0].length
    const stop = text.indexOf('endstream', start)
    const packed = part.subarray(start, stop === -1 ? part.length : stop)
    budget.streams -= 1
    const bytes = Math.min(OBJECT_STREAM_BYTES_MAX, budget.bytes)
    if (budget.streams < 0 || bytes <= 0) {
      flags.add('not-fully-read')
      continue
    }
    const { unpacked, cost } = unpack(packed, dictionary, bytes)
    budget.bytes -= cost
    if (unpacked === undefined) flags.add('not-fully-read')
    else yield unpacked.toString('latin1')
  }
}

/** From the last "obj" before the stream: a dictionary may hold others. */
function dictionaryBefore(text: string, at: number): string {
  const before = text.slice(Math.max(0, at - DICTIONARY_BYTES_MAX), at)
  const start = before.lastIndexOf('obj')
  return unescapeNames(start === -1 ? before : before.slice(start))
}

/**
 * Nothing when it is packed in a way we do not undo, damaged, or larger than the limit. `cost` is what
 * was unpacked for it, or the most that can have been where it failed.
 */
function unpack(
  packed: Buffer,
  dictionary: string,
  bytesMax: number
): { unpacked?: Buffer; cost: number } {
  if (!/\/Filter(?![A-Za-z])/.test(dictionary)) {
    const plain = packed.subarray(0, bytesMax)
    return { unpacked: plain, cost: plain.length }
  }
  const onlyFlate = /\/Filter\s*\[?\s*\/(?:FlateDecode|Fl)\s*(?:\]|\/|>|$)/.test(dictionary)
  const another = /\/(?:ASCIIHexDecode|ASCII85Decode|LZWDecode|RunLengthDecode|Crypt)\b/
  const predicted = /\/Predictor\s+(?!1\b)\d/.test(dictionary)
  if (!onlyFlate || predicted || another.test(dictionary)) return { cost: 0 }
  try {
    const unpacked = inflateSync(packed, { maxOutputLength: bytesMax })
    return { unpacked, cost: unpacked.length }
  } catch {
    return { cost: Math.min(bytesMax, packed.length * DEFLATE_RATIO_MAX) }
  }
}
