import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import { byteLengthOf, isKeyName, parseBase64, parsePlainText } from './strict-text.ts'
import { TlogError } from './tlog-error.ts'

// C2SP signed-note: a text, an empty line, and one line a signature.

/** Ed25519 over the text of the note. */
export const ED25519_TYPE = 0x01
/** Room for a hundred signatures by ML-DSA-44, the longest in use. */
export const NOTE_BYTES_MAX = 524_288
export const NOTE_SIGNATURES_MAX = 100
const KEY_ID_BYTES = 4

/** Types of keys that are understood, and how long their public keys are. */
const publicKeyBytes = new Map([
  [ED25519_TYPE, 32],
  [0x04, 32]
])
/** Such as example.com/log+530d903a+AekyeR… */
const VERIFIER_KEY = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/
const KEY_ID = /^[0-9a-f]{8}$/
const SIGNATURE_LINE = /^— ([^ ]+) ([^ ]+)$/

/** A public key under a name: what the text of a verifier key says. */
export interface VerifierKey {
  name: string
  type: number
  /** As RFC 8032 encodes it, 32 bytes. */
  publicKey: Buffer
}

/** A line of a note. `id` is the key id, eight lower-case hex digits. */
export interface NoteSignature {
  name: string
  id: string
  signature: Buffer
}

export interface Note {
  /** What is signed, including its last newline. */
  text: string
  signatures: NoteSignature[]
}

/** Somebody whose signatures can be checked. Name and id together say which are theirs. */
export interface NoteVerifier {
  name: string
  id: string
  verify(text: Buffer, signature: Buffer): boolean
}

export interface NoteSigner {
  name: string
  id: string
  sign(text: Buffer): Buffer
}

/**
 * The verifier key of an Ed25519 key, public or private, under this name. Throws key-malformed for
 * a name that is empty or has a space, a plus or a control character in it.
 */
export function verifierKeyOf(name: string, key: KeyObject, type = ED25519_TYPE): VerifierKey {
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('Notes are signed by Ed25519 keys.')
  if (!isKeyName(name)) throw keyMalformed()
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const { x } = publicKey.export({ format: 'jwk' })
  return { name, type, publicKey: Buffer.from(String(x), 'base64url') }
}

/** The key id: the first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key), in hex. */
export function keyIdOf({ name, type, publicKey }: VerifierKey): string {
  const named = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), publicKey])
  return hash('sha256', named, 'buffer').toString('hex', 0, KEY_ID_BYTES)
}

/** The verifier key as one word of text: name+id+base64(type ‖ public key). */
export function formatVerifierKey(key: VerifierKey): string {
  const material = Buffer.concat([Buffer.of(key.type), key.publicKey])
  return `${key.name}+${keyIdOf(key)}+${material.toString('base64')}`
}

/**
 * Reads a verifier key. Throws key-malformed when it is not spelt as `formatVerifierKey` spells it
 * or its id is another key's, key-type-unknown when it is for signatures that are not understood.
 */
export function parseVerifierKey(text: string): VerifierKey {
  const [, name = '', id, base64 = ''] = VERIFIER_KEY.exec(text) ?? []
  const material = parseBase64(base64)
  const type = material?.[0]
  if (!isKeyName(name) || material === undefined || type === undefined) throw keyMalformed()
  const bytes = publicKeyBytes.get(type)
  if (bytes === undefined) {
    throw new TlogError('key-type-unknown', 'Signatures by keys of this type are not understood.')
  }
  const key = { name, type, publicKey: material.subarray(1) }
  if (key.publicKey.byteLength !== bytes || keyIdOf(key) !== id) throw keyMalformed()
  return key
}

/** Checks plain Ed25519 signatures by this key. Throws key-type-unknown for one of another type. */
export function noteVerifier(key: VerifierKey): NoteVerifier {
  if (key.type !== ED25519_TYPE) {
    throw new TlogError('key-type-unknown', 'This key does not sign the text of notes itself.')
  }
  const publicKey = publicKeyOf(key)
  return {
    name: key.name,
    id: keyIdOf(key),
    verify: (text, signature) => isSignedBy(publicKey, text, signature)
  }
}

/** Signs as `name` with a private Ed25519 key. Throws key-malformed for a name not allowed. */
export function noteSigner(name: string, privateKey: KeyObject): NoteSigner {
  const id = keyIdOf(verifierKeyOf(name, privateKey))
  return { name, id, sign: text => sign(null, text, privateKey) }
}

/** The key as node:crypto takes it. Throws key-malformed when there is no such key. */
export function publicKeyOf({ publicKey }: VerifierKey): KeyObject {
  try {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    // The cause is left out: it may quote the key.
    throw keyMalformed()
  }
}

