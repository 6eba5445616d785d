import { eq, lte } from '../../../schemas/drizzle.ts'
import type { Database } from '../../database/database.ts'
import { cosignatureVerifier } from '../tlog/cosignature.ts'
import {
  formatNote,
  parseNote,
  parseSignatures,
  parseVerifierKey,
  type VerifierKey,
  verifiedSignatures
} from '../tlog/note.ts'
import { parseDecimal } from '../tlog/strict-text.ts'
import { proveConsistency } from '../tlog/tree.ts'
import { storedHashes } from './grow-tree.ts'
import type { LogTree } from './log-tree.ts'
import { lastCheckpoint, type StoredCheckpoint } from './queries.ts'

const ANSWER_MILLISECONDS_MAX = 10_000
const ANSWER_BYTES_MAX = 16_384

/** Somebody else's service that signs only heads which extend what it has seen (C2SP tlog-witness). */
export interface Witness {
  /** Its verifier key, of the type that cosigns. */
  vkey: string
  /** Where `/add-checkpoint` is, without a slash at its end. */
  url: string
}

interface Parts {
  database: Database
  tree: LogTree
  witnesses: Witness[]
  clock: () => number
  onFailure(err: unknown, witness: string): void
}

/**
 * Shows each new checkpoint to the witnesses and keeps what they sign. A witness that is down costs
 * nothing but its signature: the next checkpoint is shown to it again. Ends once `stop` resolves.
 */
export function showToWitnesses(parts: Parts): { stop(): Promise<void> } {
  const busy = new Map<string, Promise<void>>()
  const ending = new AbortController()
  parts.tree.onCheckpoint(checkpoint => {
    // The last one is signed on the way out; the next start shows its own.
    if (ending.signal.aborted) return
    for (const witness of parts.witnesses) {
      // One at a time; what comes meanwhile is within the next.
      if (busy.has(witness.vkey)) continue
      const showing = showTo(parts, witness, checkpoint, ending.signal)
        .catch(err => parts.onFailure(err, witness.url))
        .finally(() => busy.delete(witness.vkey))
      busy.set(witness.vkey, showing)
    }
  })
  return {
    async stop() {
      ending.abort()
      await Promise.all(busy.values())
    }
  }
}

async function showTo(
  { database, clock }: Parts,
  witness: Witness,
  checkpoint: StoredCheckpoint,
  signal: AbortSignal
): Promise<void> {
  const key = parseVerifierKey(witness.vkey)
  const { auditCosignatures } = database.read.tables
  const [seen] = await database.read
    .select({ size: auditCosignatures.size })
    .from(auditCosignatures)
    .where(eq(auditCosignatures.witness, witness.vkey))
  // Another process has shown a later one, which holds this one too.
  if (seen !== undefined && seen.size > checkpoint.size) return
  let answer = await ask(database, witness, seen?.size ?? 0, checkpoint, signal)
  // It has seen another size, for instance before a crash here, and says which.
  if (answer.status === 409) {
    const size = parseDecimal(answer.text.trim())
    if (size === undefined) throw new Error('The witness does not say which size it has seen.')
    if (size > checkpoint.size) {
      // The same, and what the witness answered is not written down yet.
      const last = await lastCheckpoint(database.read)
      if (last !== undefined && last.size >= size) return
      throw new Error(`The witness has seen a larger log than this one: ${size}.`)
    }
    answer = await ask(database, witness, size, checkpoint, signal)
  }
  if (answer.status !== 200) throw new Error(`The witness answered ${answer.status}.`)
  const lines = cosignatureLine(checkpoint.note, answer.text, key)
  const row = { size: checkpoint.size, lines, at: clock() }
  await database.write(async tx => {
    await tx
      .insert(auditCosignatures)
      .values({ witness: witness.vkey, ...row })
      // Another process may have shown a later one, and have had its answer sooner.
      .onConflictDoUpdate({
        target: auditCosignatures.witness,
        set: row,
        setWhere: lte(auditCosignatures.size, row.size)
      })
  })
}

/** The request of C2SP tlog-witness: the size it knows, the proof from there, the checkpoint. */
async function ask(
  database: Database,
  { url }: Witness,
  old: number,
  { size, note }: StoredCheckpoint,
  signal: AbortSignal
): Promise<{ status: number; text: string }> {
  const read = storedHashes(() => database.read, size)
  const proof = old === 0 || old === size ? [] : await proveConsistency(old, size, read)
  const lines = proof.map(hash => `${hash.toString('base64')}\n`).join('')
  const response = await fetch(`${url}/add-checkpoint`, {
    method: 'POST',
    body: `old ${old}\n${lines}\n${note}`,
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MILLISECONDS_MAX)])
  })
  return { status: response.status, text: await readShort(response) }
}

async function readShort(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.byteLength
    if (bytes > ANSWER_BYTES_MAX) throw new Error('The witness answered too much.')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

/** The witness's own line of its answer. Whatever else it says is not passed on to anybody. */
function cosignatureLine(note: string, answer: string, key: VerifierKey): string {
  const { text } = parseNote(note)
  const given = { text, signatures: parseSignatures(answer) }
  const signatures = verifiedSignatures(given, [cosignatureVerifier(key)])
  if (signatures.length === 0) throw new Error('The witness did not sign this checkpoint.')
  return formatNote({ text, signatures }).slice(text.length + 1)
}

/** The checkpoint with the signature lines of the witnesses that have signed the same one. */
export async function withCosignatures(
  database: Database,
  checkpoint: StoredCheckpoint
): Promise<string> {
  const { auditCosignatures } = database.read.tables
  const rows = await database.read
    .select({ lines: auditCosignatures.lines })
    .from(auditCosignatures)
    .where(eq(auditCosignatures.size, checkpoint.size))
  return checkpoint.note + rows.map(row => row.lines).join('')
}

/** What each witness has signed last: which size of the log, and when (milliseconds UTC). */
export async function lastWitnessed(
  database: Pick<Database, 'read'>
): Promise<{ witness: string; size: number; at: number }[]> {
  const { auditCosignatures } = database.read.tables
  const { witness, size, at } = auditCosignatures
  return database.read.select({ witness, size, at }).from(auditCosignatures)
}
