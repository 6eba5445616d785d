import type { KeyObject } from 'node:crypto'
import { Refusal } from '../errors.ts'
import {
  layoutContext,
  objectContext,
  openBox,
  type SegmentPlace,
  sealBox,
  segmentContext
} from '../sealing/keys.ts'
import type { ObjectRow } from './queries.ts'

/** An object sealed as one blob. */
export const ONE_BLOB = 'cobblestone-256'
/** An object sealed in segments, each of which is a whole sealed blob of its own. */
export const SEGMENTS = 'cobblestone-256-segments'

/** One segment of an object: what it was sealed for, and how many bytes it holds. */
export interface Segment extends SegmentPlace {
  bytes: number
}

/** One sealed blob and what opens it. The parts of an object in order are the object. */
export interface SealedPart {
  blob: string
  context: Buffer
  /** Of plaintext. */
  bytes: number
}

/** Whose key opens an object, and where it belongs. */
export interface Home {
  organisationId: string
  recordId: string
}

/** Runs of segments that one upload received: `[blob, bytes]` from the number `first` on. */
type StoredLayout = { upload: string; first: number; segments: [blob: string, bytes: number][] }[]

/**
 * Seals the list of an object's segments under the record's key. Readers go by it alone, so a
 * segment that is missing, swapped or out of its order shows as soon as it is come to.
 */
export function sealLayout(
  key: KeyObject,
  { organisationId, recordId }: Home,
  objectId: string,
  segments: Segment[]
): Buffer {
  const runs: StoredLayout = []
  for (const { upload, number, blob, bytes } of segments) {
    const last = runs.at(-1)
    if (last?.upload === upload && last.first + last.segments.length === number) {
      last.segments.push([blob, bytes])
    } else runs.push({ upload, first: number, segments: [[blob, bytes]] })
  }
  const context = layoutContext(organisationId, recordId, objectId)
  return sealBox(key, context, Buffer.from(JSON.stringify(runs)))
}

/** Throws SealError when the list is not the one that was sealed for this object. */
export function openLayout(
  key: KeyObject,
  { organisationId, recordId }: Home,
  objectId: string,
  sealed: Buffer
): Segment[] {
  const context = layoutContext(organisationId, recordId, objectId)
  const runs: StoredLayout = JSON.parse(openBox(key, context, sealed).toString())
  return runs.flatMap(({ upload, first, segments }) =>
    segments.map(([blob, bytes], i) => ({ upload, number: first + i, blob, bytes }))
  )
}

/** What an object is made of. Refusal `object-damaged` when its row contradicts itself. */
export function partsOfObject(
  key: KeyObject,
  organisationId: string,
  object: Pick<ObjectRow, 'id' | 'recordId' | 'blob' | 'format' | 'bytes' | 'layoutSealed'>
): SealedPart[] {
  const { recordId, blob, format, bytes, layoutSealed } = object
  const home = { organisationId, recordId }
  if (format === ONE_BLOB && blob !== null && layoutSealed === null) {
    return [{ blob, context: objectContext(organisationId, recordId, object.id), bytes }]
  }
  if (format !== SEGMENTS || layoutSealed === null) {
    throw new Refusal('object-damaged', 'unknown format')
  }
  const parts = partsOfSegments(home, openLayout(key, home, object.id, layoutSealed))
  if (bytesOf(parts) !== bytes) throw new Refusal('object-damaged', 'length of segments')
  return parts
}

export function partsOfSegments(
  { organisationId, recordId }: Home,
  segments: Segment[]
): SealedPart[] {
  return segments.map(segment => ({
    blob: segment.blob,
    context: segmentContext(organisationId, recordId, segment),
    bytes: segment.bytes
  }))
}

export const bytesOf = (parts: { bytes: number }[]): number =>
  parts.reduce((total, part) => total + part.bytes, 0)
