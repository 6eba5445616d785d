import { createHmac, type KeyObject } from 'node:crypto'
import { canonicalContext } from '../../sealing/keys.ts'
import { trimValue } from './values.ts'

/** Frames of reference that the standard itself names, as of an atlas (PS3.6, table A-2). */
const KNOWN_FRAMES = /^1\.2\.840\.10008\.1\.4\.\d\.\d{1,3}$/
/** Dates are moved back by at least a month and at most ten years, in whole weeks. */
const WEEKS_MIN = 5
const WEEKS_MAX = 520
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const PSEUDONYM_CHARACTERS = 8

/** What stands for a patient and their studies in one copy. Another key gives all else. */
export interface Pseudonyms {
  /** Eight letters and digits. */
  patient: string
  /** Days that every date is moved by; below zero. */
  days: number
  /** Another UID for this one; the same for the same. Empty stays empty. */
  uid(value: string): string
}

/**
 * Everything is derived from a key of 32 random bytes, so that files made at different times agree and
 * nobody without the key can tell what belongs to what, or undo it.
 */
export function pseudonymsOf(key: KeyObject): Pseudonyms {
  const derive = (purpose: string, value: string): Buffer =>
    createHmac('sha256', key)
      .update(canonicalContext('deidentify', purpose, value))
      .digest()

  const letters = derive('patient', '')
  const weeks = WEEKS_MIN + (derive('days', '').readUInt32BE(0) % (WEEKS_MAX - WEEKS_MIN + 1))
  return {
    patient: [...letters.subarray(0, PSEUDONYM_CHARACTERS)]
      .map(byte => ALPHABET[byte % ALPHABET.length])
      .join(''),
    days: -7 * weeks,
    uid(value) {
      const original = trimValue(value)
      if (original === '' || KNOWN_FRAMES.test(original)) return original
      return uidOf(derive('uid', original))
    }
  }
}

/** 2.25 and the decimal of a UUID (DICOM PS3.5, section B.2), of version 8 (RFC 9562). */
function uidOf(bytes: Buffer): string {
  const uuid = Buffer.from(bytes.subarray(0, 16))
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6)
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8)
  return `2.25.${BigInt(`0x${uuid.toString('hex')}`)}`
}
