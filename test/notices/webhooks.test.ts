import t, { type Test } from 'tap'
import type { DeliveryView } from '../../schemas/notice.ts'
import type { WebhookCreated, WebhookSecret, WebhookView } from '../../schemas/webhook.ts'
import { addAccount, addClient } from '../../src/identity/enrol.ts'
import { afterDelivery, FAILING_MILLISECONDS_MAX } from '../../src/notices/webhooks/health.ts'
import { WEBHOOKS_PER_ORGANISATION_MAX } from '../../src/notices/webhooks/manage.ts'
import { makeClient } from '../helpers/client.ts'
import { eventually, openShare, shareRecords, type TestExchange } from '../helpers/exchange.ts'
import { type Receiver, receiverCheck, startReceiver } from '../helpers/webhook-receiver.ts'
import { deliver, outbox, someCase, startWithMail, untilEnded } from './stage.ts'

const HOUR = 3_600_000
const LOOPBACK = { CONSILIUM_WEBHOOK_NETWORKS: '127.0.0.1' }

type Respond = Parameters<typeof startReceiver>[2]

async function setUp(t: Test, respond?: Respond) {
  const { x, server } = await startWithMail(t, {}, { env: LOOPBACK })
  const receiver = await startReceiver(t, 'http', respond)
  const hook = await addWebhook(x, receiver)
  return { x, server, receiver, hook, ...(await someCase(x)) }
}

function addWebhook(
  x: TestExchange,
  { port }: Receiver,
  more: { kinds?: string[] } = {}
): Promise<WebhookCreated> {
  const url = `http://127.0.0.1:${port}/hook`
  return x.client('administrator').json('POST', '/v1/webhooks', { url, ...more })
}

const deliveriesOf = async (x: TestExchange, id: string): Promise<DeliveryView[]> => {
  const found: { deliveries: DeliveryView[] } = await x
    .client('administrator')
    .json('GET', `/v1/webhooks/${id}/deliveries`)
  return found.deliveries
}

