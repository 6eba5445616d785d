import { timestamp } from '../../schemas/common.ts'
import type { EnrolmentView } from '../../schemas/staff.ts'
import { actedBy } from '../audit/acted-by.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import { TRIES_MAX } from '../register/enrolment-code.ts'
import { type EnrolmentRow, pageOfEnrolments, withdrawCode } from '../sessions/enrolment-queries.ts'
import type { Caller } from './principal.ts'
import { openProfile } from './profile.ts'
import { ownAccount } from './staff.ts'

/** What became of the codes that people of the caller's organisation were given, newest first. */
export async function listStaffCodes(
  exchange: Exchange,
  caller: Caller,
  page: Page
): Promise<{ enrolments: EnrolmentView[]; next?: string }> {
  const { database, limits, audit, clock, serviceKeys } = exchange
  const { organisationId } = caller
  const { rows, next } = await pageOf(page, limits, (before, limit) =>
    pageOfEnrolments(database.read, { organisationId, before, limit })
  )
  await audit.add({
    action: 'enrolment.list',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(row => row.id) })
  })
  const now = clock()
  const enrolments = rows.map(row => ({
    id: row.id,
    account: row.account.id,
    name: openProfile(serviceKeys, row.account).name,
    ...(row.createdBy !== null && { createdBy: row.createdBy }),
    createdAt: timestamp(row.createdAt),
    expiresAt: timestamp(row.expiresAt),
    state: stateOf(row, now)
  }))
  return { enrolments, ...(next && { next }) }
}

/**
 * Withdraws the code of a person of the caller's organisation. Throws Refusal `enrolment-not-found` when
 * none is in force.
 */
export async function withdrawStaffCode(
  exchange: Exchange,
  caller: Caller,
  accountId: string
): Promise<void> {
  await exchange.database.write(async tx => {
    await ownAccount(tx, caller, accountId)
    if (!(await withdrawCode(tx, { accountId, now: exchange.clock() }))) {
      throw new Refusal('enrolment-not-found')
    }
    await exchange.audit.append(tx, {
      action: 'enrolment.withdraw',
      outcome: 'success',
      ...actedBy(caller, { account: accountId })
    })
  })
}

function stateOf(row: EnrolmentRow, now: number): EnrolmentView['state'] {
  if (row.usedAt !== null) return 'used'
  if (row.withdrawnAt !== null) return 'withdrawn'
  if (row.tries >= TRIES_MAX) return 'locked'
  if (row.codeRef === null) return 'replaced'
  return now >= row.expiresAt ? 'expired' : 'open'
}
