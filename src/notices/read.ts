import type { NoticeList, NoticePreferences, NoticeState } from '../../schemas/notice.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { setReminders, wantsReminders } from './preference-queries.ts'
import { pageOfNotices } from './queries.ts'
import { viewDelivery } from './webhooks/manage.ts'

/**
 * What became of the e-mails about the shares and cases of the caller's organisation, newest first.
 * Addresses are not in it: who it went to is an account.
 */
export async function listNotices(
  exchange: Exchange,
  caller: Caller,
  asked: Page & { share?: string; state?: NoticeState }
): Promise<NoticeList> {
  const { database, limits, audit, notices } = exchange
  const { organisationId } = caller
  const { rows, next } = await pageOf(asked, limits, (before, limit) =>
    pageOfNotices(database.read, {
      organisationId,
      shareId: asked.share,
      state: asked.state,
      before,
      limit
    })
  )
  await audit.add({
    action: 'notice.list',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(row => row.id) })
  })
  return {
    notices: rows.map(row => ({
      ...viewDelivery(row),
      ...(row.accountId !== null && { to: row.accountId })
    })),
    mail: notices.mail ? 'configured' : 'not-configured',
    ...(next && { next })
  }
}

/** What the caller wants to be told of. */
export async function readPreferences(
  exchange: Exchange,
  caller: Caller
): Promise<NoticePreferences> {
  const reminders = await wantsReminders(exchange.database.read, caller.accountId)
  await exchange.audit.add({ action: 'account.read', outcome: 'success', ...actedBy(caller) })
  return { reminders }
}

/** Turns reminders off or on for the caller. Other notices cannot be turned off. */
export async function changePreferences(
  exchange: Exchange,
  caller: Caller,
  { reminders }: NoticePreferences
): Promise<NoticePreferences> {
  await exchange.database.write(async tx => {
    await setReminders(tx, caller.accountId, reminders, exchange.clock())
    await exchange.audit.append(tx, {
      action: 'notice.preferences',
      outcome: 'success',
      ...actedBy(caller, { reminders })
    })
  })
  return { reminders }
}
