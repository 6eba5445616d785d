import t from 'tap'
import { opinionReceived } from '../../src/cases/move.ts'
import { addAccount, addClient, addOrganisation } from '../../src/identity/enrol.ts'
import { noticeDueOpinions } from '../../src/shares/due.ts'
import { type Client, makeClient } from '../helpers/client.ts'
import {
  numberedText,
  openShare,
  type ShareView,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { completeCase, putRequest, wholeRequest } from '../helpers/request.ts'
import { deliver, outbox, startWithMail, untilEnded } from '../notices/stage.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A due date, and the moments between which it is that day there. Clocks change on most of them. */
const days: [zone: string, due: string, begins: string, over: string][] = [
  ['America/New_York', '2027-03-14', '2027-03-14T05:00:00Z', '2027-03-15T04:00:00Z'],
  ['Europe/London', '2027-03-28', '2027-03-28T00:00:00Z', '2027-03-28T23:00:00Z'],
  ['Asia/Kolkata', '2027-06-30', '2027-06-29T18:30:00Z', '2027-06-30T18:30:00Z'],
  ['Australia/Lord_Howe', '2027-10-03', '2027-10-02T13:30:00Z', '2027-10-03T13:00:00Z'],
  ['Europe/London', '2027-10-31', '2027-10-30T23:00:00Z', '2027-11-01T00:00:00Z'],
  ['America/New_York', '2027-11-07', '2027-11-07T04:00:00Z', '2027-11-08T05:00:00Z'],
  ['Pacific/Kiritimati', '2027-12-31', '2027-12-30T10:00:00Z', '2027-12-31T10:00:00Z']
]

async function clinicianIn(x: TestExchange, timeZone: string): Promise<Client> {
  const name = `Clinic of ${timeZone}`
  const organisation = await addOrganisation(x.exchange, { name, country: 'IE', timeZone })
  const given = { organisation, role: 'clinician', name: 'Dr Una Plover' } as const
  const body = { professionalBody: 'IMC', registrationNumber: '4711' }
  const accountId = await addAccount(x.exchange, { ...given, ...body })
  const key = await addClient(x.exchange, { accountId })
  const person = { name: given.name, accountId, organisationId: organisation, key }
  return makeClient(() => x.url, x.clock.now, person)
}

type Made = { id: string; link: string }

/** A complete case that is due on this day, shared for a month. */
async function dueShare(x: TestExchange, client: Client, dueDate: string) {
  const { caseId, letterId } = await completeCase(client, x.clock.now(), { dueDate })
  const share = await client.json<Made>('POST', `/v1/cases/${caseId}/shares`, {
    specialist: x.people.specialistGb.accountId,
    records: [letterId],
    purpose: 'An opinion',
    lifeHours: 720
  })
  return { caseId, letterId, share }
}

/** Looks once, and gives the stages that a share has been told of, once for each recipient. */
async function told(x: TestExchange, shareId: string): Promise<string[]> {
  await noticeDueOpinions(x.exchange, () => true)
  const rows = (await outbox(x)).filter(row => row.kind === 'opinion-due')
  return rows
    .filter(row => row.shareId === shareId)
    .map(row => String(row.once).split(':')[0] ?? '')
    .sort()
}

const soon = ['opinion-due-48h', 'opinion-due-48h']
const today = ['opinion-due-today', 'opinion-due-today']

t.test('both sides are reminded 48 hours before and on the day, in every zone', async t => {
  const x = await startExchange(t)
  for (const [zone, due, begins, over] of days) {
    const [start, end] = [Date.parse(begins), Date.parse(over)]
    x.clock.set(end - 10 * DAY)
    const { share } = await dueShare(x, await clinicianIn(x, zone), due)
    for (const [moment, stages] of [
      [end - 48 * HOUR - 1, []],
      [end - 48 * HOUR, soon],
      [start - 1, soon],
      [start, [...soon, ...today]],
      [end - 1, [...soon, ...today]],
      [end + DAY, [...soon, ...today]]
    ] as const) {
      x.clock.set(moment)
      // Asked twice: nobody is told twice.
      await told(x, share.id)
      const label = `${due} in ${zone} at ${new Date(moment).toISOString()}`
      t.same(await told(x, share.id), stages, label)
    }
  }
})

t.test('nobody is reminded of what is new, withdrawn, answered, closed or put off', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const due = '2027-06-10'
  const end = Date.parse('2027-06-10T23:00:00Z')
  x.clock.set(end - 40 * HOUR)
  const late = await dueShare(x, clinician, due)
  x.clock.set(end - 5 * DAY)
  const [withdrawn, answered, closed, putOff, kept] = await Promise.all(
    [1, 2, 3, 4, 5].map(() => dueShare(x, clinician, due))
  )
  if (!withdrawn || !answered || !closed || !putOff || !kept) throw new Error('not made')
  await clinician.json('DELETE', `/v1/shares/${withdrawn.share.id}`)
  await receive(x, answered)
  await clinician.json('POST', `/v1/cases/${closed.caseId}/close`, {
    reason: 'Settled',
    revokeShares: true
  })
  const later = wholeRequest(x.clock.now(), { dueDate: '2027-06-20' })
  const numbered = later.questions.map((question, n) => ({ ...question, number: n + 1 }))
  await putRequest(clinician, putOff.caseId, { ...later, questions: numbered })
  x.clock.set(end - 30 * HOUR)
  for (const [{ share }, stages, why] of [
    [late, [], 'who got it within the time knows'],
    [withdrawn, [], 'withdrawn'],
    [answered, [], 'answered'],
    [closed, [], 'closed'],
    [putOff, [], 'put off'],
    [kept, soon, 'the others are told']
  ] as const) {
    t.same(await told(x, share.id), stages, why)
  }
  x.clock.set(end + 10 * DAY - 30 * HOUR)
  t.same(await told(x, putOff.share.id), soon, 'the new date counts')
})

