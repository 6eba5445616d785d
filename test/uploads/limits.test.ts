import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { removeOrphans } from '../../src/housekeeping/clean-up.ts'
import { dataPaths } from '../../src/open-data.ts'
import { PACE_WINDOW_SECONDS } from '../../src/uploads/pace.ts'
import { sweepUploads } from '../../src/uploads/sweep.ts'
import { assertFaults, assertSound, blobFiles, filesBelow } from '../faults/soundness.ts'
import {
  createCase,
  eventually,
  numberedText,
  sha256,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import {
  beginDraft,
  beginUpload,
  complete,
  offsetOf,
  readDraft,
  sendBegin,
  sendInPieces,
  sendPatch,
  TUS
} from './tus.ts'

const DAY = 86_400_000
const FILE = numberedText(50_000).bytes

t.test('a draft ends by itself, and housekeeping leaves nothing of it', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const old = await beginDraft(clinician, caseId)
  t.equal(Date.parse(old.expiresAt) - Date.parse(old.createdAt), 7 * DAY)
  const path = await beginUpload(clinician, 100_000, { draft: old.id })
  await sendInPieces(clinician, path, FILE, [10_000])
  x.clock.advance(3 * DAY)
  const young = await beginDraft(clinician, caseId)
  const kept = await beginUpload(clinician, FILE.length, { draft: young.id })
  await sendInPieces(clinician, kept, FILE, [FILE.length])

  x.clock.advance(4 * DAY + 1000)
  for (const [method, at] of [
    ['GET', `/v1/drafts/${old.id}`],
    ['HEAD', path],
    ['DELETE', path]
  ] as const) {
    t.equal((await clinician.send(method, at, undefined, TUS)).status, 404, `${method}: it is over`)
  }
  t.equal((await sendPatch(clinician, path, 50_000, FILE)).status, 404)
  t.equal((await sendBegin(clinician, 1, { draft: old.id })).status, 404)
  const { result, events } = await x.eventsOf(() => sweepUploads(x.exchange, () => true))
  t.equal(result, 1)
  t.match(events, [{ action: 'draft.expire', recordId: old.id, details: { by: 'housekeeping' } }])
  t.equal(await sweepUploads(x.exchange, () => true), 0, 'safe to repeat')
  const { drafts, uploads, uploadSegments } = x.exchange.database.read.tables
  for (const table of [drafts, uploads, uploadSegments]) {
    t.equal((await x.exchange.database.read.select().from(table)).length, 1, 'one is left')
  }
  t.equal(blobFiles(x.directory).length, 1)
  t.equal(await removeOrphans(x.exchange, Date.now() + 60_000), 0, 'which is no orphan')
  await complete(clinician, young.id)
  await assertSound(t, x, ['0000049995'])
})

t.test('what was ended while the service went down is removed later', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, 100_000, { draft })
  await sendInPieces(clinician, path, FILE, [FILE.length])
  const { remove } = x.exchange.blobs
  x.exchange.blobs.remove = async () => {
    throw new Error('gone')
  }
  t.equal(
    (await clinician.send('DELETE', path, undefined, TUS)).status,
    204,
    'it is ended all the same'
  )
  x.exchange.blobs.remove = remove
  t.equal(blobFiles(x.directory).length, 1)
  await sweepUploads(x.exchange, () => true)
  t.equal(blobFiles(x.directory).length, 0)
  await assertSound(t, x, [])
})

t.test('the checker reads what is still arriving, and finds what is wrong with it', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, 100_000, { draft })
  await sendInPieces(clinician, path, FILE, [FILE.length])
  await beginUpload(clinician, 100_000, { draft })
  await assertSound(t, x, ['0000049995'])
  const [blob = ''] = blobFiles(x.directory)
  truncateSync(blob, 20_000)
  const upload = path.slice(path.lastIndexOf('/') + 1)
  const { events } = await x.eventsOf(async () => {
    assertFaults(t, await checkExchange(x.exchange), [
      new RegExp(`^Upload ${upload}: sealed-truncated`)
    ])
  })
  t.match(events, [{ action: 'service.check' }, { action: 'service.check' }])
  rmSync(blob)
  assertFaults(t, await checkExchange(x.exchange), [new RegExp(`^Upload ${upload}: blob-missing`)])
})

