import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { PARTS_MAX } from '../../src/uploads/tus.ts'
import { blobFiles } from '../faults/soundness.ts'
import {
  type Client,
  createCase,
  numberedText,
  sha256,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import {
  beginDraft,
  beginUpload,
  complete,
  metadata,
  offsetOf,
  readDraft,
  sendBegin,
  sendInPieces,
  sendPatch,
  TUS
} from './tus.ts'

/** One service for all tests of this file; each works in a draft of its own. */
const x: TestExchange = await startExchange(t)
const clinician: Client = x.client('clinician')
const { id: caseId } = await createCase(clinician)
const newDraft = async () => (await beginDraft(clinician, caseId)).id
const FILE = numberedText(300_000)
const NAMED = { filename: 'numbers.txt', filetype: 'text/plain' }

t.test('a file sent in pieces becomes the one object of a record', async t => {
  const draft = await newDraft()
  const path = await beginUpload(clinician, FILE.bytes.length, { draft, ...NAMED })
  t.match((await readDraft(clinician, draft)).uploads, [
    { fileName: 'numbers.txt', offset: 0, bytes: 300_000, state: 'receiving', position: 1 }
  ])
  await sendInPieces(clinician, path, FILE.bytes, [1, 4094, 1, 100_000])
  t.equal(await offsetOf(clinician, path), FILE.bytes.length)
  t.match((await readDraft(clinician, draft)).uploads, [
    { fileName: 'numbers.txt', state: 'stored', sha256: sha256(FILE.bytes) }
  ])
  const record = await complete(clinician, draft)
  t.match(record, {
    id: draft,
    title: 'Unremarkable heron document',
    objects: [{ position: 1, type: 'text/plain', sha256: sha256(FILE.bytes) }]
  })
  const content = await clinician.send('GET', `/v1/records/${draft}/content`)
  t.ok(content.bytes.equals(FILE.bytes), 'byte for byte')
  const again = await clinician.send('POST', `/v1/drafts/${draft}/complete`)
  t.equal(again.status, 200)
  t.same(again.json, record, 'asked again, the same')
  t.match(await clinician.send('GET', `/v1/drafts/${draft}`), { status: 404 })
  t.match(await clinician.send('HEAD', path, undefined, TUS), { status: 404 })
})

t.test('several files keep the places they ask for, and come as a ZIP', async t => {
  const draft = await newDraft()
  const files = [1, 2, 3].map(n => numberedText(n * 50_000))
  const order = [3, 1, 2]
  for (const [i, file] of files.entries()) {
    const position = order[i] ?? 0
    const path = await beginUpload(clinician, file.bytes.length, { draft, position })
    await sendInPieces(clinician, path, file.bytes, [30_000])
  }
  const { objects } = await complete(clinician, draft)
  t.match(objects, [
    { position: 1, fileName: 'file-1', bytes: 100_000 },
    { position: 2, fileName: 'file-2', bytes: 150_000 },
    { position: 3, fileName: 'file-3', bytes: 50_000 }
  ])
  const zip = await clinician.send('GET', `/v1/records/${draft}/content`)
  t.equal(zip.headers.get('content-type'), 'application/zip')
  for (const { bytes } of files) t.ok(zip.bytes.includes(bytes), 'each file is in it')
})

t.test('a creation may bring the first bytes, or all', async t => {
  const draft = await newDraft()
  const begin = (bytes: Buffer) =>
    clinician.send('POST', '/v1/uploads', new Uint8Array(bytes), {
      ...TUS,
      'upload-length': String(FILE.bytes.length),
      'upload-metadata': metadata({ draft, ...NAMED }),
      'content-type': 'application/offset+octet-stream'
    })
  const some = await begin(FILE.bytes.subarray(0, 5000))
  t.match(some, { status: 201 })
  t.equal(some.headers.get('upload-offset'), '5000')
  const path = String(some.headers.get('location'))
  t.match(path, /^\/v1\/uploads\/[0-9a-f-]{36}$/)
  t.equal((await sendPatch(clinician, path, 5000, FILE.bytes.subarray(5000))).status, 204)
  t.equal((await begin(FILE.bytes)).headers.get('upload-offset'), '300000')
  const { uploads } = await readDraft(clinician, draft)
  t.match(uploads, [{ sha256: sha256(FILE.bytes) }, { sha256: sha256(FILE.bytes) }])
})

t.test('answers say what tus asks for, and nothing for other origins', async t => {
  const draft = await newDraft()
  const values = { draft, filename: 'Übersicht.txt', x: 'kept' }
  const made = await sendBegin(clinician, 10, values, { origin: 'https://elsewhere.test' })
  const path = String(made.headers.get('location'))
  const head = await clinician.send('HEAD', path, undefined, TUS)
  const patch = await sendPatch(clinician, path, 0, Buffer.from('01234'))
  const options = await clinician.send('OPTIONS', '/v1/uploads', undefined, {
    origin: 'https://elsewhere.test'
  })
  for (const answer of [made, head, patch, options]) {
    t.equal(answer.headers.get('tus-resumable'), '1.0.0')
    t.ok(answer.headers.get('x-request-id'), 'the id of the request')
    t.ok(answer.headers.get('content-security-policy'), 'our own headers')
    t.equal(answer.headers.get('cache-control'), 'no-store')
    const cors = [...answer.headers.keys()].filter(name => name.startsWith('access-control'))
    t.same(cors, [], 'no other origin is let in')
  }
  const { expiresAt } = await readDraft(clinician, draft)
  for (const answer of [made, head, patch]) {
    const expires = Date.parse(String(answer.headers.get('upload-expires')))
    t.equal(expires, Math.floor(Date.parse(expiresAt) / 1000) * 1000, 'it ends with its draft')
  }
  t.equal(head.headers.get('upload-offset'), '0')
  t.equal(head.headers.get('upload-length'), '10')
  t.equal(head.headers.get('upload-metadata'), metadata(values), 'as it was sent')
  t.equal(options.headers.get('tus-version'), '1.0.0')
  t.match(options.headers.get('tus-extension'), /checksum,expiration,termination,concatenation/)
  t.equal(options.headers.get('tus-max-size'), String(x.config.limits.objectBytesMax))
  t.match(options.headers.get('tus-checksum-algorithm'), /^sha1,/)
})

async function refused(
  t: Test,
  answer: Promise<{ status: number; json: Record<string, unknown>; headers: Headers }>,
  status: number,
  code: string,
  label = code
) {
  const { status: found, json, headers } = await answer
  t.match({ status: found, code: json.code }, { status, code }, label)
  t.match(headers.get('content-type'), /^application\/problem\+json/)
  t.equal(headers.get('tus-resumable'), '1.0.0')
}

t.test('what is not the protocol is refused, and as a problem', async t => {
  const draft = await newDraft()
  const path = await beginUpload(clinician, 10, { draft })
  const bytes = Buffer.from('0123456789')
  t.match(await clinician.send('GET', path, undefined, TUS), { status: 404 }, 'there is no GET')
  t.match(await clinician.send('POST', path, undefined, TUS), { status: 404 })
  const head = (headers: Record<string, string>) => clinician.send('HEAD', path, undefined, headers)
  t.equal((await head({})).status, 412)
  t.equal((await head({ 'tus-resumable': '0.9.9' })).headers.get('tus-version'), '1.0.0')
  const patch = (headers: Record<string, string>, at = 0) =>
    sendPatch(clinician, path, at, bytes, headers)
  await refused(t, patch({ 'tus-resumable': '2.0.0' }), 412, 'tus-version-refused')
  await refused(t, patch({ 'content-type': 'text/plain' }), 415, 'media-type-refused')
  await refused(t, patch({ 'upload-offset': '-1' }), 400, 'request-invalid')
  await refused(t, patch({ 'upload-offset': '0x1' }), 400, 'request-invalid')
  await refused(t, patch({}, 1), 409, 'upload-offset-conflict')
  await refused(t, sendPatch(clinician, path, 0, Buffer.alloc(11)), 413, 'upload-too-long')
  await refused(t, patch({ 'upload-checksum': 'crc32 AAAA' }), 400, 'request-invalid')
  await refused(t, patch({ 'upload-checksum': 'sha1' }), 400, 'request-invalid')
  t.equal(await offsetOf(clinician, path), 0, 'and nothing was taken')

  const begin = (bytes: number, values: Record<string, string>, headers = {}) =>
    sendBegin(clinician, bytes, values, headers)
  await refused(t, begin(1, {}), 400, 'request-invalid', 'no draft')
  await refused(t, begin(1, { draft: '../../x' }), 400, 'request-invalid')
  await refused(t, begin(1, { draft: caseId }), 404, 'draft-not-found')
  await refused(t, begin(1, { draft, sha256: 'abc' }), 400, 'request-invalid')
  await refused(t, begin(1, { draft, position: '0' }), 400, 'request-invalid')
  await refused(t, begin(1, { draft, position: '5001' }), 400, 'request-invalid')
  await refused(t, begin(0, { draft }), 422, 'file-empty')
  await refused(t, begin(21 * 1024 ** 3, { draft }), 413, 'file-too-large')
  await refused(t, begin(1, { draft }, { 'upload-defer-length': '1' }), 400, 'request-invalid')
  await refused(t, begin(1, { draft }, { 'upload-length': '1e3' }), 400, 'request-invalid')
  await refused(t, begin(1, { draft }, { 'upload-metadata': 'draft !' }), 400, 'request-invalid')
  await refused(t, begin(1, { draft }, { 'upload-concat': 'final' }), 400, 'request-invalid')
  t.equal((await readDraft(clinician, draft)).uploads.length, 1, 'and nothing was begun')
})

t.test('a longer body than announced is not taken, without a length either', async t => {
  const draft = await newDraft()
  const path = await beginUpload(clinician, 5, { draft })
  const call = await x.raw(
    'clinician',
    `PATCH ${path}`,
    {
      ...TUS,
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
      'transfer-encoding': 'chunked'
    },
    '3\r\nabc\r\n6\r\ndefghi\r\n0\r\n\r\n'
  )
  t.equal((await call.head()).status, 413)
  t.equal(await offsetOf(clinician, path), 0)
})

t.test('a file is judged by its first bytes, however few come at once', async t => {
  const draft = await newDraft()
  const pdf = { filename: 'letter.pdf', filetype: 'application/pdf' }
  const path = await beginUpload(clinician, 100_000, { draft, ...pdf })
  for (let at = 0; at < 4000; at += 1000) {
    await sendPatch(clinician, path, at, FILE.bytes.subarray(at, at + 1000))
  }
  const blobs = blobFiles(x.directory).length
  const { result, events } = await x.eventsOf(() =>
    sendPatch(clinician, path, 4000, FILE.bytes.subarray(4000, 5000))
  )
  t.match(result, { status: 415, json: { code: 'file-mislabelled', filePosition: 1 } })
  t.match(events.at(-1), { action: 'upload.receive', outcome: 'refused', code: 'file-mislabelled' })
  t.equal(events.filter(event => event.outcome === 'refused').length, 1)
  t.equal(blobFiles(x.directory).length, blobs - 1, 'what came of it is removed')
  t.match((await readDraft(clinician, draft)).uploads, [
    { state: 'refused', code: 'file-mislabelled', fileName: 'letter.pdf' }
  ])
  await refused(t, sendPatch(clinician, path, 4000, Buffer.from('x')), 410, 'upload-refused')
  t.match(await clinician.send('POST', `/v1/drafts/${draft}/complete`), {
    status: 415,
    json: { code: 'file-mislabelled', filePosition: 1 }
  })

  const good = await beginUpload(clinician, FILE.bytes.length, { draft, ...NAMED })
  await sendInPieces(clinician, good, FILE.bytes, [FILE.bytes.length])
  t.match(await complete(clinician, draft), { objects: [{ position: 1, fileName: 'numbers.txt' }] })
})

t.test('a file that is not what its digest says is refused at its end', async t => {
  const draft = await newDraft()
  const right = sha256(FILE.bytes)
  for (const lengths of [[300_000], [100_000, 200_000]]) {
    const path = await beginUpload(clinician, 300_000, { draft, ...NAMED, sha256: right })
    await sendInPieces(clinician, path, FILE.bytes, lengths)
  }
  const wrong = await beginUpload(clinician, 300_000, {
    draft,
    ...NAMED,
    sha256: sha256(Buffer.of())
  })
  await sendPatch(clinician, wrong, 0, FILE.bytes.subarray(0, 100_000))
  const blobs = blobFiles(x.directory).length
  await refused(
    t,
    sendPatch(clinician, wrong, 100_000, FILE.bytes.subarray(100_000)),
    422,
    'digest-mismatch'
  )
  t.equal(blobFiles(x.directory).length, blobs - 1, 'its blobs are removed')
  const states = (await readDraft(clinician, draft)).uploads.map(({ state }) => state)
  t.same(states, ['stored', 'stored', 'refused'])
})

t.test('a piece with a checksum is taken whole or not at all', async t => {
  const draft = await newDraft()
  const path = await beginUpload(clinician, 300_000, { draft, ...NAMED })
  const sum = (algorithm: string, bytes: Buffer) => ({
    'upload-checksum': `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`
  })
  const [first, second] = [FILE.bytes.subarray(0, 1000), FILE.bytes.subarray(1000)]
  await refused(
    t,
    sendPatch(clinician, path, 0, first, sum('sha1', second)),
    460,
    'checksum-mismatch'
  )
  t.equal(await offsetOf(clinician, path), 0)
  t.equal((await sendPatch(clinician, path, 0, first, sum('sha1', first))).status, 204)
  await refused(
    t,
    sendPatch(clinician, path, 1000, second, sum('sha512', first)),
    460,
    'checksum-mismatch'
  )
  t.equal(await offsetOf(clinician, path), 1000)
  t.equal((await sendPatch(clinician, path, 1000, second, sum('sha512', second))).status, 204)
  t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(FILE.bytes) }])
})

