import t from 'tap'
import { eventually, shareRecords } from '../helpers/exchange.ts'
import { deliver, outbox, someCase, startWithMail, untilEnded } from './stage.ts'

const HOUR = 3_600_000

/** Kind and share of each notice about the end of a share, once per recipient. */
async function endings(x: Parameters<typeof outbox>[0], shareId: string) {
  const rows = (await outbox(x)).filter(row => row.shareId === shareId)
  return rows
    .map(row => String(row.once).split(':')[0] ?? '')
    .filter(name => /^share-expir/.test(name))
    .sort()
}

const twice = (...names: string[]) => names.flatMap(name => [name, name]).sort()

t.test('both sides are reminded a day and two hours before, and told at the end, once', async t => {
  const { x, server } = await startWithMail(t)
  x.clock.set('2027-10-29T09:00:00Z')
  const { caseId, recordId } = await someCase(x)
  const running = deliver(t, x)
  await eventually('the marks are set', async () => {
    const { noticeMarks } = x.exchange.database.read.tables
    return (await x.exchange.database.read.select().from(noticeMarks)).length === 3
      ? true
      : undefined
  })
  const share = await shareRecords(x, caseId, [recordId], { lifeHours: 72 })
  const end = Date.parse(share.expiresAt)
  const seen: [moment: number, names: string[]][] = [
    [end - 24 * HOUR - 1, []],
    [end - 24 * HOUR, ['share-expiring-24h']],
    [end - 2 * HOUR - 1, ['share-expiring-24h']],
    [end - 2 * HOUR, ['share-expiring-24h', 'share-expiring-2h']],
    [end - 1, ['share-expiring-24h', 'share-expiring-2h']],
    [end, ['share-expired', 'share-expiring-24h', 'share-expiring-2h']],
    [end + 90 * HOUR, ['share-expired', 'share-expiring-24h', 'share-expiring-2h']]
  ]
  for (const [moment, names] of seen) {
    x.clock.set(moment)
    await eventually('what is due is there', async () =>
      (await endings(x, share.id)).length >= twice(...names).length ? true : undefined
    )
    // Two rounds more of looking through: nothing comes that is not due.
    await new Promise(resolve => setTimeout(resolve, 150))
    t.same(await endings(x, share.id), twice(...names), new Date(moment).toISOString())
    await untilEnded(x)
  }
  await running.stop()
  const mails = server.taken.filter(({ parsed }) => /closes soon/.test(String(parsed.subject)))
  t.equal(mails.length, 4)
  t.match(mails[0]?.parsed.text, /Reminders can be turned off/)
  // The clocks go back in London on 31 October 2027, in the life of this share.
  t.match(mails[0]?.parsed.text, /1 November 2027 at 09:00 UTC \(1 Nov 2027, 09:00 in London\)/)
})

t.test('nobody is reminded of what is short, withdrawn, or has ended unseen', async t => {
  const { x } = await startWithMail(t)
  const { caseId, recordId } = await someCase(x)
  const first = deliver(t, x)
  await eventually('it looks', async () => {
    const { noticeMarks } = x.exchange.database.read.tables
    return (await x.exchange.database.read.select().from(noticeMarks)).length === 3
      ? true
      : undefined
  })
  await first.stop()
  const day = await shareRecords(x, caseId, [recordId], { lifeHours: 24 })
  const hour = await shareRecords(x, caseId, [recordId], { lifeHours: 1 })
  const withdrawn = await shareRecords(x, caseId, [recordId], { lifeHours: 30 })
  const unseen = await shareRecords(x, caseId, [recordId], { lifeHours: 30 })
  await x.client('clinician').json('DELETE', `/v1/shares/${withdrawn.id}`)
  x.clock.advance(100 * HOUR)
  deliver(t, x)
  await eventually('it looks again', async () =>
    (await endings(x, unseen.id)).length > 0 ? true : undefined
  )
  await new Promise(resolve => setTimeout(resolve, 100))
  for (const [share, names] of [
    [day, ['share-expired']],
    [hour, ['share-expired']],
    [withdrawn, []],
    [unseen, ['share-expired']]
  ] as const) {
    t.same(await endings(x, share.id), twice(...names))
  }
})

t.test('a person may turn reminders off, and nothing else', async t => {
  const { x, server } = await startWithMail(t)
  const { caseId, recordId } = await someCase(x)
  const specialist = x.client('specialistGb')
  t.same(await specialist.json('GET', '/v1/account/notices'), { reminders: true })
  const { events } = await x.eventsOf(() =>
    specialist.json('PUT', '/v1/account/notices', { reminders: false })
  )
  t.match(events, [{ action: 'notice.preferences', details: { reminders: false } }])
  t.same(await specialist.json('GET', '/v1/account/notices'), { reminders: false })
  const refused = await specialist.send('PUT', '/v1/account/notices', { security: false })
  t.equal(refused.status, 400)

  const running = deliver(t, x)
  const share = await shareRecords(x, caseId, [recordId], { lifeHours: 72 })
  x.clock.advance(71 * HOUR)
  await eventually('it is due', async () =>
    (await endings(x, share.id)).length === 4 ? true : undefined
  )
  const rows = await untilEnded(x)
  await running.stop()
  const { accountId, email } = x.people.specialistGb
  const own = rows.filter(row => row.accountId === accountId)
  t.same(
    own.filter(row => row.kind === 'share-expiring').map(row => `${row.state} ${row.code}`),
    ['dropped unwanted', 'dropped unwanted']
  )
  t.same(
    server.taken.filter(mail => mail.recipients[0] === email).map(mail => mail.parsed.subject),
    ['A case has been shared with you'],
    'what is no reminder comes all the same'
  )
})

t.test('many shares that end in the same moment are each told of once', async t => {
  const { x } = await startWithMail(t)
  const { caseId, recordId } = await someCase(x)
  const first = deliver(t, x, { lookMilliseconds: 60_000 })
  await eventually('it looks', async () => {
    const { noticeMarks } = x.exchange.database.read.tables
    return (await x.exchange.database.read.select().from(noticeMarks)).length === 3
      ? true
      : undefined
  })
  await first.stop()
  x.clock.set(x.clock.now())
  for (let n = 0; n < 120; n += 1) await shareRecords(x, caseId, [recordId], { lifeHours: 1 })
  x.clock.advance(HOUR)
  for (let turn = 0; turn < 2; turn += 1) deliver(t, x, { lookMilliseconds: 60_000 })
  const told = async () => (await outbox(x)).filter(row => row.kind === 'share-expired').length
  await eventually('all are told of', async () => ((await told()) >= 240 ? true : undefined))
  await new Promise(resolve => setTimeout(resolve, 100))
  t.equal(await told(), 240)
})
