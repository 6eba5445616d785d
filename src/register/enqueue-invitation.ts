import { eq } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'

/** All that the mail of an invitation says. Nothing of it comes from the clinician's own words. */
export interface InvitationMail {
  to: string
  name: string
  link: string
  organisation: string
  clinician: string
  expiresAt: number
}

const mailContext = (id: string): Buffer => canonicalContext('invitation-mail', id)

/**
 * THE ONE PLACE TO BE JOINED WITH THE OUTBOX. Today it only keeps what is to be e-mailed, sealed in the
 * row of the invitation; nothing sends it yet. With the outbox it becomes
 * `enqueue(tx, { kind: 'invitation', to: { address }, about: {}, once: 'invitation <id> <sends>' })`,
 * and the column `mail_sealed` is written no more.
 */
export async function enqueueInvitation(
  tx: Queries,
  { serviceKeys }: Pick<Exchange, 'serviceKeys'>,
  invitationId: string,
  mail: InvitationMail
): Promise<void> {
  const { invitations } = tx.tables
  const bytes = Buffer.from(JSON.stringify(mail))
  await tx
    .update(invitations)
    .set({ mailSealed: sealBox(serviceKeys.directory, mailContext(invitationId), bytes) })
    .where(eq(invitations.id, invitationId))
}

/** Opens what `enqueueInvitation` kept. */
export function openMail(
  { serviceKeys }: Pick<Exchange, 'serviceKeys'>,
  row: { id: string; mailSealed: Buffer }
): InvitationMail {
  const bytes = openBox(serviceKeys.directory, mailContext(row.id), row.mailSealed)
  return JSON.parse(bytes.toString())
}
