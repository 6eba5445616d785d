import t, { type Test } from 'tap'
import { parseProofFile } from '../../../src/audit/tlog/proof-file.ts'
import {
  decodeEntries,
  parseTilePath,
  readThroughTiles,
  TILE_WIDTH,
  tilePath,
  tilesOf
} from '../../../src/audit/tlog/tiles.ts'
import {
  leafHash,
  rootAt,
  verifyConsistency,
  verifyInclusion
} from '../../../src/audit/tlog/tree.ts'
import {
  type Answer,
  BIRTH_DATE,
  eventually,
  NHS_NUMBER,
  PATIENT_NAME,
  PURPOSE,
  QUESTION,
  startExchange,
  type TestExchange
} from '../../helpers/exchange.ts'
import { liveliness } from '../scene.ts'
import { append, leavesOf, opened, rootOf } from './scene.ts'

const TEXT = 'text/plain; charset=utf-8'
const FOR_EVER = 'public, max-age=31536000, immutable'

const get = (exchange: TestExchange, path: string) =>
  exchange.client().send('GET', `/v1/audit/${path}`)

/** An exchange where much has happened, with the checkpoint anybody gets, opened. */
async function published(t: Test, more = 0) {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  await append(exchange.exchange, more)
  await exchange.exchange.tree.settle()
  const keys = await get(exchange, 'keys')
  const vkeys = keys.text.trimEnd().split('\n')
  const note = await get(exchange, 'checkpoint')
  return { exchange, vkeys, keys, note, signed: opened(note.text, vkeys) }
}

function assertForm(t: Test, what: string, answer: Answer, type: string, cache: string) {
  t.equal(answer.status, 200, what)
  t.equal(answer.headers.get('content-type'), type, `${what}: type`)
  t.equal(answer.headers.get('cache-control'), cache, `${what}: cache`)
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
}

t.test('whoever has the verifier key can verify the whole log, without an account', async t => {
  const { exchange, keys, note, signed } = await published(t, 400)
  assertForm(t, 'keys', keys, TEXT, 'no-cache')
  assertForm(t, 'checkpoint', note, TEXT, 'no-cache')

  const read = readThroughTiles(signed.size, async tile => {
    const answer = await get(exchange, tilePath(tile))
    assertForm(t, tilePath(tile), answer, 'application/octet-stream', FOR_EVER)
    return answer.bytes
  })
  t.ok((await rootAt(signed.size, read)).equals(signed.root), 'the tiles make the signed root')

  const entries: Buffer[] = []
  for (const { level, index, width } of tilesOf(signed.size)) {
    if (level > 0) continue
    const answer = await get(exchange, tilePath({ level: 'entries', index, width }))
    assertForm(t, `entries ${index}`, answer, 'application/octet-stream', FOR_EVER)
    entries.push(...decodeEntries(answer.bytes))
  }
  t.ok(rootOf(entries).equals(signed.root), 'and so do the entries')
  t.same(entries, (await leavesOf(t, exchange.exchange.database)).slice(0, signed.size))
})

t.test('an event is proven by a file that stands alone', async t => {
  const { exchange, vkeys } = await published(t)
  const events = await exchange.auditEvents()
  for (const event of [events[0], events[Math.floor(events.length / 2)], events.at(-1)]) {
    const answer = await get(exchange, `events/${event?.id}/proof`)
    assertForm(t, 'proof', answer, TEXT, 'no-cache')
    const { extra = Buffer.alloc(0), index, proof, checkpoint } = parseProofFile(answer.text)
    const { size, root } = opened(checkpoint, vkeys)
    t.ok(verifyInclusion(leafHash(extra), index, size, proof, root), 'its entry is in the log')
    t.match(JSON.parse(extra.toString()), { id: event?.id, action: event?.action, v: 1 })
    t.equal(index, event?.idx)

    const other = Buffer.from(extra.toString().replace('"outcome":"', '"outcome":"x'))
    t.notOk(verifyInclusion(leafHash(other), index, size, proof, root), 'and no other')
  }

  t.match(await get(exchange, `events/${crypto.randomUUID()}/proof`), {
    status: 404,
    json: { code: 'event-not-found' }
  })
  for (const id of ['', 'x', '%00', `${events[0]?.id}x`, String(events[0]?.id).toUpperCase()]) {
    t.equal((await get(exchange, `events/${id}/proof`)).status, 404, id)
  }
})

