import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeSender } from '../identity/accounts.ts'
import type { Trace } from '../identity/principal.ts'
import { type Arrived, settle } from '../sessions/arrive.ts'
import type { Errand } from '../sessions/errand.ts'
import { browserName } from '../sessions/passkey-names.ts'
import { registrationOptions, verifyRegistration } from '../sessions/passkeys.ts'
import { enrolInvited, requireInForce, withRightCode } from './accept.ts'
import { openEntry } from './entry.ts'
import { openInvitation } from './invitation.ts'
import { findEntry } from './queries.ts'

/**
 * Tries the code of an invitation, and asks whoever has it for a passkey, or sends them to an issuer of
 * others with `errand`. The try is counted as by `acceptInvitation`, and throws as that does.
 */
export async function beginAcceptance(exchange: Exchange, link: string, code: string) {
  exchange.logGuard.requireLog()
  const linkId = await exchange.invitationLinks.read(link)
  const entry = await withRightCode(exchange, linkId, code, async (tx, row) => {
    const [found] = await findEntry(tx, { id: row.specialistId })
    if (found === undefined) throw new Error('An invitation names an entry that is not there.')
    if (found.accountId !== null) throw new Refusal('invitation-not-needed')
    return found
  })
  const { name } = openEntry(exchange.serviceKeys, entry)
  const holder = { accountId: entry.id, name }
  const options = await registrationOptions(exchange, 'invitation', holder, {
    details: { linkId }
  })
  const errand: Errand = { kind: 'invitation', about: { linkId } }
  return { options, name, errand }
}

/** Accepts an invitation with the passkey that was asked for. Of several with one code one is enrolled. */
export async function finishAcceptance(
  exchange: Exchange,
  trace: Trace,
  answer: string
): Promise<
  Arrived & { invitedBy: { organisation: string; clinician: string }; message: string | undefined }
> {
  exchange.logGuard.requireLog()
  const { passkey, ceremony } = await verifyRegistration(exchange, 'invitation', answer)
  const { linkId } = ceremony.details as { linkId: string }
  const { row, arrived } = await exchange.database.write(async tx => {
    const row = await requireInForce(tx, linkId, exchange.clock())
    const proven = { passkey, name: browserName(trace.userAgent), trace }
    const account = await enrolInvited(tx, exchange, trace, row, proven)
    return { row, arrived: await settle(tx, exchange, account, passkey, trace) }
  })
  const { database, serviceKeys } = exchange
  return {
    ...arrived,
    invitedBy: await describeSender(database.read, serviceKeys, row.createdBy),
    message: openInvitation(serviceKeys, row).message
  }
}
