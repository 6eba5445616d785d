import { type NoteSigner, type NoteVerifier, openNote, signNote } from './note.ts'
import { parseBase64, parseDecimal, parsePlainText } from './strict-text.ts'
import { TlogError } from './tlog-error.ts'
import { emptyRoot, HASH_BYTES } from './tree.ts'

// C2SP tlog-checkpoint: origin, size and root of a log, signed as a note.

/** tlog-cosignature gives the origin one byte for its length. */
export const ORIGIN_BYTES_MAX = 255

export interface Checkpoint {
  /** Which log: the first line. */
  origin: string
  size: number
  /** 32 bytes. */
  root: Buffer
}

/** The text that is signed: three lines. Throws checkpoint-malformed as `parseCheckpoint`. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  const text = `${origin}\n${size}\n${root.toString('base64')}\n`
  parseCheckpoint(text)
  return text
}

/**
 * Reads the text of a checkpoint, its signatures taken off. Throws checkpoint-malformed unless it
 * is exactly three lines: origin, decimal size and root. Extension lines, which the specification
 * allows and advises against, are refused because ours have none and nobody could audit them.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = parsePlainText(text)?.split('\n') ?? []
  const [origin = '', decimal = '', base64 = '', end] = lines
  const size = parseDecimal(decimal)
  const root = parseBase64(base64)
  if (lines.length !== 4 || end !== '' || size === undefined) throw malformed()
  if (origin === '' || Buffer.byteLength(origin) > ORIGIN_BYTES_MAX) throw malformed()
  if (root?.byteLength !== HASH_BYTES) throw malformed()
  if (size === 0 && !root.equals(emptyRoot)) throw malformed()
  return { origin, size, root }
}

/** The checkpoint as a signed note. Whoever signs must know it extends what was signed before. */
export function signCheckpoint(checkpoint: Checkpoint, signers: NoteSigner[]): string {
  return signNote(formatCheckpoint(checkpoint), signers)
}

/**
 * Opens a checkpoint of the log `origin`, signed by at least one of the log's own keys. Keys of
 * witnesses do not belong in `logKeys`: one witness could then stand in for the log.
 * Throws checkpoint-origin-wrong when it is another log's, and as `openNote` and `parseCheckpoint`.
 */
export function openCheckpoint(
  note: string | Uint8Array,
  origin: string,
  logKeys: NoteVerifier[]
): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(note, logKeys).text)
  if (checkpoint.origin !== origin) {
    throw new TlogError('checkpoint-origin-wrong', 'The checkpoint is that of another log.')
  }
  return checkpoint
}

function malformed(): TlogError {
  return new TlogError('checkpoint-malformed', 'This is no checkpoint: origin, size and root.')
}
