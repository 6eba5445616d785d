import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { dataPaths } from '../../src/open-data.ts'
import { CHUNK_BYTES } from '../../src/sealing/layout.ts'
import { blobFiles, filesBelow } from '../faults/soundness.ts'
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
  randomPieces,
  readDraft,
  sendInPieces,
  sendPatch,
  TUS
} from './tus.ts'

const x: TestExchange = await startExchange(t)
const clinician = x.client('clinician')
const { id: caseId } = await createCase(clinician)
const newDraft = async () => (await beginDraft(clinician, caseId)).id

const isArriving = () => filesBelow(join(dataPaths(x.directory).blobs, 'incoming')).length > 0

/** Announces all of the rest, sends this much of it, and breaks the line off. */
async function cutAfter(path: string, offset: number, rest: Buffer, sent: number): Promise<void> {
  const call = await x.raw(
    'clinician',
    `PATCH ${path}`,
    {
      ...TUS,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(offset),
      'content-length': String(rest.length)
    },
    rest.subarray(0, sent)
  )
  // From then on what has come is being sealed, and is not lost with the connection.
  if (sent > 0) await eventually('it is arriving', () => (isArriving() ? true : undefined))
  // Destroying it would throw away what has not left yet.
  await new Promise<void>(resolve => call.socket.end(resolve))
}

t.test('a line that breaks at any place loses nothing that had come', async t => {
  const file = numberedText(4 * CHUNK_BYTES + 1000).bytes
  const draft = await newDraft()
  const edges = [1, 2, 3, 4].flatMap(n => [-1, 0, 1].map(d => n * CHUNK_BYTES + d))
  const places = [0, 1, 4095, 4096, 4097, ...edges, ...edges.map(at => at + 5000), file.length - 1]
  let exact = 0
  for (const place of places.filter(at => at < file.length)) {
    const path = await beginUpload(clinician, file.length, { draft })
    await cutAfter(path, 0, file, place)
    const kept = await eventually('the service has noticed', async () => {
      const answer = await sendPatch(clinician, path, 0, Buffer.alloc(0))
      if (answer.status === 423 || (place > 0 && answer.status === 204)) return undefined
      return offsetOf(clinician, path)
    })
    if (kept === place) exact += 1
    t.ok(kept <= place, `cut after ${place} bytes, of which ${kept} are kept`)
    const rest = await sendPatch(clinician, path, kept, file.subarray(kept))
    t.equal(rest.status, 204, 'and resumed')
  }
  t.ok(exact > 20, `${exact} of ${places.length} lost nothing that had been sent`)
  const { uploads } = await readDraft(clinician, draft)
  const digests = uploads.map(upload => upload.sha256)
  t.same([...new Set(digests)], [sha256(file)], 'each has the digest of the file')
})

t.test('pieces of any lengths make the same file, and leave few blobs', async t => {
  const draft = await newDraft()
  const before = blobFiles(x.directory).length
  const files = [60_000, 5000, 3_000_000].map(bytes => numberedText(bytes).bytes)
  const pieceMax = [700, 50, 400_000]
  for (const [i, file] of files.entries()) {
    const path = await beginUpload(clinician, file.length, { draft })
    await sendInPieces(clinician, path, file, randomPieces(file.length, pieceMax[i] ?? 1))
  }
  const { uploads } = await readDraft(clinician, draft)
  t.same(
    uploads.map(upload => upload.sha256),
    files.map(sha256)
  )
  const blobs = blobFiles(x.directory).length - before
  t.ok(blobs <= 1 + 1 + 4, `${blobs} blobs for 3 MB that came in hundreds of pieces`)
  await complete(clinician, draft)
  const zip = await clinician.send('GET', `/v1/records/${draft}/content`)
  for (const file of files) t.ok(zip.bytes.includes(file))
})

t.test('byte by byte, across the first bytes and a chunk edge', async t => {
  const draft = await newDraft()
  const file = numberedText(CHUNK_BYTES + 40).bytes
  const path = await beginUpload(clinician, file.length, { draft })
  await sendInPieces(clinician, path, file, [
    ...Array(30).fill(1),
    4060,
    ...Array(12).fill(1),
    CHUNK_BYTES - 4112,
    ...Array(30).fill(1),
    0,
    40
  ])
  t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(file) }])
})

t.test('ranges of an object in segments are those of the file', async t => {
  const draft = await newDraft()
  const file = numberedText(3_500_000).bytes
  const path = await beginUpload(clinician, file.length, { draft })
  await sendInPieces(clinician, path, file, [1_100_000, 1_200_000, 1_048_577, 151_423])
  await complete(clinician, draft)
  const content = `/v1/records/${draft}/content`
  const ends = [0, 1, 1_099_999, 1_100_000, 1_100_001, 2_300_000, 3_348_577, 3_499_999]
  const ranges = ends.flatMap(a => ends.filter(b => b >= a).map(b => [a, b] as const))
  for (let i = 0; i < 30; i += 1) {
    const start = randomInt(file.length)
    ranges.push([start, randomInt(start, file.length)])
  }
  let wrong = 0
  for (const [start, end] of ranges) {
    const range = `bytes=${start}-${end}`
    const { status, bytes } = await clinician.send('GET', content, undefined, { range })
    if (status !== 206 || !bytes.equals(file.subarray(start, end + 1))) wrong += 1
  }
  t.equal(wrong, 0, `${ranges.length} ranges`)
})

t.test('a sender that stalls is on record and gives its place to another', async t => {
  const draft = await newDraft()
  const file = numberedText(100_000).bytes
  const path = await beginUpload(clinician, file.length, { draft })
  const stalled = await x.raw(
    'clinician',
    `PATCH ${path}`,
    {
      ...TUS,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': '0',
      'content-length': String(file.length)
    },
    file.subarray(0, 30_000)
  )
  await eventually('what came is on record', async () =>
    (await offsetOf(clinician, path)) === 30_000 ? true : undefined
  )
  t.equal((await sendPatch(clinician, path, 30_000, file.subarray(30_000, 60_000))).status, 204)
  stalled.socket.write(file.subarray(30_000, 60_000))
  stalled.socket.write(file.subarray(60_000))
  t.equal((await stalled.head()).status, 409, 'the one that comes back is too late')
  t.equal((await sendPatch(clinician, path, 60_000, file.subarray(60_000))).status, 204)
  t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(file) }])
})

t.test('of two senders at once one is let in, and the file is whole', async t => {
  const draft = await newDraft()
  const file = numberedText(200_000).bytes
  const path = await beginUpload(clinician, file.length, { draft })
  const slow = await x.raw('clinician', `PATCH ${path}`, {
    ...TUS,
    'content-type': 'application/offset+octet-stream',
    'upload-offset': '0',
    'content-length': '100000'
  })
  slow.socket.write(file.subarray(0, 50_000))
  await eventually('the first is sending', () => (isArriving() ? true : undefined))
  t.match(await sendPatch(clinician, path, 0, Buffer.alloc(0)), {
    status: 423,
    json: { code: 'upload-locked' }
  })
  t.equal((await clinician.send('DELETE', path, undefined, TUS)).status, 423)
  slow.socket.write(file.subarray(50_000, 100_000))
  t.equal((await slow.head()).status, 204)
  const answers = await Promise.all(
    [1, 2, 3, 4].map(() => sendPatch(clinician, path, 100_000, file.subarray(100_000)))
  )
  const statuses = answers.map(answer => answer.status).sort()
  t.equal(statuses.filter(status => status === 204).length, 1, `exactly one: ${statuses}`)
  t.ok(statuses.every(status => [204, 409, 423].includes(status)))
  t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(file) }])
})
