import t, { type Test } from 'tap'
import { eq } from '../../../schemas/drizzle.ts'
import { ONE_BLOB } from '../../../src/records/layout.ts'
import { scanRound, scanWaiting } from '../../../src/records/scan/background.ts'
import { assertSound, blobFiles } from '../../faults/soundness.ts'
import { clamdServer, EICAR, MARKED } from '../../helpers/clamd-server.ts'
import {
  createCase,
  eventually,
  numberedText,
  openShare,
  sendRecord,
  sharedPath,
  shareRecords,
  startExchange,
  uploadRecord
} from '../../helpers/exchange.ts'
import { type Intruder, intrude } from '../../helpers/intruder.ts'
import { type ScriptedClamd, scriptedClamd } from '../../helpers/scripted-clamd.ts'
import { file, objectRows, readRecord, type Stage, scanNow, sendShare, toldOf } from './scene.ts'

const MINUTE = 60_000
const inQuarantine = { status: 409, json: { code: 'record-in-quarantine' } }
const waiting = { quarantine: 'waiting', scan: 'pending' }
const text = numberedText(50_000)

/** A service with a scripted clamd, and a case. */
async function setUp(t: Test, env = {}) {
  const clamd = await scriptedClamd(t)
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address, ...env } })
  return { clamd, x, ...(await newCase(x)) }
}

async function newCase(x: Stage) {
  const { id: caseId } = await createCase(x.client('clinician'))
  const upload = async (...files: ReturnType<typeof file>[]) =>
    (await uploadRecord(x.client('clinician'), caseId, { files })).id
  return { caseId, upload }
}

/** Changes the row of an object past the service so that it contradicts itself, and back. */
function setFormat(intruder: Intruder, recordId: string, format: string) {
  return intruder.write(async tx => {
    const { objects } = tx.tables
    await tx.update(objects).set({ format }).where(eq(objects.recordId, recordId))
  })
}

/** Has clamd refuse every scan, so that what is uploaded is left to the background. */
const putOff = (clamd: ScriptedClamd) => {
  clamd.script = { reply: 'stream: no ERROR\0' }
}

t.test('while the scanner is down uploads wait in quarantine, and are scanned later', async t => {
  const clamd = await clamdServer(t)
  if (clamd === undefined) return
  await clamd.kill()
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  t.match(await x.client().send('GET', '/readyz'), {
    status: 200,
    json: { status: 'ready', checks: { scanner: 'failing' } }
  })
  const letter = await uploadRecord(clinician, caseId, { files: [text] })
  t.match(letter, { quarantine: 'waiting', objects: [{ scan: 'pending' }] })
  const virus = await uploadRecord(clinician, caseId, {
    files: [text, file('a.txt', EICAR), numberedText(20)]
  })
  t.equal(await scanNow(x), 0, 'still down')
  for (const { id } of [letter, virus]) {
    const answer = await sendShare(x, caseId, [id])
    t.match(answer, inQuarantine)
    t.match(Object(answer.json).problems, [`Record ${id} waits for its malware scan`])
    t.equal((await clinician.send('GET', `/v1/records/${id}/content`)).status, 200, 'owner')
  }
  const [refused] = await x.auditEvents({ code: 'record-in-quarantine' })
  t.match(refused, { action: 'share.create', outcome: 'refused', caseId, recordId: letter.id })

  await clamd.start()
  const { result, events } = await x.eventsOf(() => scanNow(x))
  t.equal(result, 4)
  t.match(await toldOf(x, letter.id), { quarantine: 'none', scan: 'clean' })
  t.equal((await sendShare(x, caseId, [letter.id])).status, 201)
  const told = await readRecord(x, virus.id)
  t.match(told, {
    quarantine: 'held',
    objects: [
      { scan: 'clean' },
      { scan: 'infected', scanSignature: 'Test.EICAR.UNOFFICIAL', sha256: /^[0-9a-f]{64}$/ },
      { scan: 'clean' }
    ]
  })
  t.match(events.filter(({ objectId }) => objectId === told.objects[1]?.id).sort(byTime), [
    { action: 'object.scan', outcome: 'success', details: { stage: 'begun' } },
    {
      action: 'object.scan',
      outcome: 'refused',
      code: 'file-infected',
      actorId: null,
      organisationId: x.people.clinician.organisationId,
      caseId,
      recordId: virus.id,
      details: { verdict: 'infected', signature: 'Test.EICAR.UNOFFICIAL' }
    }
  ])
  t.match(await sendShare(x, caseId, [letter.id, virus.id]), {
    ...inQuarantine,
    json: { problems: [`Record ${virus.id} holds an infected file`] }
  })
  t.equal(blobFiles(x.directory).length, 3, 'what is infected is gone')
  t.equal(await scanNow(x), 0, 'nothing is left to be done')
  await assertSound(t, x, [])
})

