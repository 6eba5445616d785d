import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { INSPECT_BYTES, type Inspection } from '../records/inspect/inspect.ts'
import { homeOf } from './draft.ts'
import { inspectHead, seenBefore } from './finish.ts'
import { segmentAt } from './queries.ts'
import { bytesOfSegment } from './read-back.ts'
import { type Act, type Arrived, recordSegments } from './recorded.ts'
import { beginSegment, type SealedSegment, type SegmentWriter } from './segment.ts'

/** A segment that has this much is ended, and what came so far is acknowledged by the next HEAD. */
export const SEGMENT_BYTES = 64 * 1_048_576
/** One that ended with less is sealed anew together with what comes next. */
export const SMALL_SEGMENT_BYTES = 1_048_576

/** The bytes of one request on their way into an upload. */
export interface Arrival {
  /** Takes the piece and its memory. Refusals are those of the file, or `upload-too-long`. */
  take(piece: Buffer): Promise<void>
  /** Puts all that came so far on record, because it may be long until more comes. */
  rest(): Promise<void>
  /** The same at the end. Resolves to the new offset and whether the file is whole by it. */
  end(): Promise<{ offset: number; isWhole: boolean }>
  /** Gives up what is not on record. Never throws. */
  discard(): Promise<void>
}

/**
 * Seals what arrives in segments and puts each on record once it is durable, while the next is
 * already arriving. With `keepBack` nothing is put on record before the end. The caller holds the
 * place of the upload.
 */
export function beginArrival(exchange: Exchange, act: Act, keepBack: boolean): Arrival {
  const { upload } = act.found
  const home = homeOf(act.found)
  let taken = upload.received
  let nextNumber = upload.segments
  let seen: Inspection | undefined = seenBefore(act.found)
  const head: Buffer[] = []
  let writer: SegmentWriter | undefined
  /** What follows goes behind the segments that are on record, or about to be. */
  let recordedTo = upload.received
  let replaced: Arrived['replaced']
  let isWhole = false
  /** Durable, and kept back from the record until the end. */
  let held: SealedSegment[] = []
  /** Segments that no row names yet, in order. */
  let unnamed: SegmentWriter[] = []
  let recording: Promise<void> = Promise.resolve()

  async function begin(): Promise<SegmentWriter> {
    const before = nextNumber === 0 || held.length > 0 ? undefined : await lastSegment()
    const carried = before && (await bytesOfSegment(exchange, act, before))
    if (before !== undefined) {
      nextNumber = before.number
      replaced = { blob: before.blob }
    }
    const follow = { name: upload.id, at: taken, skip: carried?.byteLength ?? 0 }
    const place = { upload: upload.id, number: nextNumber }
    const begun = await beginSegment(exchange, act.key, home, place, follow)
    nextNumber += 1
    unnamed.push(begun)
    if (carried !== undefined) {
      // Only the first segment can hold what was too little to judge.
      if (needsLook()) head.push(Buffer.from(carried))
      await begun.write(carried)
    }
    return begun
  }

  /** The one before, when it is small: then the next takes its place. */
  async function lastSegment() {
    await recording
    const wanted = { uploadId: upload.id, place: nextNumber - 1 }
    const [row] = await segmentAt(exchange.database.read, wanted)
    return row !== undefined && row.bytes < SMALL_SEGMENT_BYTES ? row : undefined
  }

  const needsLook = () => seen === undefined && upload.part !== 'partial'

  async function look(piece: Buffer): Promise<void> {
    if (!needsLook()) return
    head.push(Buffer.from(piece.subarray(0, INSPECT_BYTES)))
    const bytes = head.reduce((total, part) => total + part.byteLength, 0)
    if (bytes < Math.min(INSPECT_BYTES, upload.bytes)) return
    seen = await inspectHead(exchange, act, Buffer.concat(head.splice(0)))
  }

  /** Ends the open segment; it is put on record behind the one before it. */
  async function close(): Promise<void> {
    const closing = writer
    if (closing === undefined) return
    writer = undefined
    const earlier = recording
    const [from, to] = [recordedTo, taken]
    const arrived = { from, to, replaced, seen }
    if (!keepBack) {
      recordedTo = to
      replaced = undefined
    }
    const ending = closing.end()
    recording = (async () => {
      const sealed = await ending
      await earlier
      if (keepBack) held.push(sealed)
      else await record({ ...arrived, segments: [sealed] })
    })()
    recording.catch(() => {})
    // So at most one is on its way to the disk while another arrives.
    await earlier
  }

  async function record(arrived: Arrived): Promise<void> {
    const named = () => {
      unnamed = unnamed.slice(arrived.segments.length)
    }
    try {
      isWhole = await recordSegments(exchange, act, arrived)
      named()
    } catch (err) {
      // What the disk failed may be stored all the same, and then its rows need these blobs.
      if (err instanceof Refusal && err.code === 'storage-unavailable') named()
      throw err
    }
  }

  return {
    async take(piece) {
      if (taken + piece.byteLength > upload.bytes) throw new Refusal('upload-too-long')
      writer ??= await begin()
      taken += piece.byteLength
      await look(piece)
      await writer.write(piece)
      if (writer.bytes() >= SEGMENT_BYTES) await close()
    },
    async rest() {
      if (keepBack) return
      await close()
      await recording
    },
    async end() {
      await close()
      await recording
      if (held.length > 0) {
        await record({ from: recordedTo, to: taken, segments: held, replaced, seen })
        held = []
      }
      return { offset: taken, isWhole }
    },
    async discard() {
      await recording.catch(() => {})
      for (const one of unnamed.splice(0)) await one.discard()
    }
  }
}