t.test('a draft, and an organisation, hold so much and no more', async t => {
  const x = await startExchange(t, {
    limits: {
      objectsPerRecordMax: 2,
      draftsPerOrganisationMax: 3,
      openUploadsPerOrganisationMax: 3,
      objectBytesMax: 1000,
      draftBytesPerOrganisationMax: 2500
    }
  })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const drafts = await Promise.all([1, 2, 3].map(() => beginDraft(clinician, caseId)))
  const [one = '', two = ''] = drafts.map(draft => draft.id)
  const code = async (answer: ReturnType<typeof sendBegin>) => (await answer).json.code
  const fourth = { kind: 'other', title: 'One too many', date: '2026-11-02' }
  t.equal(
    (await clinician.send('POST', `/v1/cases/${caseId}/drafts`, fourth)).json.code,
    'too-many-drafts'
  )
  t.equal(await code(sendBegin(clinician, 1001, { draft: one })), 'file-too-large')
  const begun = await Promise.all([1, 2, 3, 4].map(() => sendBegin(clinician, 10, { draft: one })))
  t.same(begun.map(answer => answer.status).sort(), [201, 201, 409, 409], 'exactly two files')
  t.equal(await code(sendBegin(clinician, 10, { draft: one })), 'draft-full')
  const big = await beginUpload(clinician, 1000, { draft: two })
  t.equal(await code(sendBegin(clinician, 1000, { draft: two })), 'too-many-drafts', 'open uploads')
  await sendInPieces(clinician, big, FILE.subarray(0, 1000), [1000])
  await beginUpload(clinician, 1000, { draft: two })
  const [first] = (await readDraft(clinician, one)).uploads
  await sendInPieces(clinician, `/v1/uploads/${first?.id}`, FILE.subarray(0, 10), [10])
  const { id: three } = drafts[2] ?? { id: '' }
  t.equal(await code(sendBegin(clinician, 600, { draft: three })), 'too-many-drafts', 'bytes')
  t.equal((await clinician.send('DELETE', big, undefined, TUS)).status, 204)
  t.equal((await sendBegin(clinician, 600, { draft: three })).status, 201, 'room again')
})

t.test('nothing is taken while the store is almost full', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, 10, { draft })
  x.exchange.limits.freeBytesMin = Number.MAX_SAFE_INTEGER
  t.equal((await sendPatch(clinician, path, 0, Buffer.from('x'))).json.code, 'storage-full')
  t.equal((await sendBegin(clinician, 10, { draft })).json.code, 'storage-full')
})

t.test('an upload of others is as one that never was', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, 10, { draft })
  const other = x.client('otherClinician')
  // Their token is an event of its own.
  await other.token()
  const unknown = '0190a5b0-0000-7000-8000-000000000000'
  const attempts = (id: string, inDraft: string) => [
    other.send('HEAD', `/v1/uploads/${id}`, undefined, TUS),
    sendPatch(other, `/v1/uploads/${id}`, 0, Buffer.from('x')),
    other.send('DELETE', `/v1/uploads/${id}`, undefined, TUS),
    sendBegin(other, 10, { draft: inDraft }),
    other.send('GET', `/v1/drafts/${inDraft}`),
    other.send('POST', `/v1/drafts/${inDraft}/complete`),
    other.send('DELETE', `/v1/drafts/${inDraft}`)
  ]
  const told = async (answers: ReturnType<typeof attempts>) =>
    (await Promise.all(answers)).map(({ status, headers, text }) => [
      status,
      text.replace(/"requestId":"[^"]*"/, ''),
      [...headers.keys()].sort()
    ])
  const id = path.slice(path.lastIndexOf('/') + 1)
  const { result, events } = await x.eventsOf(() => told(attempts(id, draft)))
  t.same(result, await told(attempts(unknown, unknown)))
  t.ok(result.every(([status]) => status === 404))
  const { organisationId } = x.people.clinician
  t.ok(
    events.every(event => event.organisationId === organisationId && event.recordId === draft),
    'the owner sees who asked'
  )
  t.equal((await sendPatch(x.client('colleague'), path, 0, Buffer.from('x'))).status, 204)
})

