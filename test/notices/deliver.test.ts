import t from 'tap'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { disableAccount } from '../../src/identity/enrol.ts'
import { GIVE_UP_MILLISECONDS, KEEP_MILLISECONDS } from '../../src/notices/attempt.ts'
import { claimDue } from '../../src/notices/queries.ts'
import {
  eventually,
  openShare,
  sendLink,
  shareRecords,
  startExchange
} from '../helpers/exchange.ts'
import { startMailServer } from '../helpers/mail-server.ts'
import { deliver, mailSettings, outbox, someCase, startWithMail, untilEnded } from './stage.ts'

const HOUR = 3_600_000

t.test('sharing, opening and withdrawing are told, each once', async t => {
  const { x, server } = await startWithMail(t)
  deliver(t, x)
  const { caseId, recordId } = await someCase(x)
  const share = await shareRecords(x, caseId, [recordId])
  const [first] = await eventually('the specialist is told', () =>
    server.taken.length === 1 ? server.taken : undefined
  )
  t.same(first?.recipients, [x.people.specialistGb.email])
  t.equal(first?.parsed.subject, 'A case has been shared with you')
  t.ok(first?.parsed.text?.includes(share.link), 'with the link, which opens')
  t.match(first?.parsed.html, /<a href="/)
  t.match(first?.parsed.text, /From: City Hospital/)
  t.match(first?.parsed.text, /Closes: .* UTC \(.* in London\)/)
  await openShare(x.client('specialistGb'), share.link)
  await sendLink(x.client('specialistGb'), share.link)
  await x.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  const rows = await untilEnded(x)
  t.same(
    rows.map(({ kind, state, accountId, attempts }) => ({ kind, state, accountId, attempts })),
    [
      ['share-created', x.people.specialistGb],
      ['share-opened', x.people.clinician],
      ['share-revoked', x.people.specialistGb]
    ].map(([kind, person]) => ({
      kind,
      state: 'sent',
      accountId: (person as { accountId: string }).accountId,
      attempts: 1
    }))
  )
  t.same(
    server.taken.map(mail => mail.recipients[0]).sort(),
    [x.people.specialistGb, x.people.clinician, x.people.specialistGb].map(p => p.email).sort()
  )
  t.notOk(
    server.taken.slice(1).some(mail => mail.raw.includes(share.link)),
    'one has the link'
  )

  const events = await x.auditEvents({ action: 'notice.send' })
  t.equal(events.length, 3)
  t.match(events, [
    {
      outcome: 'success',
      shareId: share.id,
      caseId,
      organisationId: x.people.clinician.organisationId,
      details: { kind: 'share-created', to: x.people.specialistGb.accountId, channel: 'mail' }
    }
  ])
  for (const { email = '' } of Object.values(x.people)) {
    t.notOk(x.logged().includes(email), 'no address in the log')
    t.notOk(JSON.stringify(events).includes(email), 'nor in an event')
    t.notOk(events.some(({ leaf }) => leaf.includes(email)))
  }
  const faults = await checkExchange(x.exchange)
  t.same(faults, [])
})

t.test('an act that is refused tells nobody of anything', async t => {
  const { x } = await startWithMail(t)
  const { caseId, recordId } = await someCase(x)
  const { accountId } = x.people.specialistUs
  const body = { specialist: accountId, records: [recordId], purpose: 'x' }
  const refused = await x.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, body)
  t.equal(refused.status, 422)
  t.same(await outbox(x), [])
  const share = await shareRecords(x, caseId, [recordId])
  x.exchange.audit.append = async () => {
    throw new Error('the log cannot be written')
  }
  await x.client('clinician').send('DELETE', `/v1/shares/${share.id}`)
  t.same(
    (await outbox(x)).map(row => row.kind),
    ['share-created']
  )
})