const byTime = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)

t.test('what turns out to be infected can no longer be read, by nobody', async t => {
  const clamd = await clamdServer(t)
  if (clamd === undefined) return
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const specialist = x.client('specialistGb')
  const { id: caseId } = await createCase(clinician)
  const large = Buffer.concat([numberedText(24 * 1024 * 1024).bytes, MARKED])
  const record = await uploadRecord(clinician, caseId, { files: [file('l.txt', large), text] })
  const [bad, good] = record.objects.map(({ id }) => id)
  const share = await shareRecords(x, caseId, [record.id])
  await openShare(specialist, share.link)
  await x.restart({ CONSILIUM_CLAMD: clamd.address })
  t.match(await toldOf(x, record.id), waiting, 'with a scanner it must be scanned')
  const place = sharedPath(share.id, record.id, bad)
  t.equal((await specialist.send('HEAD', place)).status, 200, 'what is shared stays so until then')

  const running = await x.raw('specialistGb', `GET ${place}`)
  await running.take(1000)
  t.equal(await scanNow(x), 2)
  await eventually('it is cut', () => (x.exchange.streams.count() === 0 ? true : undefined))
  const got = await running.rest()
  t.ok(got.length < large.length, 'a running download is cut')
  const [cut] = await x.auditEvents({
    action: 'content.read',
    objectId: String(bad),
    outcome: 'revoked'
  })
  t.ok(cut)

  const owned = (object?: string) =>
    object
      ? `/v1/records/${record.id}/objects/${object}/content`
      : `/v1/records/${record.id}/content`
  for (const method of ['GET', 'HEAD']) {
    for (const path of [
      sharedPath(share.id, record.id),
      place,
      sharedPath(share.id, record.id, good)
    ]) {
      const { result, events } = await x.eventsOf(() => specialist.send(method, path))
      t.equal(result.status, 409, `${method} ${path}`)
      t.match(events, [{ outcome: 'refused', code: 'record-in-quarantine', recordId: record.id }])
      t.equal(events.length, 1)
    }
    for (const path of [owned(), owned(bad)]) {
      t.equal((await clinician.send(method, path)).status, 409, `${method} ${path}`)
    }
    t.equal((await clinician.send(method, owned(good))).status, 200, 'its owner, another file')
  }
  t.match(await specialist.send('GET', place), inQuarantine)
  const range = await specialist.send('GET', place, undefined, { range: 'bytes=0-9' })
  t.match(range, inQuarantine)
  t.match(await specialist.json('GET', `/v1/shares/${share.id}`), {
    records: [{ quarantine: 'held', objects: [{ scan: 'infected' }, { scan: 'clean' }] }]
  })
  await assertSound(t, x, [])

  await x.restart({ CONSILIUM_CLAMD: '' })
  t.match(await specialist.send('GET', place), inQuarantine, 'also without a scanner')
  t.match(await sendShare(x, caseId, [record.id]), inQuarantine)
  t.match(await toldOf(x, record.id), { quarantine: 'held', scan: 'infected' })
  const row = { scan: 'clean', scanReason: null, scanSignature: null }
  const { database } = x.exchange
  await t.rejects(
    database.write(async tx => void (await tx.update(tx.tables.objects).set(row))),
    'and nobody clears it'
  )
})

