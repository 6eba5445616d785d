import type { KeyObject } from 'node:crypto'

/** The form of a KEK's id. */
export const KEK_ID = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Holds the key-encryption keys (KEKs) that wrap every other key: a file, or a key service that
 * never gives its keys out. Everything is asynchronous for the sake of the second.
 *
 * Every method throws SealError keys-unavailable when the key ring cannot be asked now, and nobody
 * can tell from it whether a key is there.
 */
export interface Keyring {
  /** The KEK that wraps new keys, from this moment on. */
  currentId(): Promise<string>
  /** Every KEK that it can unwrap with, the current one first. */
  kekIds(): Promise<string[]>
  /**
   * Encrypts `key` under the named KEK and binds it to `context`.
   * Throws key-missing when the key ring has no such KEK.
   */
  wrap(kekId: string, context: Buffer, key: Uint8Array): Promise<Buffer>
  /**
   * The reverse, with the key as node:crypto takes it.
   * Throws key-missing when the key ring has no such KEK, key-damaged when `wrapped` was not made
   * by `wrap` with this KEK and context.
   */
  unwrap(kekId: string, context: Buffer, wrapped: Uint8Array): Promise<KeyObject>
  /** Hangs up. It may not be asked afterwards. */
  close(): void
}
