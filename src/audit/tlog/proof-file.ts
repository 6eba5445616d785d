import { parseCheckpoint } from './checkpoint.ts'
import { parseNote } from './note.ts'
import { byteLengthOf, parseBase64, parseDecimal, parsePlainText } from './strict-text.ts'
import { TlogError } from './tlog-error.ts'
import { ENTRY_BYTES_MAX, HASH_BYTES, PROOF_HASHES_MAX } from './tree.ts'

// C2SP tlog-proof: that an entry is in a log, in one file to be checked offline.

export const PROOF_FILE_EXTENSION = '.tlog-proof'
/** Room for the longest checkpoint, entry and path. */
export const PROOF_FILE_BYTES_MAX = 655_360
const FIRST_LINE = 'c2sp.org/tlog-proof@v1'

export interface ProofFile {
  /** Not authenticated by the file: only what hashes to the proven leaf may be believed. */
  extra?: Buffer
  index: number
  /** Hashes from the leaf's sibling upwards. */
  proof: Buffer[]
  /** The signed note, verbatim. */
  checkpoint: string
}

/** The file as text. What it gives, `parseProofFile` takes and gives back; else it throws alike. */
export function formatProofFile({ extra, index, proof, checkpoint }: ProofFile): string {
  // An empty hash would be an empty line, and end the proof before its time.
  if (proof.some(hash => hash.byteLength !== HASH_BYTES)) throw malformed()
  const lines = [
    FIRST_LINE,
    ...(extra === undefined ? [] : [`extra ${extra.toString('base64')}`]),
    `index ${index}`,
    ...proof.map(hash => hash.toString('base64'))
  ]
  const file = `${lines.join('\n')}\n\n${checkpoint}`
  parseProofFile(file)
  return file
}

/**
 * Takes a proof file apart and verifies nothing: neither the signatures of its checkpoint nor that
 * the path fits. Throws proof-too-long above PROOF_FILE_BYTES_MAX, proof-malformed for another
 * spelling than the specification's, and for its checkpoint as `parseNote` and `parseCheckpoint`.
 */
export function parseProofFile(input: string | Uint8Array): ProofFile {
  if (byteLengthOf(input) > PROOF_FILE_BYTES_MAX) {
    throw new TlogError('proof-too-long', 'The proof file is too long.')
  }
  const file = parsePlainText(input)
  // No line of the proof is empty, so the first empty line is where the checkpoint begins.
  const end = file?.indexOf('\n\n') ?? -1
  if (file === undefined || end === -1) throw malformed()
  const [first, ...lines] = file.slice(0, end).split('\n')
  if (first !== FIRST_LINE) throw malformed()

  const extra = lines[0]?.startsWith('extra ') ? parseExtra(lines.shift()) : undefined
  const index = parseIndex(lines.shift())
  if (lines.length > PROOF_HASHES_MAX) throw malformed()
  const proof = lines.map(parseHash)
  const checkpoint = file.slice(end + 2)
  parseCheckpoint(parseNote(checkpoint).text)
  return { ...(extra === undefined ? {} : { extra }), index, proof, checkpoint }
}

function parseExtra(line = ''): Buffer {
  const extra = parseBase64(line.slice('extra '.length))
  // Without data the line must be left out, so it is never empty.
  if (extra === undefined || extra.byteLength === 0) throw malformed()
  if (extra.byteLength > ENTRY_BYTES_MAX) throw malformed()
  return extra
}

function parseIndex(line = ''): number {
  const index = line.startsWith('index ') ? parseDecimal(line.slice('index '.length)) : undefined
  if (index === undefined) throw malformed()
  return index
}

function parseHash(line: string): Buffer {
  const hash = parseBase64(line)
  if (hash?.byteLength !== HASH_BYTES) throw malformed()
  return hash
}

function malformed(): TlogError {
  return new TlogError('proof-malformed', 'This is no transparency log proof.')
}