t.test('reminders may be turned off, and what was answered meanwhile is not mailed', async t => {
  const { x, server } = await startWithMail(t)
  x.clock.set('2027-06-01T12:00:00Z')
  const clinician = x.client('clinician')
  const first = await dueShare(x, clinician, '2027-06-10')
  const second = await dueShare(x, clinician, '2027-06-10')
  await x.client('specialistGb').json('PUT', '/v1/account/notices', { reminders: false })
  x.clock.set('2027-06-09T12:00:00Z')
  t.same(await told(x, first.share.id), soon)
  await receive(x, second)
  deliver(t, x)
  const rows = (await untilEnded(x)).filter(row => row.kind === 'opinion-due')
  const outcome = (shareId: string) =>
    rows
      .filter(row => row.shareId === shareId)
      .map(row => `${row.state} ${row.code}`)
      .sort()
  t.same(outcome(first.share.id), ['dropped unwanted', 'sent null'])
  t.same(outcome(second.share.id), ['dropped overtaken', 'dropped overtaken'])
  const mails = server.taken.filter(({ parsed }) => parsed.subject === 'An opinion is due soon')
  t.equal(mails.length, 1)
  t.match(mails[0]?.parsed.text, /Due: Thursday,? 10 June 2027 at 23:00 UTC/)
})

t.test('the clock of a share runs from complete to the opinion, as both sides see it', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const specialist = x.client('specialistGb')
  x.clock.set('2027-06-01T12:00:00Z')
  const { caseId, letterId, share } = await dueShare(x, clinician, '2027-06-10')
  x.clock.advance(2 * DAY)
  const begun = '2027-06-01T12:00:00.000Z'
  const dueAt = '2027-06-10T23:00:00.000Z'
  const running = { startedAt: begun, elapsedSeconds: 172_800, leftSeconds: 644_400 }
  const sentOf = async (id: string) => {
    const { shares } = await clinician.json<{ shares: ShareView[] }>('GET', '/v1/shares')
    return shares.find(row => row.id === id)
  }
  t.match(await sentOf(share.id), { dueAt, turnaround: { ...running, overdue: false } })
  const opened = await openShare(specialist, share.link)
  t.same(opened.turnaround, { ...running, overdue: false })
  t.match(await specialist.json('GET', `/v1/shares/${share.id}`), { dueAt, turnaround: running })

  const second = await clinician.json<Made>('POST', `/v1/cases/${caseId}/shares`, {
    specialist: x.people.specialistIe.accountId,
    records: [letterId],
    purpose: 'Another',
    lifeHours: 720
  })
  await receive(x, { caseId, share })
  x.clock.set('2027-06-10T23:00:00Z')
  const answeredAt = '2027-06-03T12:00:00.000Z'
  t.same((await sentOf(share.id))?.turnaround, {
    startedAt: begun,
    elapsedSeconds: 172_800,
    overdue: false,
    answeredAt
  })
  t.match((await sentOf(second.id))?.turnaround, {
    startedAt: begun,
    leftSeconds: 0,
    overdue: true
  })
  x.clock.advance(HOUR)
  await receive(x, { caseId, share: second })
  t.match((await sentOf(second.id))?.turnaround, { overdue: true, leftSeconds: undefined })
})

t.test(
  'a case that is not complete counts from the first share, also when it was replaced',
  async t => {
    const x = await startExchange(t)
    x.clock.set('2027-06-01T12:00:00Z')
    const { share } = await sharedRecord(x, [numberedText(100)])
    const rescued = async (id: string): Promise<string> => {
      await x.client('specialistGb').json('POST', `/v1/shares/${id}/more-time`)
      const path = `/v1/shares/${id}/more-time/approve`
      const made = await x.client('clinician').json<Made>('POST', path, { lifeHours: 300 })
      return made.id
    }
    x.clock.advance(DAY)
    const second = await rescued(share.id)
    x.clock.advance(DAY)
    await rescued(second)
    x.clock.advance(DAY)
    const { shares } = await x
      .client('clinician')
      .json<{ shares: ShareView[] }>('GET', '/v1/shares')
    t.same(
      shares.map(({ turnaround }) => [turnaround.startedAt, turnaround.elapsedSeconds / 86_400]),
      [3, 2, 1].map(days => ['2027-06-01T12:00:00.000Z', days])
    )
  }
)

/** An opinion comes back, as the flow that stores one says. */
function receive(
  x: TestExchange,
  { caseId, share }: { caseId: string; share: { id: string } }
): Promise<void> {
  const by = x.people.specialistGb.accountId
  const received = { caseId, shareId: share.id, by, at: x.clock.now() }
  return x.exchange.database.write(tx => opinionReceived(tx, received))
}
