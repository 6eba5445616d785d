import t from 'tap'
import { registerOldAccounts } from '../../src/register/enrolled-entry.ts'
import {
  eventually,
  numberedText,
  sendLink,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { entryInput, expire, readEntry, verify } from './scene.ts'

/** Asks for a share, whatever comes of it. */
function askShare(exchange: TestExchange, caseId: string, record: string) {
  return exchange.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
    specialist: exchange.people.specialistGb.accountId,
    records: [record],
    purpose: 'Second opinion'
  })
}

t.test('only who is verified is sent a share, and only they go on reading it', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-11-23T09:00:00Z')
  const { accountId } = exchange.people.specialistGb
  const specialist = exchange.client('specialistGb')
  const { caseId, record, share, path } = await sharedRecord(exchange, [numberedText(1000)])
  t.equal((await specialist.send('GET', path)).status, 200)

  await expire(exchange, accountId)
  const expired = { status: 403, json: { code: 'specialist-verification-expired' } }
  t.match(await askShare(exchange, caseId, record.id), expired)
  t.match(await sendLink(specialist, share.link), expired, 'no new opening')
  t.match(await specialist.send('GET', path), expired, 'nor reading on in an old one')
  t.match(await specialist.send('GET', `/v1/shares/${share.id}`), expired)
  const refusals = await exchange.auditEvents({ code: 'specialist-verification-expired' })
  const { organisationId } = exchange.people.clinician
  t.same(
    refusals.map(event => [event.action, event.shareId, event.organisationId]),
    [
      ['share.create', null, organisationId],
      ['link.open', share.id, organisationId],
      ['content.read', share.id, organisationId],
      ['share.read', share.id, organisationId]
    ],
    'on the log of the organisation whose share it is'
  )
  t.equal((await openShares(exchange, share.id)).openings, 1, 'the refused opening was not counted')

  await verify(exchange, accountId)
  t.match(await sendLink(specialist, share.link), { status: 200 }, 'verified anew')
  t.match(await askShare(exchange, caseId, record.id), { status: 201 })
})

t.test('where they work is what the register says, for every share they have', async t => {
  const exchange = await startExchange(t)
  const { accountId } = exchange.people.specialistGb
  const specialist = exchange.client('specialistGb')
  const { caseId, record, path } = await sharedRecord(exchange, [numberedText(1000)])
  t.equal((await specialist.send('GET', path)).status, 200)

  const administrator = exchange.client('administrator')
  const entry = entryInput({ name: 'Dr Carol Moved', country: 'US', registrationNumber: '55123' })
  const before = await administrator.send('GET', `/v1/specialists/${accountId}`)
  const changed = await administrator.send('PUT', `/v1/specialists/${accountId}`, entry, {
    'if-match': String(before.headers.get('etag'))
  })
  t.equal(changed.status, 200)
  await verify(exchange, accountId)
  t.match(await specialist.send('GET', '/v1/account'), {
    json: { name: 'Dr Carol Moved', country: 'US' }
  })
  t.match(await specialist.send('GET', path), {
    status: 403,
    json: { code: 'transfer-not-allowed' }
  })
  const again = await askShare(exchange, caseId, record.id)
  t.match(again, { status: 422, json: { code: 'transfer-safeguard-required' } })
})

async function openShares(exchange: TestExchange, id: string): Promise<{ openings: number }> {
  const { shares } = await exchange
    .client('clinician')
    .json<{ shares: { id: string; openings: number }[] }>('GET', '/v1/shares')
  return shares.find(share => share.id === id) ?? { openings: -1 }
}

t.test('the day of re-verification passes during a live share', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-11-23T22:00:00Z')
  const { accountId } = exchange.people.specialistGb
  await verify(exchange, accountId, '2027-11-23')
  const { share, path } = await sharedRecord(exchange, [numberedText(1000)])
  const specialist = exchange.client('specialistGb')
  exchange.clock.set('2027-11-23T23:59:59.999Z')
  t.equal((await specialist.send('GET', path)).status, 200, 'to the last millisecond')
  exchange.clock.advance(1)
  const expired = { status: 403, json: { code: 'specialist-verification-expired' } }
  t.match(await specialist.send('GET', path), expired)
  t.match(await sendLink(specialist, share.link), expired)
  t.equal((await readEntry(exchange, accountId)).state, 'expired')
})

t.test('a download under way is cut when the verification ends', async t => {
  const exchange = await startExchange(t)
  const { accountId } = exchange.people.specialistGb
  const { path } = await sharedRecord(exchange, [numberedText(24 * 1024 * 1024)])
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await call.take(100_000)
  await expire(exchange, accountId)
  const [ended] = await eventually('it is cut', async () => {
    const events = await exchange.auditEventsNow({ action: 'content.read', outcome: 'expired' })
    return events.length > 0 ? events : undefined
  })
  t.ok(ended)
  t.ok((await call.rest()).length < 24 * 1024 * 1024, 'before its end')
})

t.test('specialists from before the register have their entry after the next start', async t => {
  const exchange = await startExchange(t)
  const { database, serviceKeys, audit, clock } = exchange.exchange
  const intruder = await intrude(t, exchange.config)
  await intruder.run('DELETE FROM specialist_terms')
  await intruder.run('DELETE FROM specialists')
  const { accountId } = exchange.people.specialistGb
  const parts = { database, serviceKeys, audit, clock }
  const { id: caseId } = await exchange
    .client('clinician')
    .json<{ id: string }>('POST', '/v1/cases', {
      patient: {
        identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' },
        name: 'X',
        birthDate: '1970-01-01'
      },
      question: '?'
    })
  t.match(await askShare(exchange, caseId, '0190a5b0-0000-7000-8000-000000000000'), { status: 422 })
  const made = await Promise.all([registerOldAccounts(parts), registerOldAccounts(parts)])
  t.equal(made[0] + made[1], 5, 'each once')
  t.match(await readEntry(exchange, accountId), {
    account: accountId,
    state: 'verified',
    verification: { by: 'operator console' }
  })
  t.equal(await registerOldAccounts(parts), 0, 'and no second time')
})