t.test('parts that came at once are joined in their order', async t => {
  const draft = await newDraft()
  const cuts = [0, 70_000, 70_001, 200_000, 300_000]
  const pieces = cuts.slice(1).map((end, i) => FILE.bytes.subarray(cuts[i], end))
  const paths = await Promise.all(
    pieces.map(async piece => {
      const path = await beginUpload(
        clinician,
        piece.length,
        { draft },
        { 'upload-concat': 'partial' }
      )
      await sendInPieces(clinician, path, piece, [40_000])
      return path
    })
  )
  const join = (parts: string[], values: Record<string, string> = { draft, ...NAMED }) =>
    clinician.send('POST', '/v1/uploads', undefined, {
      ...TUS,
      'upload-concat': `final;${parts.join(' ')}`,
      'upload-metadata': metadata(values)
    })
  t.match((await readDraft(clinician, draft)).uploads[0], { partial: true, state: 'stored' })
  t.match(await clinician.send('POST', `/v1/drafts/${draft}/complete`), {
    json: { code: 'draft-incomplete' }
  })
  const [one = '', two = ''] = paths
  await refused(t, join([one, one]), 400, 'request-invalid', 'a part twice')
  await refused(t, join([one, '/v1/uploads/x']), 400, 'request-invalid')
  await refused(t, join([one, `/v1/uploads/${draft}`]), 404, 'upload-not-found')
  await refused(t, join([one, two], { draft: await newDraft() }), 400, 'request-invalid')

  const joined = await join(paths)
  t.equal(joined.status, 201)
  const path = String(joined.headers.get('location'))
  t.equal((await join(paths)).headers.get('location'), path, 'asked again, the same')
  await refused(t, join([two]), 409, 'upload-parts-joined', 'some of the parts')
  await refused(t, join([...paths].reverse()), 409, 'upload-parts-joined', 'another order')
  await refused(
    t,
    join(paths, { draft: await newDraft() }),
    409,
    'upload-parts-joined',
    'another draft'
  )
  const head = await clinician.send('HEAD', path, undefined, TUS)
  t.equal(head.headers.get('upload-length'), '300000')
  t.equal(head.headers.get('upload-concat'), `final;${paths.join(' ')}`)
  await refused(t, sendPatch(clinician, path, 300_000, Buffer.alloc(0)), 403, 'upload-is-final')
  t.match((await readDraft(clinician, draft)).uploads, [
    { fileName: 'numbers.txt', state: 'stored', sha256: sha256(FILE.bytes) }
  ])
  await complete(clinician, draft)
  const content = await clinician.send('GET', `/v1/records/${draft}/content`, undefined, {
    range: 'bytes=69990-70010'
  })
  t.ok(content.bytes.equals(FILE.bytes.subarray(69_990, 70_011)), 'over three parts')
})