t.test('a system is told of what happens, signed, with ids alone', async t => {
  const { x, receiver, hook, caseId, recordId } = await setUp(t)
  t.match(hook.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  deliver(t, x)
  const share = await shareRecords(x, caseId, [recordId])
  await openShare(x.client('specialistGb'), share.link)
  await x.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  await untilEnded(x, 'webhook')
  const check = receiverCheck(hook.secret, new Set())
  t.same(receiver.received.map(check), ['good', 'good', 'good'])
  const bodies = receiver.received.map(({ body }) => JSON.parse(body))
  const data = { organisation: x.people.clinician.organisationId, case: caseId, share: share.id }
  t.same(bodies.map(({ type }) => type).sort(), ['share-created', 'share-opened', 'share-revoked'])
  for (const body of bodies) t.same(body, { type: body.type, timestamp: body.timestamp, data })
  const deliveries = await deliveriesOf(x, hook.id)
  t.same(
    deliveries.map(({ id, state }) => [id, state]).sort(),
    receiver.received.map(({ id }) => [id, 'sent']).sort()
  )
  const sent = await x.auditEvents({ action: 'notice.send' })
  t.equal(sent.filter(({ details }) => details.webhook === hook.id).length, 3)
})

t.test('only what it wants, and only of its own organisation', async t => {
  const { x, receiver, caseId, recordId } = await setUp(t)
  const some = await startReceiver(t)
  const others = await startReceiver(t)
  await addWebhook(x, some, { kinds: ['share-opened'] })
  const url = `http://127.0.0.1:${others.port}/`
  const other = await administratorOf(x, 'RX2')
  const theirs: WebhookCreated = await other.json('POST', '/v1/webhooks', { url })
  deliver(t, x)
  const share = await shareRecords(x, caseId, [recordId])
  await openShare(x.client('specialistGb'), share.link)
  await untilEnded(x, 'webhook')
  await untilEnded(x)
  t.equal(receiver.received.length, 2)
  t.same(
    some.received.map(({ body }) => JSON.parse(body).type),
    ['share-opened']
  )
  t.same(others.received, [])

  const mine: { webhooks: WebhookView[] } = await x
    .client('administrator')
    .json('GET', '/v1/webhooks')
  t.equal(mine.webhooks.length, 2)
  t.notOk(JSON.stringify(mine).includes('whsec_'), 'no secret is shown again')
  const administrator = x.client('administrator')
  for (const [method, path] of [
    ['DELETE', `/v1/webhooks/${theirs.id}`],
    ['POST', `/v1/webhooks/${theirs.id}/secret`],
    ['GET', `/v1/webhooks/${theirs.id}/deliveries`]
  ] as const) {
    const { result, events } = await x.eventsOf(() => administrator.send(method, path))
    t.match(result, { status: 404, json: { code: 'webhook-not-found' } }, `${method} ${path}`)
    t.match(events, [{ outcome: 'refused', code: 'webhook-not-found' }])
  }
  t.notMatch(x.logged(), theirs.secret)
})

async function administratorOf(x: TestExchange, organisation: string) {
  const accountId = await addAccount(x.exchange, {
    organisation,
    role: 'administrator',
    name: 'Jo Twite'
  })
  const key = await addClient(x.exchange, { accountId })
  const person = { name: 'Jo Twite', accountId, organisationId: '', key }
  return makeClient(() => x.url, x.clock.now, person)
}

t.test('a secret is replaced without losing a delivery', async t => {
  const { x, receiver, hook, caseId, recordId } = await setUp(t)
  const fresh: WebhookSecret = await x
    .client('administrator')
    .json('POST', `/v1/webhooks/${hook.id}/secret`)
  t.not(fresh.secret, hook.secret)
  deliver(t, x)
  await shareRecords(x, caseId, [recordId])
  await untilEnded(x, 'webhook')
  const signedBy = (secret: string, now?: number) =>
    receiver.received.map(hook => receiverCheck(secret, new Set(), now)(hook))
  t.same([signedBy(fresh.secret), signedBy(hook.secret)], [['good'], ['good']])
  x.clock.advance(25 * HOUR)
  await shareRecords(x, caseId, [recordId])
  await untilEnded(x, 'webhook')
  const now = x.clock.now()
  t.same(signedBy(fresh.secret, now).at(-1), 'good')
  t.same(signedBy(hook.secret, now).at(-1), 'forged', 'a day later it signs no more')
})

t.test('what fails is tried again under the same id, by one delivery for all', async t => {
  const { x, receiver, hook, caseId, recordId } = await setUp(t, (turn, response) => {
    response.writeHead(turn <= 2 ? 503 : 200).end()
  })
  deliver(t, x)
  await shareRecords(x, caseId, [recordId])
  await eventually('it failed', () => (receiver.received.length === 1 ? true : undefined))
  await eventually('and is put off', async () =>
    (await deliveriesOf(x, hook.id))[0]?.state === 'waiting' ? true : undefined
  )
  t.match((await deliveriesOf(x, hook.id))[0], {
    problem: 'webhook-503',
    attempts: 1,
    nextAttemptAt: String
  })
  const { webhooks }: { webhooks: WebhookView[] } = await x
    .client('administrator')
    .json('GET', '/v1/webhooks')
  t.ok(webhooks[0]?.failingSince)
  for (let turn = 0; turn < 4; turn += 1) {
    x.clock.advance(3 * HOUR)
    await new Promise(resolve => setTimeout(resolve, 60))
  }
  await untilEnded(x, 'webhook')
  const [first, second, third] = receiver.received
  t.equal(receiver.received.length, 3)
  t.ok(first?.id === second?.id && second?.id === third?.id, 'one id')
  t.ok(first?.body === third?.body, 'one body')
  t.not(first?.timestamp, third?.timestamp, 'each attempt has its time')
  t.notOk((await listed(x))[0]?.failingSince, 'it is well again')
})

const listed = async (x: TestExchange): Promise<WebhookView[]> => {
  const { webhooks }: { webhooks: WebhookView[] } = await x
    .client('administrator')
    .json('GET', '/v1/webhooks')
  return webhooks
}

t.test('one that fails for days is disabled, and whoever added it is told', async t => {
  const { x, server, hook, caseId, recordId } = await setUp(t, (_turn, response) => {
    response.writeHead(500).end()
  })
  deliver(t, x)
  await shareRecords(x, caseId, [recordId])
  await eventually('it fails', async () => (await listed(x))[0]?.failingSince)
  x.clock.advance(FAILING_MILLISECONDS_MAX + 1)
  await shareRecords(x, caseId, [recordId])
  await eventually('it is disabled', async () => (await listed(x))[0]?.disabledAt)
  await untilEnded(x)
  const told = server.taken.filter(({ recipients }) =>
    recipients.includes(String(x.people.administrator.email))
  )
  t.match(told, [{ parsed: { subject: 'A webhook has been disabled' } }])
  t.match(await x.auditEvents({ action: 'webhook.disable' }), [
    { details: { webhook: hook.id, problem: 'webhook-500' } }
  ])
  const before = (await outbox(x)).length
  await shareRecords(x, caseId, [recordId])
  t.equal((await outbox(x)).length, before + 1, 'nothing more is put into its box')
})

t.test('one that is gone is disabled at once; one that is removed is told nothing', async t => {
  const { x, receiver, hook, caseId, recordId } = await setUp(t, (_turn, response) => {
    response.writeHead(410).end()
  })
  const silent = await startReceiver(t)
  const removed = await addWebhook(x, silent)
  await shareRecords(x, caseId, [recordId])
  await x.client('administrator').json('DELETE', `/v1/webhooks/${removed.id}`)
  deliver(t, x)
  const rows = await untilEnded(x, 'webhook')
  const of = (id: string) => rows.find(row => row.webhookId === id)
  t.match(of(hook.id), { state: 'failed', code: 'webhook-gone' })
  t.match(of(removed.id), { state: 'dropped', code: 'webhook-removed' })
  t.equal(receiver.received.length, 1)
  t.same(silent.received, [])
  t.match(await listed(x), [{ id: hook.id, problem: 'webhook-gone' }])
  const { webhooks } = x.exchange.database.read.tables
  const stored = await x.exchange.database.read.select().from(webhooks)
  t.match(
    stored.find(row => row.id === removed.id),
    { urlSealed: null, secretSealed: null }
  )
})

t.test('several that find it gone at once disable it once', async t => {
  const { x, hook } = await setUp(t)
  const { database, audit, notices, clock } = x.exchange
  const row = { webhookId: hook.id, attempts: 1 }
  const gone = { result: 'failed', code: 'webhook-gone' } as const
  const find = () => database.write(tx => afterDelivery({ audit, notices }, tx, row, gone, clock()))
  await Promise.all([find(), find(), find(), find()])
  t.equal((await x.auditEvents({ action: 'webhook.disable' })).length, 1)
})

t.test('an address that is not public is refused when it is added', async t => {
  const { x } = await startWithMail(t)
  const administrator = x.client('administrator')
  for (const url of ['https://10.0.0.1/', 'https://localhost/', 'https://[::1]:8443/']) {
    t.match(await administrator.send('POST', '/v1/webhooks', { url }), {
      status: 422,
      json: { code: 'webhook-address-refused' }
    })
  }
  for (const url of ['http://8.8.8.8/', 'http://127.0.0.1/', 'https://8.8.8.8:22/', 'x']) {
    t.match(await administrator.send('POST', '/v1/webhooks', { url }), {
      status: 400,
      json: { code: 'request-invalid', problems: [/^url: /] }
    })
  }
  const url = 'https://8.8.8.8/'
  const body = { url, kinds: ['webhook-disabled'] }
  t.equal((await administrator.send('POST', '/v1/webhooks', body)).status, 400)
})

t.test('of many at once an organisation has so many and no more', async t => {
  const { x } = await startWithMail(t)
  const administrator = x.client('administrator')
  await administrator.token()
  const answers = await Promise.all(
    Array.from({ length: WEBHOOKS_PER_ORGANISATION_MAX * 2 }, (_, n) =>
      administrator.send('POST', '/v1/webhooks', { url: `https://8.8.8.8/${n}` })
    )
  )
  const made = answers.filter(({ status }) => status === 201)
  t.equal(made.length, WEBHOOKS_PER_ORGANISATION_MAX)
  for (const { status, json } of answers.filter(answer => !made.includes(answer))) {
    t.match({ status, json }, { status: 409, json: { code: 'too-many-webhooks' } })
  }
  await administrator.json('DELETE', `/v1/webhooks/${made[3]?.json.id}`)
  t.equal(
    (await administrator.send('POST', '/v1/webhooks', { url: 'https://8.8.8.8/' })).status,
    201
  )
})