t.test('an event of this very moment is proven a second later', async t => {
  const { exchange } = await published(t)
  // Given a clock that stands, so that the next checkpoint is not due.
  exchange.clock.set(exchange.exchange.tree.checkpoint()?.signedAt ?? 0)
  const [id] = await append(exchange.exchange, 1)
  const early = await get(exchange, `events/${id}/proof`)
  t.match(early, { status: 503, json: { code: 'log-not-signed-yet' } })
  t.equal(early.headers.get('retry-after'), '1')
  t.equal(early.headers.get('cache-control'), 'no-store')

  exchange.clock.advance(1000)
  await eventually('it is proven', async () =>
    (await get(exchange, `events/${id}/proof`)).status === 200 ? true : undefined
  )
})

t.test('that the log has only grown is proven between any two sizes', async t => {
  const { exchange, signed } = await published(t, 300)
  const leaves = await leavesOf(t, exchange.exchange.database)
  const hashes = (text: string) =>
    text.split('\n').flatMap(line => (line === '' ? [] : [Buffer.from(line, 'base64')]))
  for (const [from, to] of [
    [1, 2],
    [1, signed.size],
    [256, 257],
    [255, 300],
    [17, 17],
    [signed.size, signed.size]
  ] as const) {
    const answer = await get(exchange, `consistency?from=${from}&to=${to}`)
    assertForm(t, `from ${from} to ${to}`, answer, TEXT, FOR_EVER)
    const proof = hashes(answer.text)
    t.ok(verifyConsistency(from, rootOf(leaves, from), to, rootOf(leaves, to), proof), 'holds')
    const wrong = leafHash(rootOf(leaves, from))
    t.notOk(verifyConsistency(from, wrong, to, rootOf(leaves, to), proof), 'for no other past')
  }

  // Without `to` it is a proof for today's log, which no cache may keep.
  const answer = await get(exchange, 'consistency?from=10')
  assertForm(t, 'up to now', answer, TEXT, 'no-cache')
  const now = hashes(answer.text)
  t.ok(verifyConsistency(10, rootOf(leaves, 10), signed.size, signed.root, now))

  const end = signed.size
  for (const [query, code] of [
    ['', 'request-invalid'],
    ['from=0', 'request-invalid'],
    ['from=-1', 'request-invalid'],
    ['from=01', 'request-invalid'],
    ['from=1e2', 'request-invalid'],
    ['from=1&from=2', 'request-invalid'],
    ['from=1&to=', 'request-invalid'],
    ['from=1&other=2', 'request-invalid'],
    ['from=99999999999999999', 'request-invalid'],
    ['from=9999999999999999', 'log-size-unknown'],
    ['from=5&to=4', 'log-size-unknown'],
    [`from=1&to=${end + 1}`, 'log-size-unknown'],
    [`from=${end + 1}`, 'log-size-unknown']
  ]) {
    const refused = await get(exchange, `consistency?${query}`)
    t.match(refused, { status: 400, json: { code } }, `?${query}`)
  }
})

