import { Refusal } from '../../errors.ts'
import type { PixelFilter } from './codestream.ts'
import type { DicomSink } from './dicom-sink.ts'
import type { DicomSource } from './dicom-source.ts'
import {
  type Element,
  elementBytes,
  headerBytes,
  ITEM,
  ITEM_END,
  implicitLittle,
  readElement,
  SEQUENCE_END,
  type Syntax,
  unreadable
} from './elements.ts'
import type { Treatment } from './profile.ts'
import { kindOf, representationOf, type Tag } from './representations.ts'

/** Sequences within sequences. The standard needs fewer than ten. */
const DEPTH_MAX = 32
/** Elements of one file; the largest multi-frame images have some hundred thousand. */
const ELEMENTS_MAX = 4_000_000
/** A value that is looked at is held in memory; pixel data and their like are not. */
const LOOKED_AT_BYTES_MAX = 16 * 1_048_576

export const PIXEL_DATA: Tag = 0x7fe00010

/** Where an element stands. */
export interface Place {
  syntax: Syntax
  /** Sequences around it. */
  depth: number
}

/** What is done with a data set on its way from `source` to `sink`. */
export interface Visitor {
  /** A data set begins: the file's own, or an item of a sequence. */
  begin?(depth: number): void
  treat(element: Element, place: Place): Treatment
  /** The value instead of this one; undefined leaves the element out. `treat` gave the treatment. */
  change(element: Element, treatment: Treatment, value: Buffer, place: Place): Buffer | undefined
  /**
   * At the top level, before what is read on of an element, and once at the end with undefined: what is
   * to be written first. False ends the walk.
   */
  before?(element: Element | undefined): Buffer | false | undefined
  pixels?: PixelVisitor
}

/** What is done with pixel data in fragments, at the top level: PS3.5, section A.4. */
export interface PixelVisitor {
  /** What is written as the table of offsets, whatever its bytes are; false ends the walk. */
  offsetTable(table: Buffer): Buffer | false
  /** Whether the table, of which this is asked after the last fragment, is of where fragments begin. */
  offsetsHold?(hold: boolean): void
  filter?: PixelFilter | undefined
}

interface Walk {
  source: DicomSource
  sink: DicomSink | undefined
  visitor: Visitor
  /** Elements, items and fragments so far. */
  elements: number
  /** The visitor has seen what it wanted. */
  isOver: boolean
}

interface Spot extends Place {
  /** Where the enclosing value ends; undefined when a delimiter ends it, or the file. */
  end: number | undefined
  /** What is removed is still walked where only that shows its end. */
  isRemoved: boolean
}

/**
 * Walks through a data set, element by element, and writes what the visitor makes of it. Lengths of
 * sequences and items become undefined (PS3.5, section 7.5), so nothing need be known beforehand, and
 * memory stays flat however long the file. Refusals: `dicom-unreadable`, `dicom-too-complex`.
 */
export async function walkDataSet(
  source: DicomSource,
  sink: DicomSink | undefined,
  syntax: Syntax,
  visitor: Visitor
): Promise<void> {
  const walk: Walk = { source, sink, visitor, elements: 0, isOver: false }
  await dataSet(walk, { syntax, end: undefined, depth: 0, isRemoved: false })
}

function put({ sink }: Walk, bytes: Buffer, { isRemoved }: Spot): void {
  if (!isRemoved) sink?.put(bytes)
}

function count(walk: Walk): void {
  walk.elements += 1
  if (walk.elements > ELEMENTS_MAX) throw new Refusal('dicom-too-complex', 'elements')
}

async function dataSet(walk: Walk, place: Spot): Promise<void> {
  const { source, sink, visitor } = walk
  let last = -1
  if (!place.isRemoved) visitor.begin?.(place.depth)
  for (;;) {
    if (walk.isOver || isAtEnd(walk, place)) return
    const element = await readElement(source, place.syntax)
    if (sink?.isFull()) await sink.flush()
    if (element === undefined) {
      if (place.depth > 0) throw unreadable('cut in a sequence')
      const rest = visitor.before?.(undefined)
      if (rest) put(walk, rest, place)
      return
    }
    count(walk)
    if (element.tag === ITEM_END && place.depth > 0 && place.end === undefined) return
    if (place.depth === 0) {
      // Two of one tag, or one out of its place, would be read by some and not by others.
      if (element.tag <= last) throw unreadable('elements out of order')
      last = element.tag
      const first = visitor.before?.(element)
      if (first === false) return
      if (first) put(walk, first, place)
    }
    if (element.representation === '') throw unreadable('a delimiter in no sequence')
    const { end } = place
    if (end !== undefined && source.position() + (element.length ?? 0) > end) {
      throw unreadable('a value beyond its sequence')
    }
    await treat(walk, element, place)
  }
}

function isAtEnd({ source }: Walk, { end }: Spot): boolean {
  if (end === undefined || source.position() < end) return false
  if (source.position() > end) throw unreadable('an element beyond its sequence')
  return true
}

