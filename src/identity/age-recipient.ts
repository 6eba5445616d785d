import { createHash } from 'node:crypto'

/** Recipients that a quantum computer does not help against: ML-KEM-768 beside a curve. */
const HYBRID = /^age1(pq|tagpq)1/

export const isPostQuantum = (recipient: string): boolean => HYBRID.test(recipient)

/** Half of its SHA-256 in groups of eight, to be read to each other over the telephone. */
export function fingerprintOf(recipient: string): string {
  const digest = createHash('sha256').update(recipient).digest('hex').slice(0, 32)
  return digest.match(/.{8}/g)?.join(' ') ?? ''
}
