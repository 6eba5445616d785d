import { hash } from 'node:crypto'
import { canonicalJson } from './canonical.ts'
import type { Details } from './entry.ts'

// How an erasure names on the log what it has erased, so that nobody can erase or restore anything
// else in its shadow. docs/audit-log.md, "Erasure and retention", describes it.

/** Events that one `audit.erase` event names at most: its details stay below 7 KiB. */
export const ERASED_NAMED_MAX = 100

/** Stands for the digest of an event whose details did not open, or were gone, when it was erased. */
export const ERASED_DAMAGED = 'damaged'

/** An erased event: its index, and the digest of the columns it keeps. */
export type ErasedEvent = [index: number, kept: string]

/** What an erased event still tells in its columns, beside what is in its leaf. */
export type Kept = Omit<Details, 'details' | 'patient'>

/** SHA-256, base64url, of the canonical JSON of what an erased event keeps. */
export function keptDigest(kept: Kept): string {
  const { actor, actorOrganisation, case: caseId, code, country, object, organisation } = kept
  const { record, share } = kept
  const members = { actor, actorOrganisation, case: caseId, code, country, object, organisation }
  return hash('sha256', canonicalJson({ ...members, record, share }), 'base64url')
}
