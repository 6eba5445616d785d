import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { INSPECT_BYTES, type Inspection } from '../records/inspect/inspect.ts'
import { homeOf } from './draft.ts'
import { inspectHead, seenBefore } from './finish.ts'
import { segmentAt } from './queries.ts'
import { bytesOfSegment } from './read-back.ts'
import { type Act, type Arrived, recordSegments } from './recorded.ts'
import { beginSegment, type SealedSegment, type SegmentWriter } from './segment.ts'

/** A segment that has this much is ended, and what came so far is on record soon after. */
export const SEGMENT_BYTES = 64 * 1_048_576
/** One that ended with less is sealed anew together with what comes next. */
export const SMALL_SEGMENT_BYTES = 1_048_576

/**
 * The bytes of one request on their way into an upload: sealed in segments, each of which is put on
 * record once it is durable, while the next is already arriving. With `keepBack` nothing is put on
 * record before the end. The caller holds the place of the upload.
 */
export class Arrival {
  readonly #exchange: Exchange
  readonly #act: Act
  readonly #keepBack: boolean
  /** Bytes of the upload with those that were taken here. */
  #taken: number
  /** How far it is on record, or will be when what is being recorded is. */
  #recordedTo: number
  /** Of the next segment among those the upload has. */
  #nextPlace: number
  /** Of the next segment among all it ever had; undefined until the last one was looked at. */
  #nextNumber: number | undefined
  /** The blob of the last segment, on record or on its way there. */
  #lastBlob: string | undefined
  #seen: Inspection | undefined
  /** The first bytes, while they are too few to be judged. */
  #head: Buffer[] = []
  #writer: SegmentWriter | undefined
  #replaced: Arrived['replaced']
  /** Whether the last segment of this arrival needs no look: the next may begin while it is recorded. */
  #isLastLarge = false
  /** Durable, and kept back from the record until the end. */
  #held: SealedSegment[] = []
  /** Segments that no row names yet, in order. */
  #unnamed: SegmentWriter[] = []
  #recording: Promise<void> = Promise.resolve()
  #isWhole = false

  constructor(exchange: Exchange, act: Act, keepBack: boolean) {
    const { upload } = act.found
    this.#exchange = exchange
    this.#act = act
    this.#keepBack = keepBack
    this.#taken = upload.received
    this.#recordedTo = upload.received
    this.#nextPlace = upload.segments
    this.#nextNumber = upload.segments === 0 ? 0 : undefined
    this.#seen = seenBefore(act.found)
  }

