import { eraseDetails } from '../audit/erase.ts'
import { isErased, knownCase } from '../cases/case.ts'
import { holdCase } from '../cases/move.ts'
import type { Exchange } from '../exchange.ts'
import { SealError } from '../sealing/seal-error.ts'
import { eraseByPolicy } from './erase.ts'
import { type JudgedCase, judge } from './facts.ts'
import { stayedOf } from './plan.ts'
import { policyOf, type RetentionPolicy } from './policy.ts'
import { casesToEnd, hasDetails, isHeld, lookAgain, retentionRow } from './queries.ts'
import { retentionOf } from './retention.ts'
import { forgetPatient } from './shred-queries.ts'

const DAY_MILLISECONDS = 24 * 60 * 60_000

/** Cases looked for in one go. */
const BATCH = 20

/** What a round did. */
export interface Ended {
  /** Cases whose copies went, those of which everything went, and those whose log went too. */
  copies: number
  cases: number
  audits: number
  /** Cases whose log only the owner of the tables can end, on PostgreSQL, and is due to. */
  waiting: number
  /** Cases that could not be seen to. */
  failed: number
}

/**
 * Erases what is due by the retention policy, case by case, each in transactions of its own: safe to
 * stop and to repeat at any point. One case that cannot be read keeps no other waiting. Throws
 * SealError keys-unavailable when no key can be asked for.
 */
export async function endCases(exchange: Exchange, goOn: () => boolean): Promise<Ended> {
  const policy = policyOf(exchange.limits)
  const ended: Ended = { copies: 0, cases: 0, audits: 0, waiting: 0, failed: 0 }
  for (let after = ''; ; ) {
    const now = exchange.clock()
    const { daysAfterClosing, keptKinds } = policy.copies
    // A day more than may be due: where the day ends, its organisation's zone says.
    const closedBy = now - (daysAfterClosing - 1) * DAY_MILLISECONDS
    const asked = { closedBy, now, keptKinds, after }
    const cases = await casesToEnd(exchange.database.read, asked, BATCH)
    for (const { id } of cases) {
      if (!goOn()) return ended
      try {
        const what = await endCase(exchange, id, policy)
        if (what !== undefined) ended[what] += 1
      } catch (err) {
        if (err instanceof SealError && err.code === 'keys-unavailable') throw err
        exchange.log.error({ err, case: id }, 'a case could not be ended')
        ended.failed += 1
      }
      after = id
    }
    if (cases.length < BATCH) return ended
  }
}

/** Does for one case what is due now, and writes down when to look again. */
async function endCase(
  exchange: Exchange,
  caseId: string,
  policy: RetentionPolicy
): Promise<keyof Ended | undefined> {
  const { database, clock } = exchange
  const found = await knownCase(database.read, caseId)
  if (isErased(found)) return await endAudit(exchange, caseId, policy)
  const judged = await judge(exchange, found)
  const parts = retentionOf(judged.facts, policy, clock())
  const lookAt = Math.max(...parts.map(({ at = Number.POSITIVE_INFINITY }) => at))
  // It was opened again meanwhile.
  if (!Number.isFinite(lookAt)) return undefined
  const due = new Set(parts.filter(({ isDue }) => isDue).map(({ what }) => what))
  const scope = due.has('request') ? 'case' : due.has('copies') ? 'copies' : undefined
  const stayed = stayedOf(parts.filter(({ what, isDue }) => !isDue || what === 'audit'))
  const erased = scope && (await eraseByPolicy(exchange, judged, { scope, policy, stayed, lookAt }))
  if (erased === undefined) {
    if (!due.has('request')) await noteLook(exchange, judged, lookAt)
    return undefined
  }
  return scope === 'case' ? 'cases' : 'copies'
}

/** Unless it was opened again since it was judged: then it is looked at whenever it is closed. */
async function noteLook(
  { database }: Exchange,
  { found, facts }: JudgedCase,
  lookAt: number
): Promise<void> {
  await database.write(async tx => {
    const { closedAt } = await holdCase(tx, found.id)
    if (closedAt === facts.closedAt) await lookAgain(tx, found.id, lookAt)
  })
}

/**
 * The very end, with the time of its class: what the access log says of the case beside its leaves,
 * and the reference by which its patient was found. The details go in batches; if it stops before the
 * last, the next round goes on. On PostgreSQL the service may change no event, so the owner of the
 * tables erases the details (`erase-audit-details`), and this finds them gone.
 */
async function endAudit(
  exchange: Exchange,
  caseId: string,
  policy: RetentionPolicy
): Promise<'audits' | 'waiting' | undefined> {
  const { database, clock } = exchange
  const row = await retentionRow(database.read, caseId)
  if (row === undefined || row.auditErasedAt !== null || row.lookAt > clock()) return undefined
  if (await isHeld(database.read, caseId)) return undefined
  if (database.read.kind === 'postgres') {
    if (await hasDetails(database.read, caseId, row.lookAt)) return 'waiting'
  } else {
    const reference = `retention policy ${policy.version}`
    await eraseDetails(exchange, { caseId }, { reference, carriedOutBy: 'housekeeping' })
  }
  await database.write(tx => forgetPatient(tx, caseId, clock()))
  return 'audits'
}
