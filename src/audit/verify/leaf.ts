import { isId } from '../../http/page.ts'
import { LEAF_BYTES_MAX, LEAF_VERSION, type Leaf, leafBytes } from '../entry.ts'
import { HASH_BYTES } from '../tlog/tree.ts'

const ACTION = /^[a-z]+(?:[.-][a-z]+)*$/
const OUTCOME = /^[a-z]+$/
const TIME_HEX_DIGITS = 12

const isCount = (value: unknown, min: number): boolean =>
  Number.isSafeInteger(value) && Number(value) >= min
const isIdText = (value: unknown): boolean => typeof value === 'string' && isId(value)
const isAbsentOr = (value: unknown, is: (value: unknown) => boolean): boolean =>
  value === undefined || is(value)

/**
 * Reads the bytes of a leaf as strictly as they are written: a leaf that could be written in a
 * second way is refused. The other result says what is wrong, to stand after "its leaf".
 */
export function readLeaf(bytes: Buffer): Leaf | string {
  if (bytes.byteLength > LEAF_BYTES_MAX) return `has more than ${LEAF_BYTES_MAX} bytes`
  let leaf: Leaf
  try {
    leaf = JSON.parse(bytes.toString())
  } catch {
    return 'is not JSON'
  }
  if (typeof leaf !== 'object' || leaf === null) return 'is not an object'
  if (!isCanonical(leaf, bytes)) return 'is not in canonical form, or has members it must not have'
  return wrongMember(leaf) ?? leaf
}

function isCanonical(leaf: Leaf, bytes: Buffer): boolean {
  try {
    return leafBytes(leaf).equals(bytes)
  } catch {
    return false
  }
}

function wrongMember(leaf: Leaf): string | undefined {
  const { action, at, bytes, d, grant, id, n, outcome, share, v } = leaf
  if (v !== LEAF_VERSION) return 'is of an unknown version'
  if (typeof action !== 'string' || !ACTION.test(action)) return 'names no action'
  if (typeof outcome !== 'string' || !OUTCOME.test(outcome)) return 'names no outcome'
  if (!isTime(at)) return 'has no time'
  if (!isIdText(id)) return 'has no id'
  if (timeInId(id) !== Date.parse(at)) return 'has another time than its id'
  if (!isCommitment(d)) return 'has no commitment to details'
  if (!isAbsentOr(bytes, value => isCount(value, 0))) return 'has no number for its bytes'
  if (!isAbsentOr(grant, isIdText)) return 'completes what is no id'
  if (grant !== undefined && outcome === 'granted') return 'both grants and completes'
  if (!isAbsentOr(share, isIdText)) return 'names a share by what is no id'
  if (!isAbsentOr(n, value => isCount(value, 1))) return 'has no number for its share'
  if ((share === undefined) !== (n === undefined)) return 'has a share or its number, not both'
  return undefined
}

function isTime(at: unknown): boolean {
  if (typeof at !== 'string') return false
  const milliseconds = Date.parse(at)
  return !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString() === at
}

/** A UUIDv7 begins with its time (RFC 9562, section 5.7). */
const timeInId = (id: string): number =>
  Number.parseInt(id.replace('-', '').slice(0, TIME_HEX_DIGITS), 16)

function isCommitment(d: unknown): boolean {
  if (typeof d !== 'string') return false
  const bytes = Buffer.from(d, 'base64url')
  return bytes.byteLength === HASH_BYTES && bytes.toString('base64url') === d
}