t.test('as many parts as may be joined fit into the headers, as URLs too', async t => {
  const draft = await newDraft()
  const paths: string[] = []
  for (let n = 0; n < PARTS_MAX; n += 1) {
    const values = { draft }
    const path = await beginUpload(clinician, 2, values, { 'upload-concat': 'partial' })
    await sendPatch(clinician, path, 0, Buffer.from(`${n % 10}\n`))
    paths.push(path)
  }
  const origin = `https://${'records.'.repeat(5)}example`
  const join = (parts: string[]) =>
    clinician.send('POST', '/v1/uploads', undefined, {
      ...TUS,
      'upload-concat': `final;${parts.map(path => `${origin}${path}`).join(' ')}`,
      'upload-metadata': metadata({ draft, ...NAMED })
    })
  await refused(t, join([...paths, paths[0] ?? '']), 400, 'request-invalid', 'one too many')
  const joined = await join(paths)
  t.equal(joined.status, 201)
  t.match((await readDraft(clinician, draft)).uploads, [{ bytes: 2 * PARTS_MAX, state: 'stored' }])
})

t.test('of many who complete a draft at once one does it', async t => {
  const draft = await newDraft()
  const path = await beginUpload(clinician, FILE.bytes.length, { draft, ...NAMED })
  await sendInPieces(clinician, path, FILE.bytes, [FILE.bytes.length])
  const { inspect } = x.exchange.inspectPool
  const looking = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  let looks = 0
  x.exchange.inspectPool.inspect = async file => {
    looks += 1
    looking.resolve()
    await go.promise
    return inspect(file)
  }
  t.teardown(() => {
    x.exchange.inspectPool.inspect = inspect
  })
  const finish = () => clinician.send('POST', `/v1/drafts/${draft}/complete`)
  const first = finish()
  await looking.promise
  const others = await Promise.all([1, 2, 3].map(finish))
  for (const other of others) {
    t.match(other, { status: 409, json: { code: 'draft-completing' } })
  }
  // Only then they are many: whoever completes has one of the places of an account's uploads.
  t.equal(x.exchange.uploads.count(), 1)
  go.resolve()
  t.equal((await first).status, 201)
  t.equal(looks, 1)
  t.match(await finish(), { status: 200, json: { id: draft } }, 'asked again, the record')
})

