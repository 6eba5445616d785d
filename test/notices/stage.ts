import type { Test } from 'tap'
import { asc } from '../../schemas/drizzle.ts'
import { deliverNotices, type Pace } from '../../src/notices/deliver.ts'
import { mailPatience, openMailer } from '../../src/notices/mailer.ts'
import { openPost } from '../../src/notices/webhooks/post.ts'
import type { Targets } from '../../src/notices/webhooks/targets.ts'
import {
  createCase,
  type ExchangeOptions,
  eventually,
  numberedText,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { type MailHabits, type MailServer, startMailServer } from '../helpers/mail-server.ts'

export type NoticeRow = Awaited<ReturnType<typeof outbox>>[number]

/** An exchange whose e-mail goes to a server of this test; nothing is delivered yet. */
export async function startWithMail(
  t: Test,
  habits: MailHabits = {},
  options: ExchangeOptions = {}
): Promise<{ x: TestExchange; server: MailServer }> {
  const server = await startMailServer(t, habits)
  const x = await startExchange(t, { ...options, env: { ...mailSettings(server), ...options.env } })
  return { x, server }
}

export const mailSettings = (server: Pick<MailServer, 'url'>) => ({
  CONSILIUM_SMTP_URL: server.url,
  CONSILIUM_MAIL_FROM: 'Consilium <no-reply@consilium.example>'
})

/** A case with one record, to be shared. */
export async function someCase(x: TestExchange): Promise<{ caseId: string; recordId: string }> {
  const { id: caseId } = await createCase(x.client('clinician'))
  const record = await uploadRecord(x.client('clinician'), caseId, { files: [numberedText(100)] })
  return { caseId, recordId: record.id }
}

/** Delivers as `main.ts` does, with less patience, until the test or the caller ends it. */
export function deliver(t: Test, x: TestExchange, pace: Pace = {}, targets?: Targets) {
  const patience = { ...mailPatience, silenceMilliseconds: 3000, totalMilliseconds: 5000 }
  const running = deliverNotices(
    {
      ...x.exchange,
      sendMail: x.config.mail && openMailer(x.config.mail, patience),
      postWebhook: openPost(targets ?? x.exchange.targets, 1000)
    },
    { lookMilliseconds: 10, keepUpMilliseconds: 20, restMilliseconds: 10, ...pace }
  )
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= running.stop()
    return stopped
  }
  t.teardown(stop)
  return { stop }
}

/** Every notice, oldest first. */
export async function outbox(x: Pick<TestExchange, 'exchange'>) {
  const { read } = x.exchange.database
  const { notices } = read.tables
  return read.select().from(notices).orderBy(asc(notices.createdAt), asc(notices.once))
}

/** Waits until no notice of a channel is under way, and shows them. */
export async function untilEnded(x: TestExchange, channel = 'mail'): Promise<NoticeRow[]> {
  return eventually('every notice has ended', async () => {
    const rows = (await outbox(x)).filter(row => row.channel === channel)
    return rows.every(row => row.endedAt !== null) ? rows : undefined
  })
}
