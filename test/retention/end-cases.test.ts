import t from 'tap'
import type { DisclosureReport } from '../../schemas/disclosure-report.ts'
import { eq } from '../../schemas/drizzle.ts'
import { eraseDetails } from '../../src/audit/erase.ts'
import { endCases } from '../../src/retention/end-cases.ts'
import { removeDueFiles } from '../../src/retention/remove-files.ts'
import { ownerDatabase } from '../helpers/databases.ts'
import {
  isSound,
  NHS_NUMBER,
  NHS_SYSTEM,
  numberedText,
  sharedRecord,
  startExchange
} from '../helpers/exchange.ts'
import { wholeRequest, writeRequest } from '../helpers/request.ts'
import { blobNames, giveOpinion, goOn, newCase } from './stage.ts'

const DAY = 86_400_000

t.test('what a closed case comes to, year after year', async t => {
  const x = await startExchange(t)
  x.clock.set('2027-03-10T12:00:00Z')
  const clinician = x.client('clinician')
  const { caseId, record } = await sharedRecord(x, [numberedText(10)])
  await giveOpinion(x, caseId)
  const open = await newCase(x)
  const end = () => endCases(x.exchange, goOn)
  t.match(await end(), { copies: 0, cases: 0, audits: 0, failed: 0 }, 'nothing is closed')
  const close = { reason: 'Discussed', revokeShares: true }
  await clinician.json('POST', `/v1/cases/${caseId}/close`, close)

  // The 90th day after it ends at midnight in London, which is an hour early in summer.
  x.clock.set(Date.parse('2027-06-08T23:00:00Z') - 1)
  t.match(await end(), { copies: 0 }, 'the last millisecond of its last day')
  x.clock.advance(1)
  t.match(await end(), { copies: 1, cases: 0 }, 'and then it goes')
  t.match(await end(), { copies: 0, cases: 0 }, 'once')
  t.match(await clinician.send('GET', `/v1/records/${record.id}`), { status: 410 })
  t.equal((await clinician.send('GET', `/v1/cases/${caseId}`)).status, 200)
  t.equal((await blobNames(x)).length, 1, 'of the open case everything is there')
  t.match(await x.auditEvents({ action: 'case.erase' }), [
    { caseId, actorId: null, details: { by: 'housekeeping', scope: 'copies' } }
  ])
  await isSound(t, x)

  x.clock.set('2035-03-11T00:00:00Z')
  t.match(await end(), { cases: 1, audits: 0 }, 'the time of its class is over')
  t.match(await clinician.send('GET', `/v1/cases/${caseId}`), { status: 410 })
  const auditor = x.client('auditor')
  const patient = { system: NHS_SYSTEM, value: NHS_NUMBER }
  const report = () =>
    auditor.json<DisclosureReport>('POST', '/v1/audit/reports', { patient, format: 'json' })
  t.ok(
    (await report()).shares.some(share => share.case === caseId),
    'the log still tells'
  )

  if (x.exchange.database.read.kind === 'postgres') {
    t.match(await end(), { audits: 0, waiting: 1 }, 'the service may not touch the log')
    const owned = await ownerDatabase(t, { database: x.exchange.database, settings: x.settings })
    const order = { reference: 'retention' }
    await eraseDetails({ ...x.exchange, database: owned }, { caseId }, order)
  }
  t.match(await end(), { audits: 1 }, 'and then the log forgets as well')
  t.match(await end(), { copies: 0, cases: 0, audits: 0 })
  t.notOk(
    (await report()).shares.some(share => share.case === caseId),
    'of whom it was'
  )
  const one = await auditor.json<DisclosureReport>('POST', '/v1/audit/reports', {
    case: caseId,
    format: 'json'
  })
  t.match(one.shares, [{ case: caseId }])
  t.equal(one.shares[0]?.purpose, undefined)
  await isSound(t, x, 'and all of it is sound')
  t.equal((await clinician.send('GET', `/v1/records/${open.recordId}`)).status, 200)
  const { cases } = x.exchange.database.read.tables
  const rows = await x.exchange.database.read.select().from(cases).where(eq(cases.id, caseId))
  t.equal(rows[0]?.patientRef.length, 0)
  t.match(await x.auditEvents({ action: 'case.erase' }), [
    { details: { scope: 'copies' } },
    { details: { scope: 'case' } }
  ])
})

t.test('a case that is opened again keeps what it has', async t => {
  const x = await startExchange(t)
  x.clock.set('2027-03-10T12:00:00Z')
  const clinician = x.client('clinician')
  const { id, recordId } = await newCase(x)
  await clinician.json('POST', `/v1/cases/${id}/close`, { reason: 'Done' })
  x.clock.advance(60 * DAY)
  await clinician.json('POST', `/v1/cases/${id}/reopen`, { reason: 'Not done' })
  x.clock.advance(60 * DAY)
  t.match(await endCases(x.exchange, goOn), { copies: 0 })
  await clinician.json('POST', `/v1/cases/${id}/close`, { reason: 'Done' })
  x.clock.advance(60 * DAY)
  t.match(await endCases(x.exchange, goOn), { copies: 0 }, 'its days count anew')
  t.equal((await clinician.send('GET', `/v1/records/${recordId}`)).status, 200)
  x.clock.advance(40 * DAY)
  t.match(await endCases(x.exchange, goOn), { copies: 1 })
  t.equal(await removeDueFiles(x.exchange, goOn), 0, 'the files went with it')
})

t.test('a case that is opened again is judged anew when it is closed', async t => {
  const x = await startExchange(t)
  x.clock.set('2027-03-10T12:00:00Z')
  const clinician = x.client('clinician')
  const { id } = await newCase(x)
  const write = async (conditionGroup: 'cancer' | 'general') => {
    await writeRequest(clinician, id, wholeRequest(x.clock.now(), { conditionGroup }))
    await clinician.json('POST', `/v1/cases/${id}/close`, { reason: 'Done' })
  }
  await write('cancer')
  x.clock.advance(100 * DAY)
  t.match(await endCases(x.exchange, goOn), { copies: 1 }, 'the rest stays for thirty years')
  await clinician.json('POST', `/v1/cases/${id}/reopen`, { reason: 'It was none' })
  await write('general')
  x.clock.set('2036-01-01T12:00:00Z')
  t.match(await endCases(x.exchange, goOn), { cases: 1 }, 'it stayed for eight')
})

t.test('a case that cannot be read keeps no other waiting', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const broken = await newCase(x)
  const good = await newCase(x)
  for (const { id } of [broken, good]) {
    await clinician.json('POST', `/v1/cases/${id}/close`, { reason: 'Done' })
  }
  const { database } = x.exchange
  await database.write(async tx => {
    const { caseRequests } = tx.tables
    const requestSealed = Buffer.from('not a box of ours, and long enough to be one')
    await tx
      .update(caseRequests)
      .set({ version: 1, requestSealed })
      .where(eq(caseRequests.caseId, broken.id))
  })
  x.clock.advance(100 * DAY)
  t.match(await endCases(x.exchange, goOn), { copies: 1, failed: 1 })
  t.match(await clinician.send('GET', `/v1/records/${good.recordId}`), { status: 410 })
})