async function treat(walk: Walk, element: Element, place: Spot): Promise<void> {
  const { sink, visitor } = walk
  const { tag } = element
  const treatment = place.isRemoved ? 'remove' : visitor.treat(element, place)
  if (treatment === 'remove') return skip(walk, element, place)
  if (isSequence(element)) {
    if (treatment === 'enter') return sequence(walk, element, place)
    await skip(walk, element, place)
    return put(walk, emptyOf(element, place.syntax), place)
  }
  if (treatment === 'empty') {
    await skip(walk, element, place)
    return put(walk, emptyOf(element, place.syntax), place)
  }
  if (treatment === 'enter') return skip(walk, element, place)
  if (treatment === 'pass' && sink !== undefined) return copy(walk, element, place)
  if (treatment === 'pass') return skip(walk, element, place)
  const changed = visitor.change(element, treatment, await value(walk, element), place)
  if (changed !== undefined) {
    put(walk, elementBytes(tag, element.representation, changed, place.syntax), place)
  }
}

/** The value, held until the next is read. */
async function value({ source }: Walk, { length }: Element): Promise<Buffer> {
  if (length === undefined) throw unreadable('a value without an end')
  if (length > LOOKED_AT_BYTES_MAX) throw new Refusal('dicom-too-complex', 'a long value')
  if (!(await source.fill(length))) throw unreadable('cut in a value')
  return source.take(length)
}

async function copy(walk: Walk, element: Element, place: Spot): Promise<void> {
  put(walk, headerBytes(element, place.syntax), place)
  if (element.length === undefined) await fragments(walk, element, place)
  else await through(walk, element.length, place)
}

async function skip(walk: Walk, element: Element, place: Spot): Promise<void> {
  const removed = { ...place, isRemoved: true }
  if (element.length !== undefined) return through(walk, element.length, removed)
  if (kindOf(element.representation) === 'binary') return fragments(walk, element, removed)
  return sequence(walk, element, removed)
}

async function through(
  walk: Walk,
  length: number,
  place: Spot,
  filter?: PixelFilter
): Promise<void> {
  const { source, sink } = walk
  for (let left = length; left > 0; ) {
    const piece = await source.piece(left)
    if (piece === undefined) throw unreadable('cut in a value')
    left -= piece.length
    put(walk, filter?.pass(piece) ?? piece, place)
    if (sink?.isFull()) await sink.flush()
  }
}

/** Pixel data in pieces: PS3.5, section A.4. */
async function fragments(walk: Walk, element: Element, place: Spot): Promise<void> {
  const isPixels = element.tag === PIXEL_DATA && place.depth === 0
  if (!isPixels && !place.isRemoved) throw unreadable('a value without an end')
  const pixels = isPixels ? walk.visitor.pixels : undefined
  let table: Buffer | undefined
  let [start, listed] = [0, 0]
  for (;;) {
    const fragment = await readElement(walk.source, place.syntax)
    if (fragment === undefined) throw unreadable('cut in pixel data')
    count(walk)
    if (fragment.tag === SEQUENCE_END) {
      put(walk, headerBytes(fragment, place.syntax), place)
      break
    }
    const { length } = fragment
    if (fragment.tag !== ITEM || length === undefined) throw unreadable('pixel data')
    if (pixels !== undefined && table === undefined) {
      // The first is no fragment but a list of where the frames begin.
      table = Buffer.from(await value(walk, fragment))
      const written = pixels.offsetTable(table)
      if (written === false) {
        walk.isOver = true
        return
      }
      put(walk, headerBytes({ ...fragment, length: written.length }, place.syntax), place)
      put(walk, written, place)
      continue
    }
    if (table && listed + 4 <= table.length && table.readUInt32LE(listed) === start) listed += 4
    start += 8 + length
    put(walk, headerBytes(fragment, place.syntax), place)
    pixels?.filter?.begin()
    await through(walk, length, place, pixels?.filter)
  }
  pixels?.offsetsHold?.(listed === (table?.length ?? 0))
}

async function sequence(walk: Walk, element: Element, place: Spot): Promise<void> {
  const { source } = walk
  if (place.depth >= DEPTH_MAX) throw new Refusal('dicom-too-complex', 'depth')
  // What is of unknown representation is implicit little endian within: PS3.5, section 6.2.2.
  const isUnknown = element.representation === 'UN'
  const syntax = isUnknown ? implicitLittle : place.syntax
  const end = element.length === undefined ? undefined : source.position() + element.length
  const inner = { ...place, syntax, end, depth: place.depth + 1 }
  put(walk, headerBytes({ ...element, length: undefined }, place.syntax), inner)
  for (;;) {
    if (isAtEnd(walk, inner)) break
    const item = await readElement(source, syntax)
    if (item === undefined) throw unreadable('cut in a sequence')
    count(walk)
    if (item.tag === SEQUENCE_END && end === undefined) break
    if (item.tag !== ITEM) throw unreadable('no item in a sequence')
    const itemEnd = item.length === undefined ? undefined : source.position() + item.length
    if (end !== undefined && itemEnd !== undefined && itemEnd > end) {
      throw unreadable('an item beyond its sequence')
    }
    put(walk, headerBytes({ ...item, length: undefined }, syntax), inner)
    await dataSet(walk, { ...inner, end: itemEnd })
    put(walk, headerBytes({ tag: ITEM_END, representation: '', length: 0 }, syntax), inner)
  }
  put(walk, headerBytes({ tag: SEQUENCE_END, representation: '', length: 0 }, syntax), inner)
}

/** What the file calls a sequence, or does not know but the standard does. */
function isSequence({ tag, representation }: Element): boolean {
  if (representation === 'UN') return representationOf(tag) === 'SQ'
  return representation === 'SQ'
}

function emptyOf({ tag, representation }: Element, syntax: Syntax): Buffer {
  return headerBytes({ tag, representation, length: 0 }, syntax)
}
