import t, { type Test } from 'tap'
import { dataPaths } from '../../src/open-data.ts'
import type { Answer } from '../helpers/client.ts'
import { sqliteOnly } from '../helpers/databases.ts'
import { eventually } from '../helpers/exchange.ts'
import { putRequest, wholeRequest } from '../helpers/request.ts'
import {
  createCase,
  openShare,
  PURPOSE,
  recordForm,
  sendLink,
  sendRecord,
  sha256,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/story.ts'
import { startRealService } from './real-service.ts'
import { assertSoundAtRest, blobFiles } from './soundness.ts'
import { canMakeFaults, type SystemFault, withFault } from './strace.ts'

const MARKER = 'plover-in-clear'
const files = [1_200_000, 500].map((bytes, i) => ({
  name: `${i}.txt`,
  bytes: Buffer.alloc(bytes, `${MARKER} ${i}\n`)
}))

/** A case, a record, one share of it that is open and one that is not. */
async function setUp(t: Test, env = {}) {
  const service = await startRealService(t, env)
  const clinician = service.client('clinician')
  const specialist = service.client('specialistGb')
  const { id: caseId } = await createCase(clinician)
  const { id: askedId } = await createCase(clinician)
  // Whichever of these versions the fault before has left.
  const anyVersion = Array.from({ length: 20 }, (_, version) => `"${version}"`).join(', ')
  const record = await uploadRecord(clinician, caseId, { files: files.slice(0, 1) })
  const opened = await shareRecords(service, caseId, [record.id])
  await openShare(specialist, opened.link)
  const unopened = await shareRecords(service, caseId, [record.id], { openingsMax: 5 })
  const content = sharedPath(opened.id, record.id)
  const wal = `${dataPaths(service.config.dataDirectory).database}-wal`
  const acts: Record<string, () => Promise<Answer>> = {
    'an upload': () => sendRecord(clinician, caseId, { files }),
    'a share': () =>
      clinician.send('POST', `/v1/cases/${caseId}/shares`, {
        specialist: service.people.specialistGb.accountId,
        records: [record.id],
        purpose: PURPOSE
      }),
    'a request': () => putRequest(clinician, askedId, wholeRequest(Date.now()), anyVersion),
    'an opening': () => sendLink(specialist, unopened.link),
    content: () => specialist.send('GET', content),
    'a range of content': () =>
      specialist.send('GET', content, undefined, { range: 'bytes=5-100000' }),
    'a look at content': () => specialist.send('HEAD', content),
    'a record': () => clinician.send('GET', `/v1/records/${record.id}`)
  }
  return { service, specialist, clinician, caseId, record, unopened, content, wal, acts }
}

type Stage = Awaited<ReturnType<typeof setUp>>

/** What was acknowledged before is as it was: the record, its content, both shares. */
async function assertAcknowledged(t: Test, { service, specialist, record, content }: Stage) {
  const whole = await specialist.send('GET', content)
  t.match([whole.status, sha256(whole.bytes)], [200, record.objects[0]?.sha256])
  const listed = await service.client('clinician').send('GET', '/v1/shares')
  t.ok(Number(Object(listed.json.shares).length) >= 2, 'both shares are there')
}

function openingsOf({ service, unopened }: Stage): Promise<number> {
  return service.look(async ({ database }) => {
    const rows = await database.read.select().from(database.read.tables.shares)
    return rows.find(row => row.id === unopened.id)?.openings ?? -1
  })
}

function assertNothingTold(t: Test, what: string, answer: Answer) {
  t.notMatch(answer.text, MARKER, `${what}: no byte of content`)
  t.notMatch(answer.text, 'QUILLFEATHER', `${what}: no name`)
}

t.test('an act whose commit does not reach the disk is refused', { skip: sqliteOnly }, async t => {
  if (!canMakeFaults(t)) return
  const stage = await setUp(t)
  const { service, acts, wal } = stage
  const fsync: SystemFault = { calls: ['fsync', 'fdatasync'], error: 'EIO', path: wal }
  for (const what of ['an upload', 'a share', 'a request', 'an opening', 'content', 'a record']) {
    const act = acts[what] as () => Promise<Answer>
    const before = await openingsOf(stage)
    const answer = await withFault(service.pid, fsync, act)
    t.equal(answer.status, 503, what)
    assertNothingTold(t, what, answer)

    // What the disk has of it nobody knows, so the service writes nothing more until it is restarted.
    assertNothingTold(t, `${what} again`, await act())
    t.equal((await fetch(`${service.url}/readyz`)).status, 503, 'and says that it is not ready')
    await service.kill()
    await service.start()
    await assertAcknowledged(t, stage)
    const counted = (await openingsOf(stage)) - before
    t.ok(counted === 0 || (counted === 1 && what === 'an opening'), `${counted} openings more`)
  }
  t.equal(await service.stop(), 0)
  await assertSoundAtRest(t, service.config, [MARKER])
})

t.test(
  'a full disk refuses each act, and the service goes on when there is room',
  { skip: sqliteOnly },
  async t => {
    if (!canMakeFaults(t)) return
    const stage = await setUp(t)
    const { service, acts, wal } = stage
    const full: SystemFault = { calls: ['pwrite64'], error: 'ENOSPC', path: wal }
    const done: Record<string, number> = {}
    for (const [what, act] of Object.entries(acts)) {
      let first = await withFault(service.pid, { ...full, once: true }, act)
      // The one write that finds no room may be the log's own, which is tried again; then the act is done.
      for (let tries = 1; first.status < 300 && tries < 10; tries += 1) {
        done[what] = (done[what] ?? 0) + 1
        first = await withFault(service.pid, { ...full, once: true }, act)
      }
      t.equal(first.status, 507, `${what}, when the refusal still finds room`)
      if (first.text !== '') t.match(first.json, { code: 'storage-full' })
      const [event] = (await service.events({ outcome: 'refused' })).slice(-1)
      t.match(event, { code: 'storage-full' }, 'which is on the log')

      const second = await withFault(service.pid, full, act)
      t.equal(second.status, 503, `${what}, when nothing finds room`)
      if (second.text !== '') t.match(second.json, { code: 'audit-unavailable' })
      for (const answer of [first, second]) assertNothingTold(t, what, answer)
    }
    t.equal(await openingsOf(stage), done['an opening'] ?? 0, 'no other opening was counted')
    const kept = 1 + (done['an upload'] ?? 0) * files.length
    t.equal(blobFiles(service.config.dataDirectory).length, kept, 'no other blob was kept')
    await assertAcknowledged(t, stage)
    for (const [what, act] of Object.entries(acts)) t.ok((await act()).status < 300, what)
    t.equal(await service.stop(), 0)
    await assertSoundAtRest(t, service.config, [MARKER])
  }
)

t.test('a blob that does not reach the disk refuses its upload', async t => {
  if (!canMakeFaults(t)) return
  const stage = await setUp(t)
  const { service, clinician, caseId } = stage
  const faults: Record<string, [SystemFault, status: number]> = {
    'full while written': [{ calls: ['pwrite64'], error: 'ENOSPC' }, 507],
    'failing while written': [{ calls: ['pwrite64'], error: 'EIO' }, 503],
    'full when created': [{ calls: ['openat'], error: 'ENOSPC' }, 507],
    'not synced': [{ calls: ['fdatasync'], error: 'EIO' }, 503],
    'full when synced': [{ calls: ['fdatasync'], error: 'ENOSPC' }, 507],
    'not renamed': [{ calls: ['rename', 'renameat', 'renameat2'], error: 'EIO' }, 503],
    'not in its directory': [{ calls: ['fsync'], error: 'EIO' }, 503]
  }
  for (const [what, [fault, status]] of Object.entries(faults)) {
    const form = recordForm({ files })
    const path = `/v1/cases/${caseId}/records`
    const answer = await withFault(service.pid, { ...fault, pool: true }, () =>
      clinician.send('POST', path, form)
    )
    t.equal(answer.status, status, what)
    const [event] = (await service.events({ action: 'record.create' })).slice(-1)
    t.match(event, { outcome: 'refused', code: answer.json.code as string })
    t.equal(blobFiles(service.config.dataDirectory).length, 1, 'no blob was kept')
  }
  await assertAcknowledged(t, stage)
  t.equal(await service.stop(), 0)
  await assertSoundAtRest(t, service.config, [MARKER])
})

t.test(
  'while the end of a disclosure cannot be recorded, none begins',
  { skip: sqliteOnly },
  async t => {
    if (!canMakeFaults(t)) return
    const stage = await setUp(t)
    const { service, specialist, clinician, caseId, wal } = stage
    // More than the sockets between service and client can hold.
    const large = { name: 'large.txt', bytes: Buffer.alloc(24_000_000, `${MARKER}\n`) }
    const record = await uploadRecord(clinician, caseId, { files: [large] })
    const share = await shareRecords(service, caseId, [record.id])
    await openShare(specialist, share.link)
    const content = sharedPath(share.id, record.id)
    const call = await service.raw('specialistGb', `GET ${content}`)
    await call.take(1)
    const full: SystemFault = { calls: ['pwrite64'], error: 'ENOSPC', path: wal }
    await withFault(service.pid, full, async () => {
      t.equal((await call.rest()).length, record.bytes, 'what was granted goes on')
      await eventually('the service is not ready', async () =>
        (await fetch(`${service.url}/readyz`)).status === 503 ? true : undefined
      )
      t.equal((await specialist.send('GET', content)).status, 503)
    })
    await eventually('the service has caught up', async () =>
      (await specialist.send('GET', content)).status === 200 ? true : undefined
    )
    const ends = await service.events({ action: 'content.read', outcome: 'complete' })
    t.match(ends, [{ bytesHandedOver: record.bytes }, { bytesHandedOver: record.bytes }])
    t.equal(await service.stop(), 0)
    await assertSoundAtRest(t, service.config, [MARKER])
  }
)
