import { v7 as uuidv7 } from 'uuid'
import type { RecipientView } from '../../schemas/account.ts'
import { timestamp } from '../../schemas/common.ts'
import { desc, eq, sql } from '../../schemas/drizzle.ts'
import { actedBy } from '../audit/acted-by.ts'
import { prepared, type Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { findSpecialist } from './accounts.ts'
import { fingerprintOf, isPostQuantum } from './age-recipient.ts'
import type { Caller } from './principal.ts'

type Parts = Pick<Exchange, 'database' | 'audit' | 'clock'>
type RecipientRow = Queries['tables']['recipients']['$inferSelect']

const latestRecipient = prepared((q: Queries) => {
  const { recipients } = q.tables
  return q
    .select()
    .from(recipients)
    .where(eq(recipients.accountId, sql.placeholder('accountId')))
    .orderBy(desc(recipients.id))
    .limit(1)
    .prepare('latest_recipient')
})

/**
 * Registers what senders are to encrypt to for the caller. It is valid from then on; the one before
 * stays on record, and the event says which it was. The same again changes nothing. Refusal
 * `recipient-invalid` for what is no age recipient.
 */
export async function registerRecipient(
  { database, audit, clock }: Parts,
  caller: Caller,
  text: string
): Promise<RecipientView> {
  const recipient = text.trim().toLowerCase()
  const { encrypterTo } = await import('./age-encrypter.ts')
  try {
    encrypterTo(recipient)
  } catch {
    // Neither it nor what the library says of it: somebody may have sent an identity.
    throw new Refusal('recipient-invalid')
  }
  const row = await database.write(async tx => {
    const [before] = await latestRecipient(tx, { accountId: caller.accountId })
    const isSame = before?.recipient === recipient
    const now = clock()
    const latest: RecipientRow = isSame
      ? before
      : {
          id: uuidv7({ msecs: now }),
          accountId: caller.accountId,
          recipient,
          registeredBy: caller.accountId,
          registeredAt: now
        }
    if (!isSame) await tx.insert(tx.tables.recipients).values(latest)
    await audit.append(tx, {
      action: 'recipient.register',
      outcome: 'success',
      ...actedBy(caller, {
        account: caller.accountId,
        fingerprint: fingerprintOf(recipient),
        ...(before && { before: fingerprintOf(before.recipient) })
      })
    })
    return latest
  })
  return viewRecipient(row)
}

/**
 * What to encrypt to for a specialist, and since when. Refusal `recipient-not-found`, whether there is
 * no such specialist or they have registered none.
 */
export async function readRecipient(
  { database, audit }: Parts,
  caller: Caller,
  accountId: string
): Promise<RecipientView> {
  const specialist = await findSpecialist(database.read, accountId)
  const [row] = specialist ? await latestRecipient(database.read, { accountId }) : []
  if (row === undefined) throw new Refusal('recipient-not-found')
  await audit.add({
    action: 'recipient.read',
    outcome: 'success',
    ...actedBy(caller, { account: accountId, fingerprint: fingerprintOf(row.recipient) })
  })
  return viewRecipient(row)
}

function viewRecipient(row: RecipientRow): RecipientView {
  return {
    account: row.accountId,
    recipient: row.recipient,
    fingerprint: fingerprintOf(row.recipient),
    postQuantum: isPostQuantum(row.recipient),
    registeredAt: timestamp(row.registeredAt),
    registeredBy: row.registeredBy
  }
}
