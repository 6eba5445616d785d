import { randomBytes } from 'node:crypto'
import type { Receipt } from '../audit/receipt.ts'

/**
 * A store of sealed objects: write-once blobs under random names. It knows nothing of cases,
 * people or keys, and nothing in a blob or its name says whose it is.
 *
 * Durability. A blob survives a power cut once `commit()` and then a `sync()` that names it have
 * both resolved, and not before. Both must come before the transaction that records the blob. If
 * the process stops earlier, at most an orphan is left: an unfinished one for `sweepUnfinished()`,
 * or a whole one that `list()` shows and no row names.
 *
 * Concurrency. Every method may be called at any time, in parallel. A writer belongs to one caller.
 * A blob never changes after `commit()`, so readers need no lock. Whether a reader that is open
 * while its blob is removed reads on or fails is not promised.
 *
 * Idempotence. `remove`, `sync`, `sweepUnfinished`, `abort` and `close` may be repeated. After a
 * `create`, `write`, `commit` or `sync` that failed nobody knows what was stored: call `abort()`
 * and `remove(name)`, then start again with a new blob. Above all never repeat a failed `sync()`
 * and believe the second answer, because the operating system may have dropped the pages that it
 * could not write.
 *
 * Failure. Every method but `abort` rejects with a `BlobError` when the store fails, and with a
 * `TypeError` or `RangeError` when the caller is at fault.
 */
export interface Blobs {
  /**
   * Starts a blob under a fresh random name, which shows nothing until `commit()` resolves. A restore
   * gives the name the blob had elsewhere, into a store that is empty: one of that name is replaced.
   */
  create(name?: string): Promise<BlobWriter>
  /** Opens a committed blob. Fails with `blob-missing` when there is none of that name. */
  open(name: string, receipt: Receipt): Promise<BlobReader>
  /**
   * Removes a committed blob, and every version that the store has of it; succeeds when there is none.
   * A power cut may bring it back. `kept` when the store would not let all of it go, or does not say.
   */
  remove(name: string): Promise<Removal>
  /** Every committed blob, in no order. One that comes or goes meanwhile may show or not. */
  list(): AsyncIterable<BlobEntry>
  /** Makes committed blobs durable, at once for many: a record has hundreds of objects. */
  sync(names: string[]): Promise<void>
  /** Throws unless the store answers now. */
  check(): Promise<void>
  /** Bytes this process may still store; Infinity when the store has no bound. */
  freeBytes(): Promise<number>
  /**
   * Removes what `create()` left behind in an earlier process and says how many there were.
   * Writers of this process are spared. In a store that many share, what is younger than its age for
   * this may be theirs and is spared; on a disk only unless the caller knows that it is `alone`.
   */
  sweepUnfinished(alone?: boolean): Promise<number>
  /** Aborts the writers that are still unfinished. Nothing may be called afterwards. */
  close(): Promise<void>
}

/** What a store made of a removal. */
export type Removal = 'gone' | 'kept'

export interface BlobWriter {
  readonly name: string
  /**
   * Appends `bytes`, which the caller may reuse once this resolves. Each call is one write to the
   * store, so callers gather about 1 MiB first, and wait for each before the next.
   */
  write(bytes: Buffer): Promise<void>
  /** Makes the blob visible and final. Refused after a failed write: no blob has a hole. */
  commit(): Promise<void>
  /**
   * Gives the blob up, also after a failed `commit()`. Never rejects; what it cannot remove is left
   * for `sweepUnfinished()`. Does nothing after a `commit()` that resolved.
   */
  abort(): Promise<void>
}

export interface BlobReader {
  /** Length of the blob in bytes. */
  readonly bytes: number
  /**
   * Fills `into` with the bytes that start at `position`, and says how many there were: fewer than
   * `into` holds only at the end of the blob, 0 past it.
   */
  read(into: Buffer, position: number): Promise<number>
  close(): Promise<void>
}

export interface BlobEntry {
  name: string
  bytes: number
  /** Milliseconds since 1970, UTC, by the clock of the store. */
  modifiedAt: number
}

export type BlobErrorCode = 'blob-store-full' | 'blob-store-failed' | 'blob-missing'

/** The store failed. The message names no path and no blob; what the system said is the `cause`. */
export class BlobError extends Error {
  readonly code: BlobErrorCode

  constructor(code: BlobErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.name = 'BlobError'
    this.code = code
  }
}

const NAME_BYTES = 16

/** 128 random bits in hex: no two blobs ever meet, and nobody can guess one. */
export function newBlobName(): string {
  return randomBytes(NAME_BYTES).toString('hex')
}

export function isBlobName(name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name)
}

/** Every store calls this before a name becomes part of a path or a key. */
export function assertBlobName(name: string): void {
  if (!isBlobName(name)) throw new TypeError('Not the name of a blob.')
}