t.test('one event gives each recipient one notice, however often it is told', async t => {
  const { x } = await startWithMail(t)
  const { specialistGb, clinician } = x.people
  const about = { organisationId: clinician.organisationId }
  const tell = (to: { accountId: string } | { address: string }, once: string) =>
    x.exchange.database.write(tx =>
      x.exchange.notices.enqueue(tx, { kind: 'invitation', to, about, once })
    )
  for (let turn = 0; turn < 3; turn += 1) {
    await Promise.all([
      tell({ accountId: specialistGb.accountId }, 'one'),
      tell({ accountId: clinician.accountId }, 'one'),
      tell({ address: 'new@clinic.example' }, 'one'),
      tell({ accountId: clinician.accountId }, 'two')
    ])
  }
  t.equal((await outbox(x)).length, 4)
})

t.test('however much is due, no more is taken than was asked for', async t => {
  const { x } = await startWithMail(t)
  const { database, notices } = x.exchange
  const { accountId, organisationId } = x.people.clinician
  await database.write(async tx => {
    for (let n = 0; n < 20; n += 1) {
      const to = { accountId }
      await notices.enqueue(tx, {
        kind: 'share-opened',
        to,
        about: { organisationId },
        once: `${n}`
      })
    }
  })
  const now = x.clock.now()
  const claim = { channel: 'mail' as const, now, run: 'one', until: now + HOUR, limit: 4 }
  const [first, second] = await Promise.all([
    database.write(tx => claimDue(tx, claim)),
    database.write(tx => claimDue(tx, { ...claim, run: 'other' }))
  ])
  t.same([first.length, second.length], [4, 4])
  t.equal(new Set([...first, ...second].map(({ id }) => id)).size, 8)
})

t.test('who has no account is told by address, which is sealed and then forgotten', async t => {
  const { x, server } = await startWithMail(t)
  await x.exchange.database.write(tx =>
    x.exchange.notices.enqueue(tx, {
      kind: 'share-opened',
      to: { address: 'new@clinic.example' },
      about: { organisationId: x.people.clinician.organisationId },
      once: 'opened:1'
    })
  )
  const [before] = await outbox(x)
  t.ok(before?.recipientSealed)
  t.notOk(Buffer.from(before?.recipientSealed ?? '').includes('clinic.example'))
  deliver(t, x)
  const [row] = await untilEnded(x)
  t.match(row, { state: 'sent', recipientSealed: null, accountId: null })
  t.same(server.taken[0]?.recipients, ['new@clinic.example'])
  const listed = await x.client('clinician').send('GET', '/v1/notices')
  t.notOk(/clinic\.example/.test(listed.text + x.logged()))
})

t.test('what a server puts off is tried again; what it refuses for good is not', async t => {
  const { x, server } = await startWithMail(t, {
    message: turn => (turn <= 2 ? '451 4.3.0 later' : undefined),
    recipient: address => (address.startsWith('dr.niamh') ? '550 5.1.1 no such user' : undefined)
  })
  deliver(t, x)
  const { caseId, recordId } = await someCase(x)
  await shareRecords(x, caseId, [recordId])
  for (let turn = 0; turn < 2; turn += 1) {
    const [row] = await eventually('it is put off', async () => {
      const rows = await outbox(x)
      return rows[0]?.state === 'waiting' && rows[0].attempts === turn + 1 ? rows : undefined
    })
    t.match(row, { code: 'smtp-451', endedAt: null })
    t.ok(Number(row?.nextAt) > x.clock.now(), 'until later')
    x.clock.advance(3 * HOUR)
  }
  t.match(await untilEnded(x), [{ state: 'sent', attempts: 3, code: null }])
  t.equal(server.taken.length, 1)

  const refused = await shareRecords(x, caseId, [recordId], { with: 'specialistIe' })
  const rows = await untilEnded(x)
  t.match(
    rows.find(row => row.shareId === refused.id),
    { state: 'failed', code: 'smtp-550', attempts: 1 }
  )
  const path = `/v1/notices?share=${refused.id}`
  const { json } = await x.client('clinician').send('GET', path)
  t.match(json, {
    mail: 'configured',
    notices: [{ kind: 'share-created', state: 'failed', problem: 'smtp-550', attempts: 1 }]
  })
  t.match(await x.auditEvents({ action: 'notice.send', outcome: 'failed' }), [
    { details: { problem: 'smtp-550' } }
  ])
  const metrics = await x.client().send('GET', '/metrics')
  t.match(metrics.text, /consilium_notices\{channel="mail",state="failed"\} 1/)
})

