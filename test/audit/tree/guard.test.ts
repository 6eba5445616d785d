import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventCount } from '../../../src/audit/tree/queries.ts'
import { Refusal } from '../../../src/errors.ts'
import { dataPaths } from '../../../src/open-data.ts'
import { startRealService } from '../../faults/real-service.ts'
import { canMakeFaults, placeOf } from '../../faults/strace.ts'
import { sqliteOnly } from '../../helpers/databases.ts'
import {
  eventually,
  numberedText,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../../helpers/exchange.ts'
import { intrude } from '../../helpers/intruder.ts'
import { append } from './scene.ts'

// Most of their time these tests wait for the guard to try the log again.
t.jobs = 4

/** Longer than the guard waits between two tries of the log. */
const TRY_MILLISECONDS_MAX = 15_000

async function scene(exchange: TestExchange, bytes = 1000) {
  const { caseId, share, path } = await sharedRecord(exchange, [numberedText(bytes)])
  for (const who of ['stranger', 'auditor', 'administrator'] as const) {
    await exchange.client(who).token()
  }
  await exchange.auditEvents()
  return { caseId, path, shareId: share.id }
}
type Scene = Awaited<ReturnType<typeof scene>>

/** Waits until `/readyz` says this of the log. */
async function readyzSays(exchange: TestExchange, log: string): Promise<void> {
  const deadline = Date.now() + TRY_MILLISECONDS_MAX
  for (;;) {
    const { status, json } = await exchange.client().send('GET', '/readyz')
    const { checks } = json as { checks: Record<string, string> }
    if (checks['log'] === log && (status === 200) === (log === 'ok')) return
    if (Date.now() > deadline) throw new Error(`/readyz says ${JSON.stringify(json)}`)
    await sleep(50)
  }
}

/** Every kind of request by every kind of person is refused in this way, and leaves no event. */
async function refusesAll(t: Test, exchange: TestExchange, scene: Scene, code: string) {
  const { path, shareId, caseId } = scene
  const { database } = exchange.exchange
  const before = await eventCount(database.read)
  for (const [who, method, url] of [
    ['clinician', 'GET', '/v1/cases'],
    ['clinician', 'GET', `/v1/cases/${caseId}`],
    ['clinician', 'POST', `/v1/cases/${caseId}/shares`],
    ['clinician', 'DELETE', `/v1/shares/${shareId}`],
    ['specialistGb', 'GET', `/v1/shares/${shareId}`],
    ['specialistGb', 'GET', path],
    ['specialistGb', 'HEAD', path],
    ['stranger', 'GET', path],
    ['auditor', 'GET', '/v1/audit/events'],
    ['auditor', 'GET', '/fhir/AuditEvent'],
    ['administrator', 'GET', '/v1/account'],
    [undefined, 'GET', '/v1/account']
  ] as const) {
    const answer = await exchange.client(who).send(method, url)
    const label = `${who ?? 'nobody'} ${method} ${url}`
    t.equal(answer.status, 503, label)
    if (method === 'HEAD') t.equal(answer.text, '')
    else t.match(answer.text, code, label)
    t.notMatch(answer.text, /0000000000|QUILLFEATHER/)
    for (const header of ['etag', 'content-disposition', 'repr-digest', 'content-range']) {
      t.equal(answer.headers.get(header), null, `${label}: no ${header}`)
    }
  }
  t.equal(await eventCount(database.read), before, 'nothing is added to the log')
}

t.test(
  'an event that is missing stops everything until somebody has looked',
  { buffered: true },
  async t => {
    const exchange = await startExchange(t)
    const { tree, database } = exchange.exchange
    const stage = await scene(exchange)
    const signed = await tree.settle()
    const intruder = await intrude(t, exchange.config)
    await intruder.passTriggers()
    await intruder.run('CREATE TEMP TABLE one AS SELECT * FROM audit_events WHERE idx = 0')
    await intruder.run(`UPDATE one SET idx = ${signed.size + 1}, id = 'other'`)
    await intruder.run('INSERT INTO audit_events SELECT * FROM one')
    const fault = `Event ${signed.size} is missing from the access log.`
    t.equal(await eventually('the tree notices', () => tree.fault()), fault)
    await readyzSays(exchange, fault)
    await refusesAll(t, exchange, stage, 'audit-unavailable')
    t.match(exchange.logged(), /the access log could not be brought up to date/)

    // Then what was signed is served, and nothing more is.
    await append(exchange.exchange, 1)
    await t.rejects(tree.settle(), { name: 'LogFault', message: fault })
    t.same(tree.checkpoint(), signed)
    t.equal((await exchange.client().send('GET', '/v1/audit/checkpoint')).text, signed.note)
    t.ok((await eventCount(database.read)) > signed.size)
  }
)

t.test('a checkpoint that somebody changed is never built upon', { buffered: true }, async t => {
  const exchange = await startExchange(t)
  const { tree } = exchange.exchange
  const stage = await scene(exchange)
  await tree.settle()
  const intruder = await intrude(t, exchange.config)
  await intruder.run("UPDATE audit_checkpoint SET note = replace(note, 'localhost', 'elsewhere')")
  await append(exchange.exchange, 1)
  await t.rejects(tree.settle(), { name: 'LogFault' })
  await refusesAll(t, exchange, stage, 'audit-unavailable')
  await readyzSays(exchange, 'The last checkpoint is damaged, or not signed by a key of this log.')
})

t.test(
  'while the log cannot be written nothing goes on, and then by itself',
  { buffered: true },
  async t => {
    const exchange = await startExchange(t)
    const stage = await scene(exchange)
    const { database } = exchange.exchange
    const { write } = database
    // Given a disk that takes nothing, while nobody asks for anything.
    database.write = async () => {
      throw new Refusal('storage-full', 'fault test')
    }
    await readyzSays(exchange, 'cannot be written')
    await refusesAll(t, exchange, stage, 'audit-unavailable')

    database.write = write
    await readyzSays(exchange, 'ok')
    t.equal((await exchange.client('specialistGb').send('GET', stage.path)).status, 200)
  }
)

t.test(
  'with little room left nothing begins, and what is under way is completed',
  { buffered: true },
  async t => {
    let free = 10_000_000
    const exchange = await startExchange(t, {
      limits: { freeBytesMin: 4_000_000, accessFreeBytesMin: 1_000_000 },
      wrapBlobs: inner => ({ ...inner, freeBytes: async () => free })
    })
    // More than the sockets between service and client can hold.
    const stage = await scene(exchange, 24_000_000)
    const call = await exchange.raw('specialistGb', `GET ${stage.path}`)
    await call.take(100_000)

    free = 2_000_000
    const { json } = await exchange.client().send('GET', '/readyz')
    t.match(json, { checks: { storage: 'low on space', log: 'ok' } }, 'uploads are refused before')
    free = 999_999
    await readyzSays(exchange, 'low on space')
    await refusesAll(t, exchange, stage, 'storage-low')
    const open = await exchange.exchange.database.read
      .select()
      .from(exchange.exchange.database.read.tables.openDisclosures)
    t.equal(open.length, 1, 'the download is still under way')

    t.ok((await call.rest()).equals(numberedText(24_000_000).bytes), 'it ends well')
    const [end] = await exchange.auditEvents({ outcome: 'complete' })
    t.match(end, { action: 'content.read', bytesHandedOver: 24_000_000 }, 'and is on the log')

    free = 10_000_000
    await readyzSays(exchange, 'ok')
  }
)

t.test(
  'no start while the log cannot be written',
  { buffered: true, skip: sqliteOnly },
  async t => {
    if (!canMakeFaults(t)) return
    const service = await startRealService(t)
    t.equal(await service.stop(), 0)
    const events = await service.look(({ database }) => eventCount(database.read))
    const { database } = dataPaths(service.config.dataDirectory)
    const full = ['-P', placeOf(`${database}-wal`), '-e', 'inject=pwrite64:error=ENOSPC']
    const main = new URL('../../../src/main.ts', import.meta.url).pathname
    const child = spawn('strace', ['-f', '-o', '/dev/null', ...full, process.execPath, main], {
      env: { PATH: process.env.PATH, CONSILIUM_DATA: service.config.dataDirectory },
      stdio: ['ignore', 'ignore', 'pipe']
    })
    t.teardown(() => child.kill())
    let told = ''
    child.stderr.on('data', text => {
      told += text
    })
    const [code] = await once(child, 'exit')
    t.equal(code, 1)
    t.match(
      told,
      /Consilium cannot start:\n {2}- The access log cannot be written: is the disk full/
    )
    t.equal(await service.look(({ database }) => eventCount(database.read)), events)
    await service.start()
    t.equal(await service.stop(), 0, 'with room, it starts')
  }
)