t.test('a draft waits for every upload in it, or for none that was ended', async t => {
  const draft = await newDraft()
  const finish = () => clinician.send('POST', `/v1/drafts/${draft}/complete`)
  t.match(await finish(), { status: 400, json: { code: 'file-missing' } })
  const whole = await beginUpload(clinician, FILE.bytes.length, { draft, ...NAMED })
  const half = await beginUpload(clinician, 10, { draft })
  await sendInPieces(clinician, whole, FILE.bytes, [FILE.bytes.length])
  await sendPatch(clinician, half, 0, Buffer.from('01234'))
  t.match(await finish(), { status: 409, json: { code: 'draft-incomplete' } })
  const blobs = blobFiles(x.directory).length
  const { events } = await x.eventsOf(async () => {
    const ended = await clinician.send('DELETE', half, undefined, TUS)
    t.equal(ended.status, 204)
  })
  t.match(events, [{ action: 'upload.end', outcome: 'success', recordId: draft }])
  t.equal(blobFiles(x.directory).length, blobs - 1, 'its blob is gone')
  t.match(await clinician.send('HEAD', half, undefined, TUS), { status: 404 })
  t.match(await clinician.send('DELETE', half, undefined, TUS), { status: 404 })
  t.equal((await finish()).status, 201)
})

