import type { CaseRow } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import type { Caller } from '../identity/principal.ts'
import { ownShare, requireOpen } from '../shares/may-read.ts'
import type { ShareRow } from '../shares/share.ts'
import { sentShare } from '../shares/view-sent.ts'

/** A share with its case, and on which side of it the caller is. */
export interface Party {
  share: ShareRow
  found: CaseRow
  side: 'sender' | 'specialist'
}

/** The share, for its specialist and for clinicians of its organisation. To others it does not exist. */
export async function partyTo(queries: Queries, caller: Caller, shareId: string): Promise<Party> {
  if (caller.role === 'specialist') {
    return { ...(await ownShare(queries, caller, shareId)), side: 'specialist' }
  }
  const { row: share, found } = await sentShare(queries, caller, shareId)
  return { share, found, side: 'sender' }
}

/**
 * Whether the share's specialist may write now: whatever lets them read must hold, but one opening is
 * enough for all of the share's life, because writing spends no opening. With `hold` none of it
 * changes before the transaction ends. Throws the Refusal that says why not.
 */
export async function requireWriter(
  queries: Queries,
  share: ShareRow,
  found: CaseRow,
  caller: Caller,
  now: number,
  hold = true
): Promise<void> {
  await requireOpen(queries, openToItsEnd(share), found, caller, now, hold)
}

/**
 * Whether they may read what they wrote. Time alone takes nobody's own words away: a share that has
 * expired still shows them, one that was withdrawn, or whose transfer is no longer lawful, does not.
 */
export async function requireOwnWords(
  queries: Queries,
  share: ShareRow,
  found: CaseRow,
  caller: Caller,
  now: number,
  hold = true
): Promise<void> {
  const endless = { ...openToItsEnd(share), expiresAt: Number.MAX_SAFE_INTEGER }
  await requireOpen(queries, endless, found, caller, now, hold)
}

const openToItsEnd = (share: ShareRow): ShareRow => ({
  ...share,
  openingsMax: null,
  openUntil: share.openings === 0 ? null : Number.MAX_SAFE_INTEGER
})
