import { createHash } from 'node:crypto'
import type { Manifest } from '../../schemas/retention.ts'
import { canonicalJson } from '../audit/canonical.ts'
import type { Queries } from '../database/database.ts'
import { findObjects } from '../records/record.ts'

/** What these records are, down to the digest of each file, in the order of ids. */
export async function manifestOf(
  queries: Queries,
  records: { id: string; kind: string }[]
): Promise<Manifest> {
  const manifest: Manifest = []
  for (const { id, kind } of records) {
    const objects = await findObjects(queries, { recordId: id })
    manifest.push({
      id,
      kind,
      objects: objects.map(object => ({
        id: object.id,
        sha256: object.sha256.toString('hex'),
        bytes: object.bytes
      }))
    })
  }
  return manifest
}

/** SHA-256 of its canonical JSON (RFC 8785). */
export function manifestSum(manifest: Manifest): Buffer {
  return createHash('sha256').update(canonicalJson(manifest)).digest()
}
