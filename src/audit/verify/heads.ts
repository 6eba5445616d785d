import { type Checkpoint, parseCheckpoint } from '../tlog/checkpoint.ts'
import {
  type NoteVerifier,
  noteVerifier,
  openNote,
  parseVerifierKey,
  type VerifierKey
} from '../tlog/note.ts'
import { TlogError } from '../tlog/tlog-error.ts'
import { type Findings, Unverifiable } from './findings.ts'

/** A checkpoint whose signature has been checked. */
export interface Head extends Checkpoint {
  /** Which one, to begin a sentence with. */
  name: string
  /** Keys of the log that signed it. */
  keyIds: string[]
}

/** Verifier keys as they are given. Throws Unverifiable for what is none, or two logs' keys. */
export function readKeys(vkeys: string[]): NoteVerifier[] {
  let keys: VerifierKey[]
  let verifiers: NoteVerifier[]
  try {
    keys = vkeys.map(parseVerifierKey)
    verifiers = keys.map(noteVerifier)
  } catch (err) {
    throw new Unverifiable(err instanceof TlogError ? err.message : 'A key cannot be read.')
  }
  if (verifiers.length === 0) throw new Unverifiable('There is no verifier key: give --key.')
  if (new Set(keys.map(key => key.name)).size > 1) {
    throw new Unverifiable('The keys are of more than one log.')
  }
  return verifiers
}

/** Checks a checkpoint's form, origin and signature. What is wrong is a fault, and then undefined. */
export function readHead(
  name: string,
  note: string,
  keys: NoteVerifier[],
  findings: Findings
): Head | undefined {
  try {
    const { text, signatures } = openNote(note, keys)
    const checkpoint = parseCheckpoint(text)
    if (checkpoint.origin !== keys[0]?.name) {
      throw new TlogError('checkpoint-origin-wrong', 'The checkpoint is that of another log.')
    }
    return { ...checkpoint, name, keyIds: signatures.map(({ id }) => id) }
  } catch (err) {
    if (!(err instanceof TlogError)) throw err
    findings.fault(`${name}: ${err.message}`)
    return undefined
  }
}

/** The tree that was found, at the sizes that were asked for. */
export interface FoundRoots {
  size: number
  /** Root over the leaves. */
  ofLeaves: ReadonlyMap<number, Buffer>
  /** Root over the hashes in the tiles. */
  ofTiles: ReadonlyMap<number, Buffer>
}

/** Compares what was signed with what was found. */
export function compareHead(head: Head, roots: FoundRoots, findings: Findings): void {
  const { name, size, root } = head
  if (size > roots.size) {
    findings.fault(
      `${name} was signed for ${size} events, and the tree has ${roots.size}: an older database was put back, or events were removed.`
    )
    return
  }
  const tilesAgree = roots.ofTiles.get(size)?.equals(root)
  if (roots.ofLeaves.get(size)?.equals(root)) {
    if (!tilesAgree) findings.notice(`${name}: the events are those signed, the tiles are not.`)
    return
  }
  const why = tilesAgree
    ? 'the tiles are those signed, so the events named above were changed since'
    : 'events or tiles were changed since, or this log is not a continuation of the one signed'
  findings.fault(`${name}: the first ${size} events are not those that were signed; ${why}.`)
}
