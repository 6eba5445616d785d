import { formatCheckpoint } from '../tlog/checkpoint.ts'
import { verifiedCosignatures } from '../tlog/cosignature.ts'
import { parseSignatures, parseVerifierKey } from '../tlog/note.ts'
import { TlogError } from '../tlog/tlog-error.ts'
import type { Findings } from './findings.ts'
import type { FoundRoots } from './heads.ts'
import type { storedCosignatures } from './queries.ts'

export type Cosignatures = Awaited<ReturnType<typeof storedCosignatures>>

/** Checks that what each witness signed last is the tree that was found. */
export function checkWitnessed(
  origin: string,
  cosignatures: Cosignatures,
  roots: FoundRoots,
  findings: Findings
): void {
  for (const { witness, size, lines } of cosignatures) {
    const root = roots.ofLeaves.get(size)
    if (root === undefined) {
      findings.fault(`A witness has signed ${size} events, and the tree has ${roots.size}.`)
      continue
    }
    try {
      const note = {
        text: formatCheckpoint({ origin, size, root }),
        signatures: parseSignatures(lines)
      }
      if (verifiedCosignatures(note, [parseVerifierKey(witness)]).length > 0) continue
    } catch (err) {
      if (!(err instanceof TlogError)) throw err
    }
    findings.fault(`A witness has not signed the first ${size} events as they are here.`)
  }
}
