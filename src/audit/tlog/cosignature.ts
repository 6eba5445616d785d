import { type KeyObject, sign } from 'node:crypto'
import {
  isSignedBy,
  keyIdOf,
  type Note,
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  publicKeyOf,
  type VerifierKey,
  verifiedSignatures,
  verifierKeyOf
} from './note.ts'
import { TlogError } from './tlog-error.ts'

// C2SP tlog-cosignature, the form for Ed25519: a witness states that at some second this was the
// largest consistent tree of the log it had seen.

export const COSIGNATURE_TYPE = 0x04
const TIME_BYTES = 8

export interface Cosignature {
  /** The witness: name and id of its key. */
  name: string
  id: string
  /** When it signed, in POSIX seconds. Whether that is recent enough is the caller's to judge. */
  seconds: number
}

/**
 * Checks cosignatures by a witness's key. Throws key-type-unknown for a key of another type. A
 * time that is no safe integer counts as not signed: it would be millions of years ahead.
 */
export function cosignatureVerifier(key: VerifierKey): NoteVerifier {
  if (key.type !== COSIGNATURE_TYPE) {
    throw new TlogError('key-type-unknown', 'This key does not cosign checkpoints.')
  }
  const publicKey = publicKeyOf(key)
  return {
    name: key.name,
    id: keyIdOf(key),
    verify(text, signature) {
      const seconds = secondsOf(signature)
      if (seconds === undefined) return false
      return isSignedBy(publicKey, message(seconds, text), signature.subarray(TIME_BYTES))
    }
  }
}

/** Cosigns as a witness at the given second, for `signNote`. Throws RangeError for a bad time. */
export function cosignatureSigner(
  name: string,
  privateKey: KeyObject,
  seconds: number
): NoteSigner {
  if (!Number.isSafeInteger(seconds) || seconds < 0) throw new RangeError('No POSIX time.')
  const time = Buffer.alloc(TIME_BYTES)
  time.writeBigUInt64BE(BigInt(seconds))
  const id = keyIdOf(verifierKeyOf(name, privateKey, COSIGNATURE_TYPE))
  return {
    name,
    id,
    sign: text => Buffer.concat([time, sign(null, message(seconds, text), privateKey)])
  }
}

/**
 * Which of these witnesses cosigned the checkpoint, and when; empty when none did. For an answer of
 * a witness, the note is the text that was sent and the signatures that came back.
 * Throws note-signature-wrong as `verifiedSignatures`, key-type-unknown for a key of another type.
 */
export function verifiedCosignatures(note: Note, witnesses: VerifierKey[]): Cosignature[] {
  return verifiedSignatures(note, witnesses.map(cosignatureVerifier)).map(asCosignature)
}

function asCosignature({ name, id, signature }: NoteSignature): Cosignature {
  return { name, id, seconds: Number(signature.readBigUInt64BE()) }
}

function secondsOf(signature: Buffer): number | undefined {
  if (signature.byteLength < TIME_BYTES) return undefined
  const seconds = Number(signature.readBigUInt64BE())
  return Number.isSafeInteger(seconds) ? seconds : undefined
}

/** The header line keeps a cosignature from ever being taken for a signature of a log. */
function message(seconds: number, text: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`cosignature/v1\ntime ${seconds}\n`), text])
}