t.test('a scanner that is down for too long leaves the word to the policy', async t => {
  const { clamd, x, caseId, upload } = await setUp(t)
  const { dicom } = await import('../inspect/made-files.ts')
  await clamd.close()
  const letter = await upload(text)
  const scan = await upload(file('a.dcm', dicom()))
  await scanNow(x)
  x.clock.advance(59 * MINUTE)
  await scanNow(x)
  for (const id of [letter, scan]) t.match(await toldOf(x, id), waiting)
  x.clock.advance(2 * MINUTE)
  const { events } = await x.eventsOf(() => scanNow(x))
  const down = { scan: 'not-scanned', scanReason: 'scanner-down' }
  t.match(await toldOf(x, letter), { ...down, quarantine: 'held' })
  t.match(await toldOf(x, scan), { ...down, quarantine: 'none' })
  t.equal((await sendShare(x, caseId, [scan])).status, 201)
  t.match(
    events.map(({ action, outcome, details }) => [action, outcome, details['reason']]),
    [
      ['object.scan', 'failed', 'scanner-down'],
      ['object.scan', 'failed', 'scanner-down']
    ]
  )
  t.same((await x.eventsOf(() => scanNow(x))).events, [], 'told once')

  const again = await scriptedClamd(t)
  await x.restart({ CONSILIUM_CLAMD: again.address })
  x.clock.advance(10 * MINUTE)
  t.equal(await scanNow(x), 2, 'but the scanner has the last word')
  t.match(await toldOf(x, letter), { quarantine: 'none', scan: 'clean' })
  await assertSound(t, x, [])
})

t.test('whoever gives up waiting leaves a verdict alone that came meanwhile', async t => {
  const { clamd, x, upload } = await setUp(t)
  putOff(clamd)
  const id = await upload(text)
  clamd.pong = ''
  await scanNow(x)
  x.clock.advance(61 * MINUTE)
  const { database } = x.exchange
  // Another process, whose scanner answers, is done with the object just before this one writes.
  let isFirst = true
  const write: typeof database.write = async work => {
    if (isFirst) {
      isFirst = false
      clamd.pong = 'PONG\0'
      clamd.script = { reply: 'stream: OK\0' }
      t.equal(await scanNow(x), 1)
    }
    return database.write(work)
  }
  const late = { ...x.exchange, database: Object.create(database, { write: { value: write } }) }
  const { events } = await x.eventsOf(() => scanRound(late))
  t.match(await toldOf(x, id), { quarantine: 'none', scan: 'clean' })
  t.notOk(events.some(({ outcome }) => outcome === 'failed'))
})

t.test('a file on which every scan takes too long is not tried for ever', async t => {
  const { clamd, x, upload } = await setUp(t, { CONSILIUM_SCAN_SECONDS_MAX: '1' })
  putOff(clamd)
  const id = await upload(text)
  clamd.script = { stall: true }
  for (let tries = 1; tries <= 5; tries += 1) {
    await scanNow(x)
    t.equal(clamd.begun, tries + 1, 'tried')
    t.match(await toldOf(x, id), { quarantine: 'held', scanReason: 'timed-out' })
    t.equal(await scanNow(x), 0, 'and not at once again')
    x.clock.advance(61 * MINUTE)
  }
  await scanNow(x)
  t.equal(clamd.begun, 6, 'no more')
  const ends = await x.auditEvents({ action: 'object.scan', outcome: 'failed' })
  t.equal(ends.length, 1, 'told once')
})

t.test('an upload that fails half-way leaves no scan behind', async t => {
  const { clamd, x, caseId } = await setUp(t, { CONSILIUM_OBJECT_BYTES_MAX: '4000000' })
  const answer = await sendRecord(x.client('clinician'), caseId, {
    files: [numberedText(3_000_000), numberedText(5_000_000)]
  })
  t.match(answer, { status: 413, json: { code: 'file-too-large' } })
  await eventually('no connection is left', () => (clamd.open === 0 ? true : undefined))
  t.same(await objectRows(x), [])
})

t.test(
  'a slow scanner holds an upload up for seconds at most, and the next not at all',
  async t => {
    const { clamd, x, caseId } = await setUp(t)
    const sent = (files: ReturnType<typeof file>[]) =>
      sendRecord(x.client('clinician'), caseId, { files })
    clamd.script = { stopReading: 100_000 }
    const big = await sent([file('big.txt', numberedText(30_000_000).bytes)])
    t.match(big, { status: 201, json: { quarantine: 'waiting' } }, 'far ahead of the scanner')
    clamd.script = { stall: true }
    const begun = clamd.begun
    const stalled = await sent(Array.from({ length: 8 }, () => text))
    t.match(stalled, { status: 201, json: { quarantine: 'waiting' } })
    t.ok(clamd.begun > begun)
    const before = clamd.begun
    t.match(await sent([text, text]), { status: 201, json: { quarantine: 'waiting' } })
    t.equal(clamd.begun, before, 'it is left alone for a while')
    await eventually('no connection is left', () => (clamd.open === 0 ? true : undefined))
    clamd.script = { reply: 'stream: OK\0' }
    clamd.streams.length = 0
    t.equal(await scanNow(x), 11)
    const sizes = clamd.streams.map(({ length }) => length).sort((a, b) => a - b)
    t.same(sizes, [...Array(10).fill(50_000), 30_000_000])
    const whole = clamd.streams.find(({ length }) => length === 30_000_000)
    t.ok(whole?.equals(numberedText(30_000_000).bytes), 'what is stored is what is scanned')
  }
)

