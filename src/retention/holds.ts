import type { KeyObject } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { timestamp } from '../../schemas/common.ts'
import type { HoldPut, HoldView } from '../../schemas/retention.ts'
import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, caseOf, isErased, openCaseKey } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase } from '../cases/move.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { type HoldRow, holdsOf, insertHold, liftRow } from './queries.ts'

/** Of one case, those that were lifted not counted. */
const HOLDS_MAX = 20

/**
 * Puts a case under a legal hold: from the moment this commits nothing of it is erased, whatever was
 * under way, until every hold of it is lifted. Refusals `case-not-found`, `case-erased`,
 * `too-many-holds`, `text-invalid`.
 */
export async function putHold(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  { reason }: HoldPut
): Promise<HoldView> {
  const { database, keyring, audit, clock } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const key = await openCaseKey(keyring, found)
  const putAt = clock()
  const id = uuidv7({ msecs: putAt })
  const text = plainText('reason', reason)
  const row: HoldRow = {
    id,
    caseId,
    putBy: caller.accountId,
    putAt,
    reasonSealed: sealBox(key, reasonContext(id, 'put'), Buffer.from(text)),
    liftedBy: null,
    liftedAt: null,
    liftReasonSealed: null
  }
  await database.write(async tx => {
    // An erasure holds the case as well: it came before this, or finds the hold.
    await holdCase(tx, caseId)
    if (isErased(await caseOf(tx, caller, caseId))) throw new Refusal('case-erased', 'meanwhile')
    const live = (await holdsOf(tx, caseId)).filter(({ liftedAt }) => liftedAt === null)
    if (live.length >= HOLDS_MAX) throw new Refusal('too-many-holds')
    await insertHold(tx, row)
    await audit.append(tx, {
      action: 'hold.create',
      outcome: 'success',
      ...actedBy(caller, { hold: id }),
      ...aboutCase(found)
    })
  })
  return viewHold(row, caller, key)
}

/**
 * Lifts a hold, with the reason. What is due by then goes in the next round of housekeeping. Refusals
 * `case-not-found`, `hold-not-found`, `hold-lifted`, `text-invalid`.
 */
export async function liftHold(
  exchange: Exchange,
  caller: Caller,
  names: { case: string; hold: string },
  { reason }: HoldPut
): Promise<HoldView> {
  const { database, keyring, audit, clock } = exchange
  const found = await caseOf(database.read, caller, names.case)
  const known = (await holdsOf(database.read, found.id)).find(({ id }) => id === names.hold)
  if (known === undefined) {
    throw new Refusal('hold-not-found', undefined, { about: aboutCase(found) })
  }
  const key = await openCaseKey(keyring, found)
  const text = plainText('reason', reason)
  const { id } = known
  const reasonSealed = sealBox(key, reasonContext(id, 'lift'), Buffer.from(text))
  const row = await database.write(async tx => {
    await holdCase(tx, found.id)
    const [lifted] = await liftRow(tx, { id, by: caller.accountId, at: clock(), reasonSealed })
    if (lifted === undefined)
      throw new Refusal('hold-lifted', undefined, { about: aboutCase(found) })
    await audit.append(tx, {
      action: 'hold.lift',
      outcome: 'success',
      ...actedBy(caller, { hold: id }),
      ...aboutCase(found)
    })
    return lifted
  })
  return viewHold(row, caller, key)
}

const reasonContext = (id: string, what: 'put' | 'lift'): Buffer =>
  canonicalContext('legal-hold', id, what)

/** A hold as the organisation sees it. Why is for those who answer for it, and not for clinicians. */
export function viewHold(row: HoldRow, caller: Caller, key: KeyObject | undefined): HoldView {
  const { id, caseId, putBy, putAt, liftedBy, liftedAt } = row
  const reasons = key && caller.role !== 'clinician' ? openReasons(key, row) : {}
  return {
    id,
    case: caseId,
    putBy,
    putAt: timestamp(putAt),
    ...(liftedBy !== null && { liftedBy }),
    ...(liftedAt !== null && { liftedAt: timestamp(liftedAt) }),
    ...reasons
  }
}

/** Throws SealError when one of them does not open. */
export function openReasons(
  key: KeyObject,
  { id, reasonSealed, liftReasonSealed }: HoldRow
): Pick<HoldView, 'reason' | 'liftReason'> {
  const open = (what: 'put' | 'lift', box: Buffer) =>
    openBox(key, reasonContext(id, what), box).toString()
  return {
    reason: open('put', reasonSealed),
    ...(liftReasonSealed !== null && { liftReason: open('lift', liftReasonSealed) })
  }
}
