import { hash, type KeyObject } from 'node:crypto'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { randomSource } from '../sealing/random.ts'
import { canonicalJson } from './canonical.ts'

// An event as the log keeps it: the leaf, which anyone may read and which names nobody, and the
// details, which are sealed. docs/audit-log.md describes the bytes.

/** Longest leaf. C2SP tlog-tiles allows 65,535; ours are about 300. */
export const LEAF_BYTES_MAX = 1024
export const LEAF_VERSION = 1
export const SALT_BYTES = 32

/** What a leaf says. Times are ISO 8601 with milliseconds, UTC. */
export interface Leaf {
  action: string
  at: string
  /** Bytes handed to the transport. */
  bytes?: number | undefined
  /** Commitment to the details: SHA-256 of salt and details, base64url. */
  d: string
  /** The granted event that this one completes. */
  grant?: string | undefined
  id: string
  /** This is the n-th event of the share, from 1, so that one that is removed leaves a gap. */
  n?: number | undefined
  outcome: string
  share?: string | undefined
  v: typeof LEAF_VERSION
}

/** What is sealed of an event: everything about it that is not in its leaf. */
export interface Details {
  actor?: string | undefined
  actorOrganisation?: string | undefined
  case?: string | undefined
  code?: string | undefined
  country?: string | undefined
  details: Record<string, unknown>
  object?: string | undefined
  organisation?: string | undefined
  /** The patient's reference, base64url: it names nobody without the lookup key. */
  patient?: string | undefined
  record?: string | undefined
  /** The share that somebody reached for who is no party to it. Else it is in the leaf. */
  share?: string | undefined
}

const freshSalt = randomSource(SALT_BYTES)

/** The bytes of a leaf. Its members are all plain, so sorting their names makes them canonical. */
export function leafBytes(leaf: Leaf): Buffer {
  const { action, at, bytes, d, grant, id, n, outcome, share, v } = leaf
  // Written in sorted order; JSON.stringify leaves out what is undefined.
  const text = JSON.stringify({ action, at, bytes, d, grant, id, n, outcome, share, v })
  const encoded = Buffer.from(text)
  if (encoded.length > LEAF_BYTES_MAX) throw new RangeError('A leaf of the log is too long.')
  return encoded
}

/** SHA-256 of the salt and the details, base64url. Without the salt no guess can be tested. */
export function commitmentTo(saltAndDetails: Uint8Array): string {
  return hash('sha256', saltAndDetails, 'base64url')
}

/** The details with a salt of their own, as they are committed to and sealed. */
export function saltDetails(details: Details): Buffer {
  return Buffer.concat([freshSalt(), Buffer.from(canonicalJson(details))])
}

const boxContext = (id: string): Buffer => canonicalContext('audit-event', id)

export function sealDetails(key: KeyObject, id: string, salted: Uint8Array): Buffer {
  return sealBox(key, boxContext(id), salted)
}

/** Salt and details of one event. Throws SealError when the box was changed or belongs elsewhere. */
export function openDetails(key: KeyObject, id: string, box: Uint8Array): Buffer {
  return openBox(key, boxContext(id), box)
}

export function parseDetails(salted: Buffer): Details {
  return JSON.parse(salted.subarray(SALT_BYTES).toString())
}
