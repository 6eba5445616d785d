import type { DicomSource } from './dicom-source.ts'
import {
  elementBytes,
  explicitBig,
  explicitLittle,
  implicitLittle,
  readElement,
  type Syntax,
  unreadable
} from './elements.ts'

// A DICOM file before its data set: DICOM PS3.10, section 7.1.

const PREAMBLE_BYTES = 128
const PREFIX = 'DICM'
const META_BYTES_MAX = 65_536
const META_GROUP = 0x0002

const GROUP_LENGTH = 0x00020000
const TRANSFER_SYNTAX = 0x00020010
const CLASS = 0x00020002

const IMPLICIT = '1.2.840.10008.1.2'
const PLAIN = '1.2.840.10008.1.2.1'
const BIG = '1.2.840.10008.1.2.2'
const DEFLATED = '1.2.840.10008.1.2.1.99'
/** Explicit little endian, plain or with compressed pixel data: PS3.5, annex A, PS3.6, table A-1. */
const EXPLICIT =
  /^1\.2\.840\.10008\.1\.2\.(1|1\.98|5|8\.1|4\.(5\d|6[0-6]|7\d|8[01]|9[0-3]|1\d\d|20[1-3]|210))$/

/** Of the version 8 kind (RFC 9562): this program, for every file that it writes. */
export const IMPLEMENTATION_UID = '2.25.238892005787250747856324189142403254423'
export const IMPLEMENTATION_NAME = 'CONSILIUM'

export interface FileHead {
  transferSyntax: string
  /** The class of the instance; empty when the file does not say it here. */
  sopClass: string
  syntax: Syntax
  isDeflated: boolean
}

/**
 * Reads up to the data set. Refusal `dicom-unreadable` when there is no file meta information, or a
 * transfer syntax whose pixel data are not in the file, or that nobody knows.
 */
export async function readHead(source: DicomSource): Promise<FileHead> {
  if (!(await source.fill(PREAMBLE_BYTES + PREFIX.length))) throw unreadable('cut in its preamble')
  source.take(PREAMBLE_BYTES)
  if (source.take(PREFIX.length).toString('latin1') !== PREFIX) throw unreadable('no DICM')
  const start = source.position()
  let end: number | undefined
  let [transferSyntax, sopClass] = ['', '']
  for (;;) {
    // What follows may look like this group when it is deflated, so there the group's length counts.
    const isCounted = transferSyntax === DEFLATED && end !== undefined
    if (isCounted ? source.position() >= Number(end) : !(await isMeta(source))) break
    const element = await readElement(source, explicitLittle)
    const length = element?.length
    if (element === undefined || length === undefined) throw unreadable('file meta information')
    if (Math.floor(element.tag / 0x10000) !== META_GROUP) throw unreadable('file meta information')
    if (source.position() + length - start > META_BYTES_MAX) throw unreadable('long file meta')
    if (!(await source.fill(length))) throw unreadable('cut in its file meta information')
    const value = source.take(length)
    const text = value.toString('latin1').replace(/[\0 ]+$/, '')
    if (element.tag === GROUP_LENGTH && length === 4)
      end = source.position() + value.readUInt32LE(0)
    if (element.tag === TRANSFER_SYNTAX) transferSyntax = text
    if (element.tag === CLASS) sopClass = text
  }
  return { transferSyntax, sopClass, ...syntaxOf(transferSyntax) }
}

/** Whether pixel data are in fragments: in all transfer syntaxes but those of PS3.5, annex A, 1 to 3, 5. */
export const isEncapsulated = (transferSyntax: string): boolean =>
  ![IMPLICIT, PLAIN, BIG, DEFLATED].includes(transferSyntax)

async function isMeta(source: DicomSource): Promise<boolean> {
  return (await source.fill(2)) && source.window().readUInt16LE(0) === META_GROUP
}

function syntaxOf(uid: string): { syntax: Syntax; isDeflated: boolean } {
  if (uid === IMPLICIT) return { syntax: implicitLittle, isDeflated: false }
  if (uid === BIG) return { syntax: explicitBig, isDeflated: false }
  if (uid === DEFLATED) return { syntax: explicitLittle, isDeflated: true }
  if (EXPLICIT.test(uid)) return { syntax: explicitLittle, isDeflated: false }
  throw unreadable('transfer syntax')
}

/**
 * An empty preamble and new file meta information: nothing of the old is taken over but class and
 * transfer syntax.
 */
export function headBytes(head: FileHead, sopClass: string, sopInstance: string): Buffer {
  const text = (tag: number, representation: string, value: string) =>
    elementBytes(tag, representation, Buffer.from(value, 'latin1'), explicitLittle)
  const elements = Buffer.concat([
    elementBytes(0x00020001, 'OB', Buffer.from([0, 1]), explicitLittle),
    text(CLASS, 'UI', sopClass),
    text(0x00020003, 'UI', sopInstance),
    text(TRANSFER_SYNTAX, 'UI', head.transferSyntax),
    text(0x00020012, 'UI', IMPLEMENTATION_UID),
    text(0x00020013, 'SH', IMPLEMENTATION_NAME)
  ])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(elements.length)
  return Buffer.concat([
    Buffer.alloc(PREAMBLE_BYTES),
    Buffer.from(PREFIX),
    elementBytes(GROUP_LENGTH, 'UL', length, explicitLittle),
    elements
  ])
}