t.test('only tiles of the signed log are there, under their one name', async t => {
  const { exchange, signed } = await published(t, 300)
  const width = signed.size - TILE_WIDTH
  t.ok(width > 2 && width < TILE_WIDTH, 'one full tile and one that is not')
  const there = [
    'tile/0/000',
    'tile/0/001.p/1',
    `tile/0/001.p/${width}`,
    'tile/0/000.p/255',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/entries/000.p/1',
    `tile/entries/001.p/${width}`
  ]
  for (const path of there) {
    const { status, bytes } = await get(exchange, path)
    t.equal(status, 200, path)
    const tile = parseTilePath(path)
    if (tile?.level !== 'entries') t.equal(bytes.length, 32 * (tile?.width ?? 0))
    else t.equal(decodeEntries(bytes).length, tile.width)
  }
  const missing = [
    'tile/0/001',
    `tile/0/001.p/${width + 1}`,
    'tile/0/001.p/0',
    'tile/0/001.p/256',
    'tile/0/002.p/1',
    'tile/1/000',
    'tile/1/000.p/2',
    'tile/2/000.p/1',
    'tile/64/000',
    'tile/entries/001',
    `tile/entries/001.p/${width + 1}`,
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/00/000',
    'tile/0/x000/000',
    'tile/0/001.p/01',
    'tile/0/001.P/1',
    'tile/0/000/',
    'tile/0//000',
    'tile/0/000.p',
    'tile/0/-01',
    'tile/entry/000',
    'tile/8/0/000',
    'tile/0/..%2f0%2f000',
    'tile/0%2f000',
    'tile%2f0/000',
    'tile/0/%30%30%30',
    'tile/0/000?',
    'tile/0/000?x=1',
    'tile/0/000%00',
    'tile/0/x999/x999/x999/x999/x999/999'
  ]
  for (const path of missing) {
    const { status, json, headers } = await get(exchange, path)
    const code = path.startsWith('tile%2f') ? 'route-not-found' : 'log-tile-not-found'
    t.match({ status, json }, { status: 404, json: { code } }, path)
    t.equal(headers.get('cache-control'), 'no-store', 'which may be there tomorrow')
  }
  // What is on the log and not signed yet is not served.
  exchange.clock.set(exchange.exchange.tree.checkpoint()?.signedAt ?? 0)
  await append(exchange.exchange, 1)
  t.equal((await get(exchange, `tile/entries/001.p/${width + 1}`)).status, 404)
})

t.test('reading the log is not an event, and tells nothing about anybody', async t => {
  const exchange = await startExchange(t)
  const { first, second } = await liveliness(exchange)
  await exchange.exchange.tree.settle()
  const events = await exchange.auditEvents()
  const answers: [path: string, text: string][] = []
  const { size } = await exchange.exchange.tree.settle()
  const paths = [
    'checkpoint',
    'keys',
    `consistency?from=${size - 3}`,
    ...events.map(({ id }) => `events/${id}/proof`),
    `tile/0/000.p/${size}`,
    `tile/entries/000.p/${size}`
  ]
  for (const path of paths) {
    const { status, text } = await get(exchange, path)
    t.equal(status, 200, path)
    answers.push([path, text])
    const { extra } = path.startsWith('events/') ? parseProofFile(text) : {}
    if (extra !== undefined) answers.push([path, extra.toString()])
  }
  t.equal((await exchange.auditEvents()).length, events.length, 'nothing is on the log of it')

  const people = Object.values(exchange.people)
  const words = [
    ...[NHS_NUMBER, PATIENT_NAME, 'QUILLFEATHER', BIRTH_DATE, QUESTION, PURPOSE, '127.0.0.1'],
    ...people.flatMap(({ name, accountId, organisationId, key }) => [
      ...[name, accountId, organisationId, key.client_id]
    ]),
    ...[first, second].flatMap(({ caseId, record }) => [caseId, record.id]),
    ...[first, second].flatMap(({ record }) => record.objects.map(({ id }) => id)),
    ...events.flatMap(({ patientRef }) =>
      patientRef === null ? [] : [patientRef.toString('base64url'), patientRef.toString('base64')]
    )
  ]
  const found = answers.flatMap(([path, text]) =>
    words.filter(word => text.includes(word)).map(word => `${word} in ${path}`)
  )
  t.same(found, [])
  t.ok(
    answers.some(([, text]) => text.includes(first.share.id)),
    'this test reads what is told'
  )
})

t.test('other methods are refused', async t => {
  const exchange = await startExchange(t)
  await exchange.exchange.tree.settle()
  for (const path of ['checkpoint', 'keys', 'consistency', 'tile/entries/000.p/1']) {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const { status } = await exchange.client().send(method, `/v1/audit/${path}`)
      t.ok(status === 404 || status === 405, `${method} ${path}: ${status}`)
    }
  }
})

