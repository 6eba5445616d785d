import { Refusal } from '../../errors.ts'
import type { DicomSource } from './dicom-source.ts'
import { hasLongLength, kindOf, representationOf, type Tag } from './representations.ts'

/** How elements are written: DICOM PS3.5, section 7.1. */
export interface Syntax {
  isExplicit: boolean
  isBig: boolean
}

/** What stands before a value. */
export interface Element {
  tag: Tag
  /** As the file says, or in implicit syntaxes as the standard does. */
  representation: string
  /** Undefined when the value ends by a delimiter: section 7.5. */
  length: number | undefined
}

export const implicitLittle: Syntax = { isExplicit: false, isBig: false }
export const explicitLittle: Syntax = { isExplicit: true, isBig: false }
export const explicitBig: Syntax = { isExplicit: true, isBig: true }

export const ITEM = 0xfffee000
export const ITEM_END = 0xfffee00d
export const SEQUENCE_END = 0xfffee0dd
const UNDEFINED_LENGTH = 0xffffffff

const SHORT_HEADER_BYTES = 8
const LONG_HEADER_BYTES = 12

export function unreadable(detail: string): Refusal {
  return new Refusal('dicom-unreadable', detail)
}

const uint16 = (bytes: Buffer, at: number, { isBig }: Syntax): number =>
  isBig ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)

const uint32 = (bytes: Buffer, at: number, { isBig }: Syntax): number =>
  isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)

/**
 * Reads what stands before the next value. Undefined when the file ends just here. Refusal
 * `dicom-unreadable` when it ends within, or when what stands there is no element.
 */
export async function readElement(
  source: DicomSource,
  syntax: Syntax
): Promise<Element | undefined> {
  if (source.window().length < LONG_HEADER_BYTES && !(await source.fill(LONG_HEADER_BYTES))) {
    if (source.window().length === 0) return undefined
    if (source.window().length < SHORT_HEADER_BYTES) throw unreadable('cut in an element')
  }
  const bytes = source.window()
  const tag = uint16(bytes, 0, syntax) * 0x10000 + uint16(bytes, 2, syntax)
  // Items and delimiters have no representation in any syntax.
  if (tag >= ITEM && tag <= SEQUENCE_END) {
    source.take(SHORT_HEADER_BYTES)
    return { tag, representation: '', length: lengthOf(uint32(bytes, 4, syntax)) }
  }
  if (!syntax.isExplicit) {
    source.take(SHORT_HEADER_BYTES)
    const representation = representationOf(tag) ?? 'UN'
    return { tag, representation, length: lengthOf(uint32(bytes, 4, syntax)) }
  }
  const representation = bytes.toString('latin1', 4, 6)
  if (kindOf(representation) === undefined) throw unreadable('not a value representation')
  if (!hasLongLength(representation)) {
    source.take(SHORT_HEADER_BYTES)
    return { tag, representation, length: uint16(bytes, 6, syntax) }
  }
  if (bytes.length < LONG_HEADER_BYTES) throw unreadable('cut in an element')
  source.take(LONG_HEADER_BYTES)
  return { tag, representation, length: lengthOf(uint32(bytes, 8, syntax)) }
}

const lengthOf = (length: number): number | undefined =>
  length === UNDEFINED_LENGTH ? undefined : length

/** The bytes that stand before a value. */
export function headerBytes({ tag, representation, length }: Element, syntax: Syntax): Buffer {
  const isLong = syntax.isExplicit && hasLongLength(representation)
  const bytes = Buffer.alloc(isLong ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES)
  const put16 = (value: number, at: number) =>
    syntax.isBig ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at)
  const put32 = (value: number, at: number) =>
    syntax.isBig ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at)
  put16(Math.floor(tag / 0x10000), 0)
  put16(tag % 0x10000, 2)
  if (!syntax.isExplicit || representation === '') put32(length ?? UNDEFINED_LENGTH, 4)
  else {
    bytes.write(representation, 4, 'latin1')
    if (isLong) put32(length ?? UNDEFINED_LENGTH, 8)
    else put16(length ?? 0, 6)
  }
  return bytes
}

/** A whole element, its value made even as section 7.1.1 asks. */
export function elementBytes(
  tag: Tag,
  representation: string,
  value: Buffer,
  syntax: Syntax
): Buffer {
  const isText = kindOf(representation) === 'text' && representation !== 'UI'
  const padding = value.length % 2 === 0 ? '' : isText ? ' ' : '\0'
  const length = value.length + padding.length
  const header = headerBytes({ tag, representation, length }, syntax)
  return Buffer.concat([header, value, Buffer.from(padding)])
}

/** A sequence of one item that holds these elements. */
export function sequenceBytes(tag: Tag, items: Buffer[][], syntax: Syntax): Buffer {
  const whole = items.map(elements => {
    const content = Buffer.concat(elements)
    const item = { tag: ITEM, representation: '', length: content.length }
    return Buffer.concat([headerBytes(item, syntax), content])
  })
  return elementBytes(tag, 'SQ', Buffer.concat(whole), syntax)
}
