import {
  REVOKE_SHARES_MAX,
  type ShareRevokedMany,
  type ShareRevokeMany
} from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, caseOf, knownCase } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { type LiveFilter, pageOfLive } from './live-queries.ts'
import { refusalOfEnded } from './manage.ts'
import { reread } from './may-read.ts'
import { aboutShare } from './share.ts'
import { sentShare } from './view-sent.ts'
import { revocation, withdrawShare } from './withdraw.ts'

type Result = ShareRevokedMany['results'][number]

/** A share that was named, and its case, or why the caller is told that it does not exist. */
interface Named {
  id: string
  found?: CaseRow
  hidden?: Refusal
}

/**
 * Withdraws many shares of the caller's organisation in one transaction, by their ids, or all that are
 * live of a case, of a specialist or made until a moment, as many as go at once. Each has its event,
 * refused ones too, and its specialist a notice. Refusals: `request-invalid` for ids and a filter together or neither,
 * `case-not-found`, `no-live-share` when the filter means none, `too-many-attempts` for guessing.
 */
export async function revokeShares(
  exchange: Exchange,
  caller: Caller,
  { shares, case: caseId, specialist: specialistId, madeUntil, reason: why }: ShareRevokeMany
): Promise<ShareRevokedMany> {
  const isFilter = [caseId, specialistId, madeUntil].some(given => given !== undefined)
  if (isFilter === (shares !== undefined)) {
    throw new Refusal('request-invalid', undefined, {
      problems: ['give either shares, or case, specialist or madeUntil']
    })
  }
  const reason = why === undefined ? undefined : plainText('reason', why)
  if (shares !== undefined) return await revokeNamed(exchange, caller, shares, reason)
  if (caseId !== undefined) await caseOf(exchange.database.read, caller, caseId)
  const until = madeUntil === undefined ? undefined : Date.parse(madeUntil)
  const asked = { caseId, specialistId, madeUntil: until }
  const revoked = await revokeLive(exchange, caller, asked, reason)
  if (revoked.results.length === 0) throw new Refusal('no-live-share')
  return revoked
}

async function revokeNamed(
  exchange: Exchange,
  caller: Caller,
  ids: string[],
  reason: string | undefined
): Promise<ShareRevokedMany> {
  const named = await byIds(exchange, caller, ids)
  const order = new Map(named.map(({ id }, n) => [id, n]))
  // Whoever holds several cases takes them in one order, so that no two wait for each other.
  const inOrder = named.toSorted((a, b) => (caseIdOf(a) < caseIdOf(b) ? -1 : 1))
  const results = await exchange.database.write(async tx => {
    const results: Result[] = []
    for (const share of inOrder) results.push(await revokeOne(exchange, tx, caller, share, reason))
    return results
  })
  const place = ({ share }: Result) => order.get(share) ?? 0
  return { results: results.sort((a, b) => place(a) - place(b)), more: false }
}

const caseIdOf = ({ found }: Named): string => found?.id ?? ''

/**
 * Withdraws as many as go at once, and says whether more are left; none when there is none. What is live
 * is looked for once its case is held: a share that is made, or takes the place of
 * another, at this moment came before, and is found, or comes after and finds what it replaces ended.
 */
export function revokeLive(
  exchange: Exchange,
  caller: Caller,
  asked: Pick<LiveFilter, 'caseId' | 'specialistId' | 'madeUntil'>,
  reason: string | undefined
): Promise<ShareRevokedMany> {
  const { organisationId } = caller
  return exchange.database.write(async tx => {
    const filter = { ...asked, organisationId, now: exchange.clock() }
    const rows = await pageOfLive(tx, { ...filter, limit: REVOKE_SHARES_MAX })
    const cases = new Set(asked.caseId === undefined ? rows.map(row => row.caseId) : [asked.caseId])
    const results: Result[] = []
    for (const caseId of [...cases].sort()) {
      await holdCase(tx, caseId)
      const found = await knownCase(tx, caseId)
      const limit = REVOKE_SHARES_MAX - results.length
      for (const { id } of await pageOfLive(tx, { ...filter, caseId, limit })) {
        results.push(await revokeOne(exchange, tx, caller, { id, found }, reason))
      }
    }
    const left = await pageOfLive(tx, { ...filter, limit: 1 })
    return { results, more: left.length > 0 }
  })
}

/** Those of others and those that do not exist are told of alike, and counted as guesses. */
async function byIds(exchange: Exchange, caller: Caller, ids: string[]): Promise<Named[]> {
  const named: Named[] = []
  for (const id of ids) {
    try {
      named.push({ id, found: (await sentShare(exchange.database.read, caller, id)).found })
    } catch (err) {
      if (!(err instanceof Refusal) || err.code !== 'share-not-found') throw err
      const turn = await exchange.refusals.count(caller.accountId)
      if (turn !== 'within') {
        throw new Refusal('too-many-attempts', undefined, { headers: { 'retry-after': '60' } })
      }
      named.push({ id, hidden: err })
    }
  }
  return named
}

async function revokeOne(
  exchange: Exchange,
  tx: Queries,
  caller: Caller,
  { id, found, hidden }: Named,
  reason: string | undefined
): Promise<Result> {
  if (found === undefined) {
    await recordRefused(exchange, tx, caller, id, 'share-not-found', hidden?.extra.about)
    return { share: id, result: 'share-not-found' }
  }
  const revoked = await withdrawShare(exchange, tx, caller, found, id, {
    ...revocation,
    reason
  })
  if (revoked !== undefined) return { share: id, result: 'revoked' }
  const row = await reread(tx, id)
  const { code } = refusalOfEnded(row)
  await recordRefused(exchange, tx, caller, id, code, aboutShare(row, found))
  return { share: id, result: code === 'share-replaced' ? code : 'share-ended' }
}

/** As `answerProblems` does for a request that names one share. */
async function recordRefused(
  { audit }: Exchange,
  tx: Queries,
  caller: Caller,
  share: string,
  code: string,
  about: Refusal['extra']['about']
): Promise<void> {
  await audit.append(tx, {
    action: 'share.revoke',
    outcome: 'refused',
    code,
    ...actedBy(caller, { asked: { share } }),
    ...about
  })
}
