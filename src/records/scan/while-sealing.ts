import { isMarkedAsUntransferable } from 'node:worker_threads'
import { Refusal } from '../../errors.ts'
import { type ClamdAddress, type ClamdStream, openClamdStream } from './clamd.ts'
import { createSlots, type Leave } from './slots.ts'
import {
  notYetScanned,
  type ScanColumns,
  TOO_LARGE,
  unscannedColumns,
  type Verdict
} from './verdict.ts'

/** A connection is opened once this much of a file is there: a slow sender must not hold one long. */
const OPEN_BYTES = 1_048_576
/** What one file may be ahead of the scanner. Past it the scan is left to the background. */
const AHEAD_BYTES_MAX = 8 * 1_048_576
/** What all files together may be. */
const AHEAD_OF_ALL_BYTES_MAX = 32 * 1_048_576
/** How long a file may occupy a connection while it arrives. */
const ARRIVING_MILLISECONDS_MAX = 60_000
/** How long a file that is here waits for its verdict: all that a scanner can slow an upload by. */
const VERDICT_MILLISECONDS_MAX = 10_000
/** A scanner that kept a file waiting, or failed, is left alone by uploads for so long. */
const REST_MILLISECONDS = 30_000

/** The scan of one file while it is sealed. */
export interface ScanWhileSealing {
  /** Shows the next piece, before its memory goes to whoever seals it. Never waits, never throws. */
  take(piece: Uint8Array): void
  /**
   * After the last piece: what the object's row is to say. Waits ten seconds at most; without a
   * verdict by then the object is pending, and the background scan goes on with it. Throws the
   * Refusal `file-infected`, which names the file by its position.
   */
  columns(filePosition: number): Promise<ScanColumns>
  /** The upload has failed. Harmless at any time. */
  abort(): void
}

export interface InlineScans {
  begin(file: { endToEnd: boolean }): ScanWhileSealing
}

interface Settings {
  clamd: ClamdAddress
  bytesMax: number
  secondsMax: number
}

/** What uploads share: connections, memory, and whether to try at all. */
interface Shared extends Settings {
  slots: ReturnType<typeof createSlots>
  clock(): number
  /** Bytes of all files that no scanner has taken yet. */
  ahead: number
  restUntil: number
}

/** Counts what one file is ahead of the scanner. `add` says whether that was still allowed. */
function countAhead(shared: Shared) {
  let ahead = 0
  return {
    add(bytes: number): boolean {
      const isTooFar = ahead + bytes > AHEAD_BYTES_MAX
      if (isTooFar || shared.ahead + bytes > AHEAD_OF_ALL_BYTES_MAX) return false
      ahead += bytes
      shared.ahead += bytes
      return true
    },
    takeOff(bytes = ahead): void {
      ahead -= bytes
      shared.ahead -= bytes
    }
  }
}

/** Where there is nothing to scan with, or nothing that could be scanned, this costs nothing. */
export function notScanned(file: { endToEnd: boolean }): ScanWhileSealing {
  return { take() {}, columns: async () => unscannedColumns(file), abort() {} }
}

/** Scans files while they are sealed, at most `connections` of them at once. */
export function inlineScans(
  settings: Settings,
  connections: number,
  clock: () => number
): InlineScans {
  const slots = createSlots(connections)
  const shared: Shared = { ...settings, slots, clock, ahead: 0, restUntil: 0 }
  return {
    begin: file =>
      file.endToEnd || performance.now() < shared.restUntil
        ? notScanned(file)
        : scanWhileSealing(shared)
  }
}

/** `left` is for the background scan. */
type Outcome = Verdict | 'left'

function scanWhileSealing(shared: Shared): ScanWhileSealing {
  const { promise: settled, resolve } = Promise.withResolvers<Outcome>()
  let outcome: Outcome | undefined
  const ahead = countAhead(shared)
  let waiting: Uint8Array[] = []
  let bytes = 0
  let isWhole = false
  let opening = false
  let stream: ClamdStream | undefined
  let leave: Leave | undefined
  let timer: NodeJS.Timeout | undefined

  function settle(found: Outcome): void {
    if (outcome !== undefined) return
    outcome = found
    clearTimeout(timer)
    stream?.abort()
    leave?.()
    waiting = []
    ahead.takeOff()
    resolve(found)
  }
  /** The scanner is to blame: the files after this one need not find out for themselves. */
  function giveUp(): void {
    if (outcome === undefined) shared.restUntil = performance.now() + REST_MILLISECONDS
    settle('left')
  }
  function send(to: ClamdStream, piece: Uint8Array): void {
    to.write(piece, () => {
      if (outcome === undefined) ahead.takeOff(piece.byteLength)
    })
  }
  async function open(): Promise<void> {
    if (opening) return
    opening = true
    const place = await shared.slots.take()
    if (outcome !== undefined) return place()
    leave = place
    const opened = openClamdStream(shared.clamd, shared.secondsMax)
    stream = opened
    opened.verdict.then(found => {
      const isFailure = found.scan === 'not-scanned' && found.reason !== 'too-large'
      if (isFailure) giveUp()
      else settle(found)
    })
    for (const piece of waiting.splice(0)) send(opened, piece)
    if (isWhole) opened.end()
    else timer = setTimeout(() => settle('left'), ARRIVING_MILLISECONDS_MAX)
  }

  return {
    take(piece) {
      if (outcome !== undefined) return
      const { byteLength } = piece
      bytes += byteLength
      if (bytes > shared.bytesMax) return settle(TOO_LARGE)
      if (!ahead.add(byteLength)) return settle('left')
      const kept = willBeTaken(piece) ? new Uint8Array(piece) : piece
      if (stream !== undefined) return send(stream, kept)
      waiting.push(kept)
      if (bytes >= OPEN_BYTES) void open()
    },
    async columns(filePosition) {
      isWhole = true
      clearTimeout(timer)
      if (outcome === undefined) {
        timer = setTimeout(giveUp, VERDICT_MILLISECONDS_MAX)
        if (stream !== undefined) stream.end()
        else void open()
      }
      return columnsOf(await settled, shared.clock(), filePosition)
    },
    abort: () => settle('left')
  }
}

/** Throws the Refusal of an infected file. Its row would be the first to say anything of it. */
function columnsOf(outcome: Outcome, now: number, filePosition: number): ScanColumns {
  if (outcome === 'left') return notYetScanned
  if (outcome.scan === 'infected') {
    const logged = { signature: outcome.signature }
    throw new Refusal('file-infected', undefined, { filePosition, logged })
  }
  const reason = outcome.scan === 'not-scanned' ? outcome.reason : null
  return { ...notYetScanned, scan: outcome.scan, scanReason: reason, scanAt: now, scanDue: null }
}

/** Sealing takes a piece's memory away where it owns all of it, and copies it where it does not. */
function willBeTaken({ buffer, byteLength }: Uint8Array): boolean {
  const isSole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
  return isSole && !isMarkedAsUntransferable(buffer)
}
