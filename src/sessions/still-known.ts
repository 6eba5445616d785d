import type { Exchange } from '../exchange.ts'
import { EMBEDDED, type Principal } from '../identity/principal.ts'
import { findStanding, sessionBegunAt } from './queries.ts'

/**
 * Whether somebody who was known when their request began would be known still as what they were: neither
 * their account nor their client was disabled since, they have no other role, and the session they came
 * with was not ended. Asked again and again while content runs, because a request can last for hours. How
 * long a session was not used does not count: it is being used.
 */
export async function isStillKnown(
  { database }: Pick<Exchange, 'database'>,
  { accountId, role, issuer, clientId, sessionBegunAt: createdAt }: Principal
): Promise<boolean> {
  const [standing] = await findStanding(database.read, { accountId, clientId })
  if (standing?.role !== role || standing.disabledAt !== null) return false
  if (createdAt !== undefined) {
    return (await sessionBegunAt(database.read, { accountId, createdAt })).length > 0
  }
  return issuer !== EMBEDDED || standing.clientDisabledAt === null
}
