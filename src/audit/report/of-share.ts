import type { Disclosure } from '../../../schemas/disclosure-report.ts'
import { aboutCase } from '../../cases/case.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { sentShare } from '../../shares/view-sent.ts'
import { actedBy } from '../acted-by.ts'
import { openedEvents } from './gather.ts'
import { disclosureLine } from './lines.ts'
import { castOf } from './people.ts'
import { namesOfRecords } from './records.ts'
import { NO_END } from './scope.ts'

/** Told of one share at most, the first of it; the report of its case has all. */
const USES_MAX = 200

/**
 * What a share that the caller's organisation sent was used for, oldest first, as the disclosure report
 * tells it. That it was asked for is on the log. Throws Refusal `share-not-found`.
 */
export async function usesOfShare(
  exchange: Exchange,
  caller: Caller,
  shareId: string
): Promise<Disclosure[]> {
  const { database, audit } = exchange
  const { found } = await sentShare(database.read, caller, shareId)
  const { organisationId } = found
  const filter = { organisationId, caseIds: [found.id], shareId, from: 0, to: NO_END }
  const events = await openedEvents(exchange, filter, USES_MAX)
  const ids = (name: 'actorId' | 'actorOrganisationId' | 'recordId' | 'objectId') =>
    events.flatMap(({ row }) => row[name] ?? [])
  const cast = await castOf(exchange, organisationId, ids('actorId'), ids('actorOrganisationId'))
  const files = new Set(ids('objectId'))
  const names = await namesOfRecords(exchange, [found], new Set(ids('recordId')), files)
  await audit.add({
    action: 'audit.query',
    outcome: 'success',
    ...actedBy(caller, { asked: { share: shareId } }),
    ...aboutCase(found)
  })
  return events.map(event => disclosureLine(event, cast, names))
}
