import { createHmac } from 'node:crypto'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { ServiceKeys } from '../exchange.ts'
import { canonicalContext } from '../sealing/keys.ts'
import { findSafeguardHeld, findSafeguardToEnd, noteSafeguard } from './queries.ts'
import type { WholeSafeguard } from './safeguard.ts'

/** A safeguard by what stands for it: equal references of one organisation are one safeguard. */
export interface OnFile {
  ref: string
  organisationId: string
  type: string
}

/**
 * What stands for an agreement or an attestation. The reference may tell of a recipient, so only a
 * digest of it under the lookup key is stored. An exception for one emergency has none: it is
 * withdrawn with its share.
 */
export function onFile(
  keys: Pick<ServiceKeys, 'lookup'>,
  organisationId: string,
  safeguard: Pick<WholeSafeguard, 'type'> & { reference?: string }
): OnFile | undefined {
  const { type, reference } = safeguard
  if (reference === undefined) return undefined
  const spelling = reference.normalize('NFKC').replace(/\s+/g, '').toUpperCase()
  const ref = createHmac('sha256', keys.lookup)
    .update(canonicalContext('safeguard', organisationId, type, spelling))
    .digest('hex')
  return { ref, organisationId, type }
}

/** For the transaction of a share. Throws Refusal `transfer-safeguard-withdrawn`. */
export async function requireOnFile(tx: Queries, safeguard: OnFile): Promise<void> {
  await noteSafeguard(tx, safeguard)
  const [row] = await findSafeguardHeld(tx, { ref: safeguard.ref })
  if (row === undefined) throw new Error('A safeguard that was noted is not there.')
  if (row.withdrawnAt !== null) throw new Refusal('transfer-safeguard-withdrawn')
}

/** For the transaction that ends it: from here on no share is made that rests on it. */
export async function holdToEnd(tx: Queries, safeguard: OnFile): Promise<{ isOver: boolean }> {
  await noteSafeguard(tx, safeguard)
  const [row] = await findSafeguardToEnd(tx, { ref: safeguard.ref })
  if (row === undefined) throw new Error('A safeguard that was noted is not there.')
  return { isOver: row.withdrawnAt !== null }
}