/** One service for the tests below. Each leaves nothing to be scanned, until the last but one. */
const shared = await setUp(t)

t.test('a blob that cannot be removed at once is removed later, and is read by nobody', async t => {
  const { clamd, x, upload } = shared
  putOff(clamd)
  const id = await upload(text)
  clamd.script = { reply: 'stream: Test.X FOUND\0' }
  const { blobs } = x.exchange
  const { remove } = blobs
  blobs.remove = async () => {
    throw new Error('Fault test: not removed.')
  }
  await scanNow(x)
  blobs.remove = remove
  t.equal(blobFiles(x.directory).length, 1)
  t.match(await toldOf(x, id), { quarantine: 'held', scan: 'infected' })
  t.match(await x.client('clinician').send('GET', `/v1/records/${id}/content`), inQuarantine)
  x.clock.advance(2 * MINUTE)
  t.equal(await scanNow(x), 1)
  t.same(blobFiles(x.directory), [])
  await assertSound(t, x, [])
})

t.test('shares that are asked for while a verdict arrives', async t => {
  for (const reply of ['stream: Test.X FOUND\0', 'stream: OK\0']) {
    const { clamd, x, caseId, upload } = { ...shared, ...(await newCase(shared.x)) }
    putOff(clamd)
    const id = await upload(text)
    const arrives = Promise.withResolvers<void>()
    clamd.script = { reply, when: arrives.promise }
    const round = scanNow(x)
    const asked = Array.from({ length: 12 }, async (_, n) => {
      if (n === 6) arrives.resolve()
      return sendShare(x, caseId, [id])
    })
    const answers = await Promise.all(asked)
    await round
    const isClean = reply.includes('OK')
    for (const { status } of answers) t.ok(status === 409 || (isClean && status === 201))
    t.equal((await sendShare(x, caseId, [id])).status, isClean ? 201 : 409)
    const shares = await x.auditEvents({ action: 'share.create', outcome: 'success', caseId })
    const [verdict] = (await x.auditEvents({ action: 'object.scan', caseId })).slice(-1)
    for (const share of shares) t.ok(share.id > String(verdict?.id), 'none before the verdict')
  }
})

t.test('an object that cannot be read is put off, and does not keep others waiting', async t => {
  const { clamd, x, upload } = shared
  const before = x.logged().length
  putOff(clamd)
  const [gone, fine] = [await upload(text), await upload(numberedText(10))]
  const changed = await upload(numberedText(20))
  clamd.script = { reply: 'stream: OK\0' }
  const rows = await objectRows(x)
  const intruder = await intrude(t, x.config)
  await x.exchange.blobs.remove(String(rows.find(({ recordId }) => recordId === gone)?.blob))
  await setFormat(intruder, changed, 'of nobody')
  t.equal(await scanNow(x), 1)
  t.match(await toldOf(x, fine), { quarantine: 'none' })
  for (const id of [gone, changed]) t.match(await toldOf(x, id), waiting)
  t.match(x.logged().slice(before), /could not be scanned/)
  t.equal(await scanNow(x), 0)
  await setFormat(intruder, changed, ONE_BLOB)
})

t.test('the loop scans by itself, and a stop does not wait for a slow scan', async t => {
  const { clamd, x, upload } = shared
  putOff(clamd)
  const first = await upload(text)
  clamd.script = { reply: 'stream: OK\0' }
  const loop = scanWaiting(x.exchange)
  await eventually('it is scanned', async () =>
    (await toldOf(x, first)).scan === 'clean' ? true : undefined
  )
  await loop.stop()
  putOff(clamd)
  const second = await upload(text)
  clamd.script = { stall: true }
  const begun = clamd.begun
  const another = scanWaiting(x.exchange)
  await eventually('a scan began', () => (clamd.begun > begun ? true : undefined))
  await another.stop()
  t.match(await toldOf(x, second), waiting, 'no verdict')
  t.equal((await objectRows(x)).at(-1)?.scanTries, 0, 'and not counted as tried')
})
