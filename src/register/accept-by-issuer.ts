import type { Exchange } from '../exchange.ts'
import type { Trace } from '../identity/principal.ts'
import type { EndedErrand } from '../sessions/errand.ts'
import { beginSessionThrough } from '../sessions/through-issuer.ts'
import { enrolInvited, requireInForce } from './accept.ts'

/**
 * Accepts an invitation with the identity that somebody has at an issuer of others, to which they were
 * sent when their code was right. Of several with one code one is enrolled. Throws Refusal
 * `identity-taken`, or why nobody can accept it any more.
 */
export async function finishAcceptanceThrough(
  exchange: Exchange,
  trace: Trace,
  errand: EndedErrand
): Promise<{ cookie: string }> {
  exchange.logGuard.requireLog()
  const { linkId } = errand.about as { linkId: string }
  const person = await errand.person()
  return exchange.database.write(async tx => {
    const row = await requireInForce(tx, linkId, exchange.clock())
    const account = await enrolInvited(tx, exchange, trace, row, person)
    return { cookie: await beginSessionThrough(tx, exchange, trace, account, person) }
  })
}