  /** Takes the piece and its memory. Refusals are those of the file, or `upload-too-long`. */
  async take(piece: Buffer): Promise<void> {
    if (this.#taken + piece.byteLength > this.#act.found.upload.bytes) {
      throw new Refusal('upload-too-long')
    }
    this.#writer ??= await this.#begin()
    this.#taken += piece.byteLength
    await this.#look(piece)
    await this.#writer.write(piece)
    if (this.#writer.bytes() >= SEGMENT_BYTES) await this.#close()
  }

  /** Puts all that came so far on record, because it may be long until more comes. */
  async rest(): Promise<void> {
    if (this.#keepBack) return
    await this.#close()
    await this.#recording
  }

  /** The same at the end. Resolves to the new offset and whether the file is whole by it. */
  async end(): Promise<{ offset: number; isWhole: boolean }> {
    await this.#close()
    await this.#recording
    const segments = this.#held.splice(0)
    if (segments.length > 0) await this.#record({ ...this.#arrived(), segments })
    return { offset: this.#taken, isWhole: this.#isWhole }
  }

  /** Gives up what is not on record. Never throws. */
  async discard(): Promise<void> {
    await this.#recording.catch(() => {})
    for (const writer of this.#unnamed.splice(0)) await writer.discard()
  }

  async #begin(): Promise<SegmentWriter> {
    const { upload } = this.#act.found
    const before = await this.#smallBefore()
    const carried = before && (await bytesOfSegment(this.#exchange, this.#act, before))
    if (before !== undefined) {
      this.#nextPlace = before.place
      this.#replaced = { blob: before.blob }
    }
    const at = { upload: upload.id, number: this.#takeNumber(), place: this.#nextPlace }
    const skip = carried?.byteLength ?? 0
    const follow = { name: upload.id, at: this.#taken, skip, after: this.#lastBlob }
    const { key, found } = this.#act
    const writer = await beginSegment(this.#exchange, key, homeOf(found), at, follow)
    this.#nextPlace += 1
    this.#lastBlob = writer.blob
    this.#unnamed.push(writer)
    if (carried !== undefined) {
      // What was too little to be judged is all in the first segment.
      if (this.#needsLook() && this.#head.length === 0) this.#head.push(Buffer.from(carried))
      await writer.write(carried)
    }
    return writer
  }

  /**
   * However small a piece is, it has up to `SMALL_SEGMENT_BYTES` written anew and leaves two events. So
   * it is their number that bounds the work which a sender can make.
   */
  #takeNumber(): number {
    const { id, bytes } = this.#act.found.upload
    const { uploadPiecesSpareMax, uploadPieceBytes } = this.#exchange.limits
    if (this.#nextNumber === undefined) throw new Error(`Upload ${id} lacks its last segment.`)
    const sealedMax = uploadPiecesSpareMax + Math.ceil(bytes / uploadPieceBytes)
    if (this.#nextNumber >= sealedMax) throw new Refusal('upload-in-too-many-pieces')
    this.#nextNumber += 1
    return this.#nextNumber - 1
  }

  /** The segment before, when it is small: then the next takes its place. */
  async #smallBefore() {
    if (this.#nextPlace === 0 || this.#isLastLarge || this.#keepsSome()) return undefined
    await this.#recording
    const wanted = { uploadId: this.#act.found.upload.id, place: this.#nextPlace - 1 }
    const [row] = await segmentAt(this.#exchange.database.read, wanted)
    if (row !== undefined) this.#nextNumber ??= row.number + 1
    this.#lastBlob = row?.blob
    return row !== undefined && row.bytes < SMALL_SEGMENT_BYTES ? row : undefined
  }

  #keepsSome(): boolean {
    return this.#keepBack && this.#taken > this.#recordedTo
  }

  #needsLook(): boolean {
    return this.#seen === undefined && this.#act.found.upload.part !== 'partial'
  }

  async #look(piece: Buffer): Promise<void> {
    if (!this.#needsLook()) return
    this.#head.push(Buffer.from(piece.subarray(0, INSPECT_BYTES)))
    const bytes = this.#head.reduce((total, part) => total + part.byteLength, 0)
    if (bytes < Math.min(INSPECT_BYTES, this.#act.found.upload.bytes)) return
    const head = Buffer.concat(this.#head.splice(0))
    this.#seen = await inspectHead(this.#exchange, this.#act, head)
  }

  /** Ends the open segment; it is put on record behind the one before it. */
  async #close(): Promise<void> {
    const writer = this.#writer
    if (writer === undefined) return
    this.#writer = undefined
    this.#isLastLarge = writer.bytes() >= SMALL_SEGMENT_BYTES
    const ending = writer.end()
    const earlier = this.#recording
    const arrived = this.#arrived()
    if (!this.#keepBack) {
      this.#recordedTo = this.#taken
      this.#replaced = undefined
    }
    this.#recording = (async () => {
      const sealed = await ending
      await earlier
      if (this.#keepBack) this.#held.push(sealed)
      else await this.#record({ ...arrived, segments: [sealed] })
    })()
    this.#recording.catch(() => {})
    // So at most one is on its way to the disk while another arrives.
    await earlier
  }

  #arrived(): Omit<Arrived, 'segments'> {
    const [from, to] = [this.#recordedTo, this.#taken]
    return { from, to, replaced: this.#replaced, seen: this.#seen }
  }

  async #record(arrived: Arrived): Promise<void> {
    const named = () => this.#unnamed.splice(0, arrived.segments.length)
    try {
      this.#isWhole = await recordSegments(this.#exchange, this.#act, arrived)
      named()
    } catch (err) {
      // What the disk failed may be stored all the same, and then its rows need these blobs.
      if (err instanceof Refusal && err.code === 'storage-unavailable') named()
      throw err
    }
  }
}
