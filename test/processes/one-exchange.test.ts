import t from 'tap'
import { openPostgresSnapshot } from '../../src/database/postgres.ts'
import { disableAccount } from '../../src/identity/enrol.ts'
import { verified } from '../audit/verify/stage.ts'
import { startBeside, startRealService } from '../faults/real-service.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import {
  createCase,
  eventually,
  numberedText,
  openShare,
  sendLink,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'
import { askToken, assertion } from '../helpers/identity.ts'

const LARGE = numberedText(24 * 1024 * 1024)
const STARTED = 256 * 1024

/** Two processes on one PostgreSQL database, for all that follows. */
async function startPair() {
  const { url } = await freshPostgres()
  const first = await startRealService(t, { DATABASE_URL: url })
  return { first, second: await startBeside(t, first) }
}

const pair = hasPostgres(t) ? await startPair() : undefined

/** The two, with a new record that is shared and open. */
async function setUp({ first, second }: NonNullable<typeof pair>, file = numberedText(1000)) {
  const clinician = first.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [file] })
  const share = await shareRecords(first, caseId, [record.id])
  await openShare(second.client('specialistGb'), share.link)
  return { caseId, record, share, path: sharedPath(share.id, record.id) }
}

const snapshotOf = ({ settings }: { settings: Record<string, string> }) => ({
  openSnapshot: () => openPostgresSnapshot(String(settings['DATABASE_URL']))
})

t.test('of twenty at once at two processes on three openings exactly three pass', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const { caseId, record } = await setUp(pair)
  const share = await shareRecords(first, caseId, [record.id], { openingsMax: 3 })
  const callers = [first, second].map(process => process.client('specialistGb'))
  for (const caller of callers) await caller.token()
  const turns = Array.from({ length: 10 }, () => callers).flat()
  const answers = await Promise.all(turns.map(caller => sendLink(caller, share.link)))
  const passed = answers.filter(answer => answer.status === 200)
  t.same(passed.map(answer => answer.json.openings).sort(), [1, 2, 3])
  const refused = answers.filter(answer => answer.status !== 200)
  t.ok(refused.every(answer => answer.json.code === 'share-openings-spent'))
  const events = await first.events({ shareId: share.id, action: 'link.open' })
  t.equal(events.filter(event => event.outcome === 'success').length, 3)
  const numbers = (await first.events({ shareId: share.id })).map(
    event => JSON.parse(String(event.leaf)).n
  )
  t.same(
    numbers.sort((a, b) => a - b),
    [...numbers.keys()].map(n => n + 1),
    'events of the share are numbered without a gap'
  )
  const { faults } = await verified(first.config.dataDirectory, snapshotOf(first))
  t.same(faults, [], 'and stand on the log in the order of their numbers')
})

t.test('an assertion is good for one token, at whichever process', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const { key } = first.people.clinician
  const spent = await assertion(key)
  t.equal((await askToken(first.url, spent)).status, 200)
  t.equal((await askToken(second.url, spent)).status, 401)
  const fresh = await assertion(key)
  const turns = Array.from({ length: 8 }, () => [first.url, second.url]).flat()
  const answers = await Promise.all(turns.map(url => askToken(url, fresh)))
  t.equal(answers.filter(answer => answer.status === 200).length, 1)
})

t.test('an account that is disabled is turned away by both at once', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const callers = [first, second].map(process => process.client('colleague'))
  for (const caller of callers) t.equal((await caller.send('GET', '/v1/account')).status, 200)
  const { accountId } = first.people.colleague
  await first.look(data => disableAccount(data, { accountId }))
  for (const caller of callers) {
    t.match(await caller.send('GET', '/v1/account'), { json: { code: 'account-disabled' } })
  }
})

t.test('a share withdrawn at one process cuts downloads at the other', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const { share, path } = await setUp(pair, LARGE)
  const call = await second.raw('specialistGb', `GET ${path}`)
  await call.take(STARTED)
  await first.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  t.match(await second.client('specialistGb').send('GET', path), {
    status: 410,
    json: { code: 'share-revoked' }
  })
  const ended = await eventually(
    'the download is cut',
    async () => (await first.events({ action: 'content.read', outcome: 'revoked' }))[0]
  )
  t.ok(Number(ended.bytesHandedOver) < LARGE.bytes.length)
  t.ok((await call.rest()).length < LARGE.bytes.length)
})

t.test('a process that starts leaves the downloads of another alone', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const { path } = await setUp(pair, LARGE)
  const lives = await second.raw('specialistGb', `GET ${path}`)
  await lives.take(STARTED)
  const dies = await first.raw('specialistGb', `GET ${path}`)
  await dies.take(STARTED)
  await first.kill()
  await first.start()
  const read = { action: 'content.read' } as const
  t.equal((await first.events({ ...read, outcome: 'interrupted' })).length, 1, 'its own alone')
  t.equal((await lives.rest()).length, LARGE.bytes.length)
  const [whole] = await eventually('it is on the log', async () => {
    const ends = await first.events({ ...read, outcome: 'complete' })
    return ends.length === 1 ? ends : undefined
  })
  t.equal(whole?.bytesHandedOver, LARGE.bytes.length)
})

t.test('what one process has acknowledged, the other shows an auditor at once', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const auditor = second.client('auditor')
  for (let turn = 0; turn < 10; turn += 1) {
    const { id } = await createCase(first.client('clinician'))
    const found: { events: { action: string }[] } = await auditor.json(
      'GET',
      `/v1/audit/events?case=${id}`
    )
    t.same(
      found.events.map(event => event.action),
      ['case.create']
    )
  }
})
