import { randomBytes } from 'node:crypto'

const DRAWN_AT_A_TIME = 256

/**
 * Gives `bytes` fresh random bytes at each call, drawn many at a time, because asking the system for
 * them takes longer than sealing a field. No byte is ever given out twice.
 */
export function randomSource(bytes: number): () => Buffer {
  let drawn = Buffer.alloc(0)
  return () => {
    if (drawn.byteLength === 0) drawn = randomBytes(bytes * DRAWN_AT_A_TIME)
    const fresh = drawn.subarray(0, bytes)
    drawn = drawn.subarray(bytes)
    return fresh
  }
}
