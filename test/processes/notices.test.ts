import t, { type Test } from 'tap'
import { startBeside, startRealService } from '../faults/real-service.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { createCase, numberedText, shareRecords, uploadRecord } from '../helpers/exchange.ts'
import { type MailHabits, startMailServer } from '../helpers/mail-server.ts'
import { mailSettings } from '../notices/stage.ts'

const NOTICES = 100

async function setUp(t: Test, habits: MailHabits) {
  const { url } = await freshPostgres()
  const server = await startMailServer(t, habits)
  const settings = { DATABASE_URL: url, CONSILIUM_LOG_LEVEL: 'info', ...mailSettings(server) }
  const first = await startRealService(t, settings)
  const second = await startBeside(t, first)
  const { id: caseId } = await createCase(first.client('clinician'))
  const files = [numberedText(100)]
  const record = await uploadRecord(first.client('clinician'), caseId, { files })
  const share = async (n: number) => {
    const by = [first, { ...second, people: first.people, clock: first.clock }]
    for (let i = 0; i < n; i += 1) await shareRecords(by[i % 2] ?? first, caseId, [record.id])
  }
  const sent = () =>
    first.look(async ({ database }) => {
      const { notices } = database.read.tables
      const rows = await database.read.select({ state: notices.state }).from(notices)
      return rows.filter(({ state }) => state === 'sent').length
    })
  return { server, first, second, share, sent }
}

async function until(what: string, seconds: number, look: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < seconds * 10; n += 1) {
    if (await look()) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error(`It did not happen: ${what}.`)
}

const pause = (milliseconds: number) => () =>
  new Promise<undefined>(resolve => setTimeout(resolve, milliseconds, undefined))

t.test('two processes deliver a hundred notices, each once', async t => {
  if (!hasPostgres(t)) return
  const { server, first, share, sent } = await setUp(t, { message: pause(30) })
  await share(NOTICES)
  await until('all are sent', 60, async () => (await sent()) === NOTICES)
  t.equal(server.taken.length, NOTICES)
  t.equal(new Set(server.taken.map(mail => mail.parsed.messageId)).size, NOTICES)
  const events = await first.events({ action: 'notice.send', outcome: 'success' })
  t.equal(new Set(events.map(({ details }) => details.notice)).size, NOTICES)
  t.equal(events.length, NOTICES)
  await first.stop()
  const byFirst = first.told().split('notice delivered').length - 1
  t.ok(byFirst > 0 && byFirst < NOTICES, `both took part (${byFirst} by the first)`)
})

t.test('what a killed process had, the other delivers', async t => {
  if (!hasPostgres(t)) return
  let held = 0
  const hold = Promise.withResolvers<undefined>()
  const { server, second, share, sent } = await setUp(t, {
    recipient: () => {
      held += 1
      return held <= 8 ? hold.promise : undefined
    }
  })
  await share(8)
  // Four of each.
  await until('all are under way', 20, async () => held >= 8)
  await second.kill()
  hold.resolve(undefined)
  await until('the other takes over', 60, async () => (await sent()) === 8)
  t.equal(server.taken.length, 8)
  t.equal(new Set(server.taken.map(mail => mail.parsed.messageId)).size, 8)
})