/** Whether an Ed25519 key signed this message. */
export function isSignedBy(publicKey: KeyObject, message: Buffer, signature: Buffer): boolean {
  return verify(null, message, publicKey, signature)
}

/**
 * Signs a text, which ends in a newline. Throws note-malformed when it does not, or is no plain
 * text, and note-too-long as `parseNote`.
 */
export function signNote(text: string, signers: NoteSigner[]): string {
  const signed = Buffer.from(text)
  const signatures = signers.map(({ name, id, sign }) => ({ name, id, signature: sign(signed) }))
  return formatNote({ text, signatures })
}

/** The note as text. What it gives, `parseNote` takes and gives back; else it throws the same. */
export function formatNote({ text, signatures }: Note): string {
  const lines = signatures.map(({ name, id, signature }) => {
    if (!KEY_ID.test(id)) throw noteMalformed()
    const line = Buffer.concat([Buffer.from(id, 'hex'), signature])
    return `— ${name} ${line.toString('base64')}\n`
  })
  const note = `${text}\n${lines.join('')}`
  if (parseNote(note).text !== text) throw noteMalformed()
  return note
}

/**
 * Takes a note apart and verifies nothing. Throws note-too-long above NOTE_BYTES_MAX or
 * NOTE_SIGNATURES_MAX, note-malformed for whatever signed-note, section "Format", does not allow.
 */
export function parseNote(input: string | Uint8Array): Note {
  if (byteLengthOf(input) > NOTE_BYTES_MAX) throw noteTooLong()
  const note = parsePlainText(input)
  if (note === undefined) throw noteMalformed()
  // The text may hold empty lines of its own: the last one ends it.
  const end = note.lastIndexOf('\n\n')
  if (end === -1) throw noteMalformed()
  return { text: note.slice(0, end + 1), signatures: parseSignatures(note.slice(end + 2)) }
}

/** Reads one or more signature lines, as they end a note and as a witness answers. Throws alike. */
export function parseSignatures(input: string | Uint8Array): NoteSignature[] {
  if (byteLengthOf(input) > NOTE_BYTES_MAX) throw noteTooLong()
  const lines = parsePlainText(input)?.split('\n') ?? []
  if (lines.length < 2 || lines.pop() !== '') throw noteMalformed()
  if (lines.length > NOTE_SIGNATURES_MAX) throw noteTooLong()
  return lines.map(line => {
    const [, name = '', base64 = ''] = SIGNATURE_LINE.exec(line) ?? []
    const bytes = parseBase64(base64)
    if (!isKeyName(name) || bytes === undefined || bytes.byteLength <= KEY_ID_BYTES) {
      throw noteMalformed()
    }
    const id = bytes.toString('hex', 0, KEY_ID_BYTES)
    return { name, id, signature: bytes.subarray(KEY_ID_BYTES) }
  })
}

/**
 * The signatures of these verifiers, the first of each. Lines of anybody else are passed over, as
 * the specification demands. Throws note-signature-wrong when a line bears a verifier's name and id
 * and they did not sign it, even next to a line that they did.
 */
export function verifiedSignatures(note: Note, verifiers: NoteVerifier[]): NoteSignature[] {
  const text = Buffer.from(note.text)
  const verified = new Map<NoteVerifier, NoteSignature>()
  for (const line of note.signatures) {
    const verifier = verifiers.find(({ name, id }) => name === line.name && id === line.id)
    if (verifier === undefined) continue
    if (!verifier.verify(text, line.signature)) {
      throw new TlogError('note-signature-wrong', 'A signature on the note is not by its key.')
    }
    if (!verified.has(verifier)) verified.set(verifier, line)
  }
  return [...verified.values()]
}

/**
 * Opens a note that at least one of the verifiers signed: `signatures` are theirs alone. The text
 * is worth nothing before. Throws note-unsigned when none of them signed, and as `parseNote` and
 * `verifiedSignatures`.
 */
export function openNote(input: string | Uint8Array, verifiers: NoteVerifier[]): Note {
  const note = parseNote(input)
  const signatures = verifiedSignatures(note, verifiers)
  if (signatures.length === 0) {
    throw new TlogError('note-unsigned', 'None of the known keys signed the note.')
  }
  return { text: note.text, signatures }
}

function keyMalformed(): TlogError {
  return new TlogError('key-malformed', 'This is no verifier key of a note.')
}

function noteMalformed(): TlogError {
  return new TlogError('note-malformed', 'This is no signed note.')
}

function noteTooLong(): TlogError {
  return new TlogError('note-too-long', 'The note is too long or has too many signatures.')
}
