import t, { type Test } from 'tap'
import { openDisclosures } from '../../src/audit/disclosures.ts'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { openBlobs } from '../../src/open-data.ts'
import {
  createCase,
  eventually,
  numberedText,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'
import { type MailHabits, startMailServer } from '../helpers/mail-server.ts'
import { mailSettings } from '../notices/stage.ts'
import { type RealService, startRealService } from './real-service.ts'

async function setUp(t: Test, habits: MailHabits = {}) {
  const server = await startMailServer(t, habits)
  const service = await startRealService(t, mailSettings(server))
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  return { server, service, caseId, recordId: record.id }
}

async function statesOf(service: RealService): Promise<string[]> {
  return service.look(async ({ database }) => {
    const { notices } = database.read.tables
    const rows = await database.read.select({ state: notices.state }).from(notices)
    return rows.map(({ state }) => state).sort()
  })
}

/** On PostgreSQL a run must have been missed for a quarter of a minute before it counts as ended. */
const SENT_SECONDS_MAX = 40

const allSent = (service: RealService, n: number) =>
  eventually(
    'all are sent',
    async () => {
      const states = await statesOf(service)
      return states.length === n && states.every(state => state === 'sent') ? true : undefined
    },
    SENT_SECONDS_MAX
  )

t.test('killed between the act and its delivery, it tells of it after the next start', async t => {
  const { server, service, caseId, recordId } = await setUp(t)
  for (let turn = 1; turn <= 3; turn += 1) {
    const share = await shareRecords(service, caseId, [recordId])
    await service.kill()
    await service.start()
    await allSent(service, turn)
    const told = server.taken.filter(mail => mail.raw.includes(share.id))
    t.equal(told.length, 1, 'once')
  }
  t.equal(new Set(server.taken.map(mail => mail.parsed.messageId)).size, server.taken.length)
})

t.test('killed before the server has taken it, it sends it once', async t => {
  const hold = Promise.withResolvers<undefined>()
  let asked = 0
  const { server, service, caseId, recordId } = await setUp(t, {
    recipient: () => {
      asked += 1
      return asked === 1 ? hold.promise : undefined
    }
  })
  await shareRecords(service, caseId, [recordId])
  await eventually('it is under way', () => (asked === 1 ? true : undefined))
  t.same(await statesOf(service), ['sending'])
  await service.kill()
  hold.resolve(undefined)
  await service.start()
  await allSent(service, 1)
  t.equal(server.taken.length, 1)
})

t.test('killed after the server has taken it, it sends the same bytes again', async t => {
  const hold = Promise.withResolvers<undefined>()
  const { server, service, caseId, recordId } = await setUp(t, {
    message: turn => (turn === 1 ? hold.promise : undefined)
  })
  await shareRecords(service, caseId, [recordId])
  await eventually('the server has it', async () =>
    server.connections() === 1 && (await statesOf(service))[0] === 'sending' ? true : undefined
  )
  // All of it has gone out once the server waits before its answer.
  await new Promise(resolve => setTimeout(resolve, 300))
  await service.kill()
  hold.resolve(undefined)
  await eventually('it was taken', () => (server.taken.length === 1 ? true : undefined))
  await service.start()
  await allSent(service, 1)
  const [first, second] = server.taken
  t.equal(server.taken.length, 2, 'the one gap that there is')
  t.equal(first?.parsed.messageId, second?.parsed.messageId)
  t.equal(first?.raw, second?.raw, 'a receiver can tell that it is the same')
  t.equal((await service.events({ action: 'notice.send' })).length, 1)
  await service.stop()
  const faults = await service.look(async data => {
    const blobs = await openBlobs(service.config)
    const disclosures = openDisclosures(data.database, data.audit, data.clock)
    const found = await checkExchange({ ...data, blobs, disclosures })
    await disclosures.close()
    await blobs.close()
    return found
  })
  t.same(faults, [])
})

t.test('told to stop in the middle, it finishes what is under way', async t => {
  const hold = Promise.withResolvers<undefined>()
  const { server, service, caseId, recordId } = await setUp(t, {
    message: turn => (turn === 1 ? hold.promise : undefined)
  })
  await shareRecords(service, caseId, [recordId])
  await eventually('it is under way', async () => (server.connections() === 1 ? true : undefined))
  await new Promise(resolve => setTimeout(resolve, 300))
  const stopped = service.stop()
  setTimeout(() => hold.resolve(undefined), 300)
  t.equal(await stopped, 0)
  t.same(await statesOf(service), ['sent'])
  t.equal(server.taken.length, 1)
})
