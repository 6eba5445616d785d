import t from 'tap'
import {
  type Answer,
  numberedText,
  type Shared,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'

/** Seven sealed chunks of 16 KiB, the last of them short. */
const SIZE = 100_003
const file = numberedText(SIZE)

interface Reader {
  who: 'clinician' | 'specialistGb'
  path: string
}

/** The owner's and the specialist's way to the same file, each as a record and as an object. */
function readers({ record, share, path }: Shared): Reader[] {
  const object = record.objects[0]?.id
  return [
    { who: 'clinician', path: `/v1/records/${record.id}/content` },
    { who: 'clinician', path: `/v1/records/${record.id}/objects/${object}/content` },
    { who: 'specialistGb', path },
    {
      who: 'specialistGb',
      path: `/v1/shares/${share.id}/records/${record.id}/objects/${object}/content`
    }
  ]
}

/** Ranges that are answered with a part: from (inclusive) and to (exclusive). */
const parts: [range: string, from: number, to: number][] = [
  ['bytes=0-0', 0, 1],
  ['bytes=0-99', 0, 100],
  ['bytes=0-', 0, SIZE],
  ['bytes=50000-50099', 50_000, 50_100],
  ['bytes=16383-16384', 16_383, 16_385],
  ['bytes=16384-32767', 16_384, 32_768],
  ['bytes=98304-', 98_304, SIZE],
  ['bytes=100002-', 100_002, SIZE],
  ['bytes=100002-999999999', 100_002, SIZE],
  ['bytes=-1', SIZE - 1, SIZE],
  ['bytes=-20000', SIZE - 20_000, SIZE],
  ['bytes=-999999999', 0, SIZE]
]

/** One service for all tests of this file: none changes what another looks at. */
const exchange = await startExchange(t)

t.test('a part is the slice that was asked for', async t => {
  for (const { who, path } of readers(await sharedRecord(exchange, [file]))) {
    for (const [range, from, to] of parts) {
      const { result, events } = await exchange.eventsOf(() => get(exchange, who, path, { range }))
      t.equal(result.status, 206, `${range} for the ${who}`)
      t.ok(result.bytes.equals(file.bytes.subarray(from, to)), `${range} is the slice`)
      t.equal(result.headers.get('content-range'), `bytes ${from}-${to - 1}/${SIZE}`)
      t.equal(result.headers.get('content-length'), String(to - from))
      t.match(
        events,
        [
          { outcome: 'granted', details: { range: [from, to] } },
          { outcome: 'complete', bytesHandedOver: to - from }
        ],
        `${range} is on record as what it was`
      )
    }
  }
})

t.test('a range that lies outside tells how long the content is', async t => {
  for (const { who, path } of readers(await sharedRecord(exchange, [file]))) {
    for (const range of [`bytes=${SIZE}-`, `bytes=${SIZE}-${SIZE + 9}`, 'bytes=-0']) {
      const { result, events } = await exchange.eventsOf(() => get(exchange, who, path, { range }))
      t.match(result, { status: 416, json: { code: 'range-not-satisfiable' } }, range)
      t.equal(result.headers.get('content-range'), `bytes */${SIZE}`)
      t.match(events, [{ action: 'content.read', outcome: 'refused' }])
    }
  }
})

t.test('what is no single range of bytes is answered with the whole', async t => {
  for (const { who, path } of readers(await sharedRecord(exchange, [file]))) {
    for (const range of [
      'bytes=0-0,5-9',
      'bytes=0-9, 20-29, -5',
      'items=0-5',
      'items=900000-',
      'bytes=5-2',
      'bytes=--5',
      'bytes=-',
      'bytes=0-9x',
      'bytes=a-b',
      'bytes'
    ]) {
      const answer = await get(exchange, who, path, { range })
      t.equal(answer.status, 200, range)
      t.ok(answer.bytes.equals(file.bytes), `${range}: the whole file`)
      t.equal(answer.headers.get('content-range'), null)
    }
  }
})

t.test('If-Range gives the part only of the very same content', async t => {
  const range = 'bytes=10-19'
  for (const { who, path } of readers(await sharedRecord(exchange, [file]))) {
    const etag = String((await get(exchange, who, path, {})).headers.get('etag'))
    t.match(etag, /^"[\w-]+"$/, 'a strong tag')
    const same = await get(exchange, who, path, { range, 'if-range': etag })
    t.equal(same.status, 206)
    t.ok(same.bytes.equals(file.bytes.subarray(10, 20)))
    for (const other of [
      '"other"',
      `W/${etag}`,
      'Wed, 21 Oct 2026 07:28:00 GMT',
      etag.slice(1, -1)
    ]) {
      const answer = await get(exchange, who, path, { range, 'if-range': other })
      t.equal(answer.status, 200, `If-Range: ${other}`)
      t.ok(answer.bytes.equals(file.bytes))
    }
  }
})

t.test('If-None-Match saves sending what the client has', async t => {
  for (const { who, path } of readers(await sharedRecord(exchange, [file]))) {
    const etag = String((await get(exchange, who, path, {})).headers.get('etag'))
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      for (const method of ['GET', 'HEAD']) {
        const { result, events } = await exchange.eventsOf(() =>
          exchange.client(who).send(method, path, undefined, { 'if-none-match': tags })
        )
        t.match(result, { status: 304, text: '' }, `${method} If-None-Match: ${tags}`)
        t.equal(result.headers.get('etag'), etag)
        t.match(events, [{ outcome: 'success', bytesHandedOver: 0, details: { status: 304 } }])
      }
    }
    const changed = await get(exchange, who, path, { 'if-none-match': '"other"' })
    t.equal(changed.status, 200)
    t.ok(changed.bytes.equals(file.bytes))
  }
})

t.test('HEAD tells what GET would send, and sends nothing', async t => {
  for (const { who, path } of readers(await sharedRecord(exchange, [file]))) {
    const whole = await get(exchange, who, path, {})
    for (const headers of [{}, { range: 'bytes=5-9' }, { range: `bytes=${SIZE}-` }]) {
      const { result, events } = await exchange.eventsOf(() =>
        exchange.client(who).send('HEAD', path, undefined, headers)
      )
      t.match(result, { status: 200, text: '' })
      for (const name of [
        'content-length',
        'content-type',
        'etag',
        'repr-digest',
        'accept-ranges',
        'content-disposition'
      ]) {
        t.equal(result.headers.get(name), whole.headers.get(name), name)
      }
      const details = { method: 'HEAD', status: 200 }
      t.match(events, [{ outcome: 'success', bytesHandedOver: 0, details }])
    }
  }
})

t.test('content of any type is saved and never shown', async t => {
  for (const { who, path } of readers(await sharedRecord(exchange, [file]))) {
    const { headers } = await get(exchange, who, path, {})
    t.match(headers.get('content-disposition'), /^attachment; /)
    t.match(headers.get('content-security-policy'), /^sandbox; default-src 'none'/)
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('cache-control'), 'no-store')
  }
})

function get(
  exchange: TestExchange,
  who: Reader['who'],
  path: string,
  headers: Record<string, string>
): Promise<Answer> {
  return exchange.client(who).send('GET', path, undefined, headers)
}