t.test('a draft that is given up is gone with all that came', async t => {
  const draft = await newDraft()
  const before = blobFiles(x.directory).length
  const path = await beginUpload(clinician, FILE.bytes.length, { draft, ...NAMED })
  await sendPatch(clinician, path, 0, FILE.bytes.subarray(0, 1000))
  t.equal((await clinician.send('DELETE', `/v1/drafts/${draft}`)).status, 204)
  t.equal(blobFiles(x.directory).length, before)
  for (const [method, at] of [
    ['GET', `/v1/drafts/${draft}`],
    ['DELETE', `/v1/drafts/${draft}`],
    ['POST', `/v1/drafts/${draft}/complete`]
  ] as const) {
    t.match(await clinician.send(method, at), { status: 404, json: { code: 'draft-not-found' } })
  }
  await refused(t, sendPatch(clinician, path, 1000, Buffer.from('x')), 404, 'upload-not-found')
  await refused(t, sendBegin(clinician, 1, { draft }), 404, 'draft-not-found')
})

t.test('each piece is one event, with its offsets and nothing of the file', async t => {
  const draft = await newDraft()
  const path = await beginUpload(clinician, 20, { draft, filename: 'secret-name.txt' })
  const { events } = await x.eventsOf(async () => {
    await sendPatch(clinician, path, 0, Buffer.from('0123456789'))
    await sendPatch(clinician, path, 10, Buffer.alloc(0))
    await offsetOf(clinician, path)
  })
  t.match(
    events.map(({ action, details }) => [action, details.from, details.to]),
    [
      ['upload.receive', 0, 10],
      ['upload.receive', 10, 10],
      ['upload.read', undefined, undefined]
    ]
  )
  t.notMatch(JSON.stringify(await x.auditEvents()), /secret-name/)
  t.notMatch(x.logged(), /secret-name/)
})