t.test('a server that is down for a while gets everything once it is up', async t => {
  const server = await startMailServer(t)
  const x = await startExchange(t, { env: mailSettings(server) })
  await server.close()
  deliver(t, x)
  const { caseId, recordId } = await someCase(x)
  for (let n = 0; n < 8; n += 1) await shareRecords(x, caseId, [recordId])
  await eventually('all were tried', async () => {
    const rows = await outbox(x)
    return rows.every(row => row.attempts > 0 && row.state === 'waiting') ? rows : undefined
  })
  t.match((await outbox(x))[0], { code: 'smtp-unreachable' })
  const again = await startMailServer(t, { port: server.port })
  x.clock.advance(HOUR)
  await untilEnded(x)
  t.equal(again.taken.length, 8)
  t.equal(new Set(again.taken.map(mail => mail.parsed.messageId)).size, 8)
})

t.test('what nobody takes for days is given up, and its sender sees it', async t => {
  const { x } = await startWithMail(t, { connect: () => '421 busy' })
  deliver(t, x)
  const { caseId, recordId } = await someCase(x)
  const share = await shareRecords(x, caseId, [recordId], { lifeHours: 720 })
  const [row] = await eventually('it was tried', async () => {
    const rows = await outbox(x)
    return rows[0]?.attempts === 1 && rows[0].state === 'waiting' ? rows : undefined
  })
  x.clock.set(Number(row?.createdAt) + GIVE_UP_MILLISECONDS)
  t.match(await untilEnded(x), [{ state: 'given-up', attempts: 2 }])
  const { json } = await x.client('clinician').send('GET', '/v1/notices?state=given-up')
  t.match(json, { notices: [{ share: share.id, state: 'given-up' }] })
  x.clock.advance(KEEP_MILLISECONDS + 1)
  await eventually('it is removed in the end', async () =>
    (await outbox(x)).some(({ kind }) => kind === 'share-created') ? undefined : true
  )
})

t.test('nothing is told that is overtaken, too late, unwanted, or for nobody', async t => {
  const { x, server } = await startWithMail(t)
  const { caseId, recordId } = await someCase(x)
  const withdrawn = await shareRecords(x, caseId, [recordId])
  await x.client('clinician').json('DELETE', `/v1/shares/${withdrawn.id}`)
  const ended = await shareRecords(x, caseId, [recordId], { lifeHours: 1 })
  const left = await shareRecords(x, caseId, [recordId], { with: 'specialistIe' })
  await disableAccount(x.exchange, { accountId: x.people.specialistIe.accountId })
  x.clock.advance(2 * HOUR)
  deliver(t, x, { keepUpMilliseconds: 60_000 })
  const rows = await untilEnded(x)
  const codes = Object.fromEntries(
    rows.map(row => [`${row.kind} ${row.shareId}`, `${row.state} ${row.code}`])
  )
  t.same(codes, {
    [`share-created ${withdrawn.id}`]: 'dropped overtaken',
    [`share-revoked ${withdrawn.id}`]: 'sent null',
    [`share-created ${ended.id}`]: 'given-up too-late',
    [`share-created ${left.id}`]: 'dropped account-disabled'
  })
  t.equal(server.taken.length, 1)
})

t.test('without e-mail nothing is sent, and everything says so', async t => {
  const x = await startExchange(t)
  deliver(t, x)
  const { caseId, recordId } = await someCase(x)
  await shareRecords(x, caseId, [recordId])
  await eventually('it waits', async () => {
    const [row] = await outbox(x)
    return row?.code === 'not-configured' ? row : undefined
  })
  const { json } = await x.client('clinician').send('GET', '/v1/notices')
  t.match(json, {
    mail: 'not-configured',
    notices: [{ state: 'waiting', problem: 'not-configured' }]
  })
  const ready = await x.client().send('GET', '/readyz')
  t.match(ready, { status: 200, json: { notes: { mail: 'not configured: no notice leaves' } } })
})
