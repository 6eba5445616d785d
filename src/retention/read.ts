import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type { DueView, ErasureReceipt, OnRequest, RetentionView } from '../../schemas/retention.ts'
import { actedBy } from '../audit/acted-by.ts'
import { proveEvent } from '../audit/tree/proofs.ts'
import { dayIn } from '../calendar.ts'
import { aboutCase, caseOf, isErased } from '../cases/case.ts'
import { requestRow } from '../cases/request.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isId } from '../http/page.ts'
import { homeOf } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { judge } from './facts.ts'
import { viewHold } from './holds.ts'
import { manifestOf, manifestSum } from './manifest.ts'
import { wouldErase } from './plan.ts'
import { policyOf } from './policy.ts'
import { erasedRecordsOf, erasuresOf, findErasure, holdsOf, retentionRow } from './queries.ts'
import { type Due, retentionOf } from './retention.ts'
import { viewErasure } from './view.ts'

/** How long each part of a case stays, what keeps it longer, what is gone, and what may go at once. */
export async function readRetention(
  exchange: Exchange,
  caller: Caller,
  caseId: string
): Promise<RetentionView> {
  const { database, audit, clock, limits } = exchange
  const { read } = database
  const found = await caseOf(read, caller, caseId)
  const policy = policyOf(limits)
  const row = await requestRow(read, caseId)
  const erasures = await erasuresOf(read, caseId)
  let key: KeyObject | undefined
  let parts: Due[]
  let onRequest: OnRequest | undefined
  if (isErased(found)) {
    parts = await whatIsLeft(exchange, found)
  } else {
    const judged = await judge(exchange, found)
    key = judged.key
    parts = retentionOf(judged.facts, policy, clock())
    onRequest = await wouldErase(exchange, judged)
  }
  const holds = (await holdsOf(read, caseId)).map(hold => viewHold(hold, caller, key))
  await audit.add({
    action: 'retention.read',
    outcome: 'success',
    ...actedBy(caller),
    ...aboutCase(found)
  })
  return {
    case: caseId,
    policy: policy.version,
    ...(row.closedAt !== null && { closedAt: timestamp(row.closedAt) }),
    parts: parts.map(viewDue),
    holds,
    erasures: erasures.map(viewErasure),
    ...(onRequest && { onRequest })
  }
}

/** Of a case that was erased, what the access log says of it. Why so long was decided before. */
async function whatIsLeft(
  { database, clock }: Exchange,
  found: { id: string; organisationId: string }
): Promise<Due[]> {
  const row = await retentionRow(database.read, found.id)
  if (row === undefined || row.auditErasedAt !== null) return []
  const { timeZone } = await homeOf(database.read, found.organisationId)
  const at = row.lookAt
  const why = 'The access log stays for the time that was judged when the case was erased.'
  return [{ what: 'audit', at, lastDay: dayIn(timeZone, at - 1), isDue: clock() >= at, why }]
}

function viewDue({ what, lastDay, at, isDue, why }: Due): DueView {
  return {
    what,
    ...(lastDay !== undefined && { lastDay }),
    ...(at !== undefined && { at: timestamp(at) }),
    isDue,
    why
  }
}

/**
 * The receipt of an erasure, signed as it is asked for, and the proof that its event is on the log.
 * It is made from what is left of the records and held against the digest that the event has: what
 * somebody changed since is refused as `object-damaged`. Refusals `erasure-not-found`,
 * `log-not-signed-yet`.
 */
export async function readErasure(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<ErasureReceipt> {
  const { database, audit, clock, publicUrl, signatures, tree } = exchange
  const row = isId(id) ? await findErasure(database.read, id) : undefined
  if (row === undefined) throw new Refusal('erasure-not-found', 'unknown')
  const { organisationId, caseId, eventId } = row
  const about = { organisationId, caseId }
  if (organisationId !== caller.organisationId) {
    throw new Refusal('erasure-not-found', 'of another organisation', { about })
  }
  const records = await manifestOf(database.read, await erasedRecordsOf(database.read, id))
  if (!manifestSum(records).equals(row.manifest)) {
    throw new Refusal('object-damaged', 'the rows are not what was erased', { about })
  }
  await audit.add({
    action: 'erasure.read',
    outcome: 'success',
    ...actedBy(caller, { erasure: id }),
    ...about
  })
  await tree.settle()
  const { id: _, records: _records, objects: _objects, ...erasure } = viewErasure(row)
  // With the names of registered claims (RFC 7519, section 4.1), so that any JWT library checks it.
  const issued = { iss: publicUrl, jti: id, iat: Math.floor(clock() / 1000) }
  const claims = { ...erasure, records, log: tree.keys.origin, ...issued }
  return {
    erasure: viewErasure(row),
    receipt: await signatures.sign('erasure', claims),
    proof: await proveEvent(database, tree, eventId)
  }
}
