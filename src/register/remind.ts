import type { Exchange } from '../exchange.ts'
import { enqueueInvitation } from './enqueue-invitation.ts'
import { openInvitation } from './invitation.ts'
import { takeUnanswered } from './invitation-queries.ts'

/** How long before its end somebody is reminded of an invitation, once for each link. */
export const REMIND_HOURS = 24
const HOUR_MILLISECONDS = 3_600_000
/** Invitations reminded of in one transaction. */
const INVITATIONS_MAX = 50

type Parts = Pick<Exchange, 'database' | 'clock' | 'notices' | 'serviceKeys'>

/**
 * Reminds of each invitation that nobody has accepted and that ends within a day. One guarded statement
 * takes them, so of any number of processes one reminds of each, and whatever stops half-way has
 * reminded of none of its batch.
 */
export async function remindInvited(parts: Parts, goOn: () => boolean): Promise<void> {
  while (goOn() && (await remindSome(parts)) === INVITATIONS_MAX);
}

function remindSome({ database, clock, notices, serviceKeys }: Parts): Promise<number> {
  const now = clock()
  const until = now + REMIND_HOURS * HOUR_MILLISECONDS
  return database.write(async tx => {
    const rows = await takeUnanswered(tx, { now, until, limit: INVITATIONS_MAX })
    for (const row of rows) {
      const { email } = openInvitation(serviceKeys, row)
      await enqueueInvitation(tx, { notices }, row, email, 'invitation-reminder')
    }
    return rows.length
  })
}