t.test('an upload in ever so small pieces is not gone on with', async t => {
  // Seven for this file.
  const x = await startExchange(t, {
    limits: { uploadPiecesSpareMax: 3, uploadPieceBytes: 16_384 }
  })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, FILE.length, { draft })
  await sendInPieces(clinician, path, FILE.subarray(0, 6), [1])
  const { uploadSegments } = x.exchange.database.read.tables
  const segments = () => x.exchange.database.read.select().from(uploadSegments)
  t.match(await segments(), [{ place: 0, number: 5, bytes: 6 }], 'one is there, and five were')
  t.equal((await sendPatch(clinician, path, 6, FILE.subarray(6, 7))).status, 204, 'the last one')
  const { events } = await x.eventsOf(async () => {
    t.match(await sendPatch(clinician, path, 7, FILE.subarray(7)), {
      status: 422,
      json: { code: 'upload-in-too-many-pieces' }
    })
  })
  t.match(events.at(-1), { outcome: 'refused', code: 'upload-in-too-many-pieces' })
  t.equal(await offsetOf(clinician, path), 7)
  t.equal(blobFiles(x.directory).length, 1, 'and nothing is left of what came too late')
})

t.test('who holds an upload and brings next to nothing is sent away', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, FILE.length, { draft })
  const send = (from: number) =>
    x.raw('clinician', `PATCH ${path}`, {
      ...TUS,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(from),
      'content-length': String(FILE.length - from)
    })
  const second = () => eventually('it is arriving', () => (isArriving(x) ? true : undefined))
  const dripping = await send(0)
  dripping.socket.write(FILE.subarray(0, 1))
  await second()
  x.clock.advance(PACE_WINDOW_SECONDS * 1000)
  dripping.socket.write(FILE.subarray(1, 2))
  t.equal((await dripping.head()).status, 408)
  const { offset } = (await readDraft(clinician, draft)).uploads[0] ?? {}
  t.equal(offset, 2, 'what came is on record')

  const slow = await send(2)
  slow.socket.write(FILE.subarray(2, 20_000))
  await second()
  x.clock.advance(PACE_WINDOW_SECONDS * 1000)
  slow.socket.write(FILE.subarray(20_000))
  t.equal((await slow.head()).status, 204, 'a slow line is let go on')
  t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(FILE) }])
})

function isArriving(x: TestExchange): boolean {
  return filesBelow(join(dataPaths(x.directory).blobs, 'incoming')).length > 0
}

t.test('of one attempt there is one draft, however many begin it at once', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const fields = { kind: 'scan', title: 'Heron', date: '2026-11-02', attempt: uuidv7() }
  const begin = (change = {}) =>
    clinician.send('POST', `/v1/cases/${caseId}/drafts`, { ...fields, ...change })
  const answers = await Promise.all(Array.from({ length: 8 }, () => begin()))
  t.same(answers.map(({ status }) => status).sort(), [...Array(7).fill(200), 201])
  const draft = String(answers[0]?.json['id'])
  t.ok(answers.every(({ json }) => json['id'] === draft))
  t.equal((await x.auditEvents({ action: 'draft.create', outcome: 'success' })).length, 1)

  const other = await begin({ title: 'Egret' })
  t.equal(other.status, 201, 'another title is another draft')
  await clinician.json('DELETE', `/v1/drafts/${other.json['id']}`)
  t.equal((await begin({ title: 'Egret' })).status, 201, 'given up, it begins anew')

  const path = await beginUpload(clinician, 10, { draft })
  await sendInPieces(clinician, path, FILE.subarray(0, 10), [10])
  t.match((await begin()).json['uploads'], [{ state: 'stored' }], 'with what has come')
  await complete(clinician, draft)
  t.match(await begin(), { status: 409, json: { code: 'draft-over' } })
  t.match(await begin({ attempt: 'not one' }), { status: 400 })
})