t.test('HEAD is answered as GET is, without the body', async t => {
  const { exchange, signed } = await published(t, 300)
  const [event] = await exchange.auditEvents()
  for (const path of [
    'checkpoint',
    'keys',
    'tile/0/000',
    `tile/entries/000.p/${signed.size % TILE_WIDTH}`,
    `events/${event?.id}/proof`,
    'consistency?from=1&to=5',
    'tile/9/000',
    'consistency?from=0'
  ]) {
    const whole = await get(exchange, path)
    const head = await exchange.client().send('HEAD', `/v1/audit/${path}`)
    t.equal(head.status, whole.status, path)
    t.equal(head.bytes.length, 0)
    for (const name of ['content-type', 'content-length', 'cache-control']) {
      // The id of a request is in what tells of a refusal.
      const isOwn = name === 'content-length' && whole.status !== 200
      if (!isOwn) t.equal(head.headers.get(name), whole.headers.get(name), `${path}: ${name}`)
    }
  }
})

t.test('an address of the log has one spelling', async t => {
  const { exchange } = await published(t)
  const [event] = await exchange.auditEvents()
  for (const path of [
    'c%68eckpoint',
    '%6beys',
    `events/${event?.id.replace('-', '%2d')}/proof`,
    'consistency?from=%31'
  ]) {
    t.match(await get(exchange, path), { status: 404, json: { code: 'route-not-found' } }, path)
  }
  t.equal((await exchange.client().send('GET', '/v1/%61udit/checkpoint')).status, 404)
})

t.test('reading the log is bounded for each network, and leaves no line', async t => {
  const limits = { logRequestsPerSecondMax: 2, logRequestsBurstMax: 5 }
  const env = { CONSILIUM_TRUSTED_PROXIES: '127.0.0.1', CONSILIUM_LOG_LEVEL: 'info' }
  const exchange = await startExchange(t, { limits, env })
  await exchange.exchange.tree.settle()
  exchange.clock.set(exchange.clock.now())
  const from = (address: string, path = 'checkpoint') =>
    exchange.client().send('GET', `/v1/audit/${path}`, undefined, {
      'x-forwarded-for': address,
      'x-forwarded-proto': 'https'
    })
  const logged = exchange.logged()
  const events = await exchange.auditEvents()
  for (let n = 0; n < 5; n += 1) {
    t.equal(
      (await from(`2001:db8:0:1::${n}`, n % 2 === 0 ? 'keys' : 'tile/9/000')).status,
      n % 2 ? 404 : 200
    )
  }
  const refused = await from('2001:db8:0:1:ffff::1')
  t.match(refused, { status: 429, json: { code: 'too-many-requests' } }, 'of the same /64')
  t.equal(refused.headers.get('retry-after'), '1')
  t.equal((await from('2001:db8:0:2::1')).status, 200, 'another network goes on')
  t.equal((await from('192.0.2.1')).status, 200)
  t.equal(
    (
      await exchange.client('clinician').send('GET', '/v1/cases', undefined, {
        'x-forwarded-for': '2001:db8:0:1::1',
        'x-forwarded-proto': 'https'
      })
    ).status,
    200,
    'and so does all else'
  )
  exchange.clock.advance(1000)
  const after = await Promise.all([1, 2, 3].map(() => from('2001:db8:0:1::9')))
  t.same(after.map(({ status }) => status).sort(), [200, 200, 429], 'two a second later')

  const lines = exchange
    .logged()
    .slice(logged.length)
    .split('\n')
    .filter(line => line !== '')
  t.same(
    lines.map(line => JSON.parse(line).route),
    ['/oidc/token', '/v1/cases'],
    'others are logged'
  )
  const told = await exchange.auditEvents()
  t.same(
    told.slice(events.length).map(event => event.action),
    ['token.issue', 'case.list']
  )
})
