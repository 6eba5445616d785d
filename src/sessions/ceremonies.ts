import { hash, randomBytes } from 'node:crypto'
import { eq } from '../../schemas/drizzle.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'

type Parts = Pick<Exchange, 'database' | 'clock' | 'serviceKeys'>

/** What the answer of an authenticator is good for. One that was asked for one thing is no other. */
export type Purpose =
  | 'sign-in'
  | 'prove'
  | 'add'
  | 'first'
  | 'enrol'
  | 'invitation'
  | 'recover'
  /** At an issuer of others: its `state` is the challenge. */
  | 'errand'

/** How long a person may look for their authenticator. */
export const CEREMONY_MINUTES = 5
/** W3C Web Authentication, section 13.4.3, asks for 16 at least. */
const CHALLENGE_BYTES = 32

/** What a challenge was made for. */
export interface Ceremony {
  /** Whose passkey is to answer; undefined while nobody is known. */
  accountId?: string
  /** Instead of `CEREMONY_MINUTES`. */
  minutes?: number
  /** What else the answer needs, such as who is to be enrolled. Sealed meanwhile. */
  details?: Record<string, unknown>
}

/** A fresh challenge, in base64url. Its SHA-256 alone is stored. */
export async function beginCeremony(
  { database, clock, serviceKeys }: Parts,
  purpose: Purpose,
  { accountId, details, minutes = CEREMONY_MINUTES }: Ceremony = {}
): Promise<string> {
  const challenge = randomBytes(CHALLENGE_BYTES).toString('base64url')
  const id = idOf(challenge)
  const row = {
    id,
    purpose,
    accountId: accountId ?? null,
    detailsSealed:
      details === undefined
        ? null
        : sealBox(serviceKeys.directory, contextOf(id), Buffer.from(JSON.stringify(details))),
    expiresAt: clock() + minutes * 60_000
  }
  await database.write(async tx => void (await tx.insert(tx.tables.ceremonies).values(row)))
  return challenge
}

/**
 * Takes a challenge that was answered out of the world, before the answer is looked at: whatever comes
 * of it, nobody can answer it again, and of several at once one gets it. Throws Refusal `ceremony-ended`
 * when it is unknown, used, too old, or was made for something or somebody else.
 */
export async function endCeremony(
  { database, clock, serviceKeys }: Parts,
  purpose: Purpose,
  challenge: string,
  accountId?: string
): Promise<Ceremony> {
  const [row] = await database.write(tx => {
    const { ceremonies } = tx.tables
    return tx
      .delete(ceremonies)
      .where(eq(ceremonies.id, idOf(challenge)))
      .returning()
  })
  if (row === undefined) throw new Refusal('ceremony-ended', 'unknown or used')
  if (row.expiresAt <= clock()) throw new Refusal('ceremony-ended', 'too old')
  if (row.purpose !== purpose) throw new Refusal('ceremony-ended', 'made for something else')
  if (accountId !== undefined && row.accountId !== accountId) {
    throw new Refusal('ceremony-ended', 'made for somebody else')
  }
  const { id, detailsSealed } = row
  return {
    ...(row.accountId !== null && { accountId: row.accountId }),
    ...(detailsSealed !== null && {
      details: JSON.parse(openBox(serviceKeys.directory, contextOf(id), detailsSealed).toString())
    })
  }
}

const contextOf = (id: string): Buffer => canonicalContext('ceremony', id)
const idOf = (challenge: string): string => hash('sha256', challenge, 'base64url')
