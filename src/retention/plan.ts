import type { OnRequest, Stayed } from '../../schemas/retention.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { type RecordRow, recordsOfCase } from '../records/record.ts'
import type { JudgedCase } from './facts.ts'
import { policyOf, type RetentionPolicy } from './policy.ts'
import { isHeld, sharesLive } from './queries.ts'
import { type Due, retentionOf } from './retention.ts'

/** What an erasure takes, and by whose word. */
export interface Plan {
  scope: 'copies' | 'case'
  policy: RetentionPolicy
  /** What stays, until when and why. */
  stayed: Stayed[]
  /** The end of the time of its class, when what is left of the case is looked at. */
  lookAt: number
  /** Of one on request. */
  order?: { caller: Caller; reason: string }
}

/** What is left of the case for the time of its class, if anything has to be. */
export function planOnRequest(parts: Due[], policy: RetentionPolicy, order?: Plan['order']): Plan {
  const bound = parts.filter(({ what, isDue }) => isEvidence(what) && !isDue)
  const kept = (what: Due['what']) => (bound.length > 0 ? what !== 'copies' : what === 'audit')
  return {
    scope: bound.length > 0 ? 'copies' : 'case',
    policy,
    stayed: stayedOf(parts.filter(({ what }) => kept(what))),
    lookAt: Math.max(...parts.map(({ at = 0 }) => at)),
    ...(order && { order })
  }
}

const isEvidence = (what: Due['what']): boolean => what === 'opinion' || what === 'consent'

/** Why each part stays. What was asked is needed to read the answer to it. */
export function stayedOf(parts: Due[]): Stayed[] {
  return parts.map(({ what, lastDay, why }) => ({
    what,
    ...(lastDay !== undefined && { until: lastDay }),
    why
  }))
}

/** The records that an erasure of this scope takes. */
export async function recordsIn(
  queries: Queries,
  caseId: string,
  { scope, policy }: Pick<Plan, 'scope' | 'policy'>
): Promise<RecordRow[]> {
  const records = await recordsOfCase(queries, caseId)
  return records.filter(({ kind }) => scope === 'case' || !policy.copies.keptKinds.includes(kind))
}

export const sumsOf = (records: Pick<RecordRow, 'objectCount' | 'bytes'>[]) => ({
  records: records.length,
  objects: records.reduce((sum, { objectCount }) => sum + objectCount, 0),
  bytes: records.reduce((sum, { bytes }) => sum + bytes, 0)
})

/**
 * What an erasure on request would take at this moment, and what it would leave: to be looked at before
 * it is asked for, and promised to nobody, because all of it is judged again then. Undefined when
 * nothing is left that may go.
 */
export async function wouldErase(
  { database, clock, limits }: Pick<Exchange, 'database' | 'clock' | 'limits'>,
  { found, facts }: JudgedCase
): Promise<OnRequest | undefined> {
  const { read } = database
  const policy = policyOf(limits)
  const now = clock()
  const closed = { ...facts, closedAt: facts.closedAt ?? now }
  const plan = planOnRequest(retentionOf(closed, policy, now), policy)
  const records = await recordsIn(read, found.id, plan)
  if (plan.scope === 'copies' && records.length === 0) return undefined
  return {
    scope: plan.scope,
    ...sumsOf(records),
    sharesLive: (await sharesLive(read, found.id, now)).length,
    stays: plan.stayed,
    held: await isHeld(read, found.id)
  }
}
