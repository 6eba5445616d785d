import type { Caller } from '../identity/principal.ts'
import type { AuditEvent } from './log.ts'

type Acted = Pick<AuditEvent, 'organisationId' | 'actorId' | 'actorOrganisationId' | 'details'>

/** The part of an event that says who did it, from where. `more` joins the sealed details. */
export function actedBy(caller: Caller, more: Record<string, unknown> = {}): Acted {
  const { address, ...trace } = caller.trace
  return {
    organisationId: caller.organisationId,
    actorId: caller.accountId,
    actorOrganisationId: caller.organisationId,
    // In the order of their names, which is how they are written down.
    details: { address, client: caller.clientId, ...trace, ...more }
  }
}
