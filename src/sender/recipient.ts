import { fingerprintOf, isPostQuantum } from '../identity/age-recipient.ts'
import { RecipientAnswer } from './answers.ts'
import { Ending } from './ending.ts'
import { Refused } from './problem.ts'
import { sealerTo } from './seal.ts'
import type { Session } from './session.ts'

/** Whom files are sealed to, as the service tells it. */
export interface Recipient {
  account: string
  recipient: string
  registeredAt: string
}

/**
 * The recipient that a specialist has registered. The service could name another: `pinned` is what
 * the sender knows it to be, from the specialist. Throws Ending when it is another, or is classic and
 * `allowClassic` was not said.
 */
export async function recipientOf(
  session: Session,
  account: string,
  { pinned, allowClassic }: { pinned?: string | undefined; allowClassic: boolean }
): Promise<Recipient> {
  const path = `/v1/specialists/${encodeURIComponent(account)}/recipient`
  const found = await session.json(RecipientAnswer, 'GET', path).catch(err => {
    if (!(err instanceof Refused)) throw err
    throw new Ending('unauthorised', `${err.title} (${err.code}). ${err.detail}`)
  })
  const { recipient, registeredAt } = found
  sealerTo(recipient)
  const isPinned =
    pinned === undefined || pinned === recipient || pinned === fingerprintOf(recipient)
  if (!isPinned) {
    throw new Ending(
      'unauthorised',
      `The service names another recipient than --recipient does (${fingerprintOf(recipient)}, since ${registeredAt}). Nothing was sent. Ask the specialist.`
    )
  }
  if (!isPostQuantum(recipient) && !allowClassic) {
    throw new Ending(
      'unauthorised',
      'The recipient of this account is a classic one, which a quantum computer could open one day. Ask the specialist for a post-quantum one (age1pq1…), or say --allow-classic.'
    )
  }
  return { account, recipient, registeredAt }
}

export const recipientLine = ({ recipient, registeredAt, account }: Recipient): string =>
  `Sealing to account ${account}, recipient ${fingerprintOf(recipient)}, registered ${registeredAt}.`
