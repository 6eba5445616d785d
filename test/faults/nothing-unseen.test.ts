import fc from 'fast-check'
import t, { type Test } from 'tap'
import { type AuditRow, eventually, startExchange, type TestExchange } from '../helpers/exchange.ts'
import {
  createCase,
  numberedText,
  openShare,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/story.ts'
import { assertSound } from './soundness.ts'

const MARKER = 'godwit-in-clear'
const RUNS = process.env.SLOW === '1' ? 2000 : 150
const LARGE_BYTES = 1_500_000

const text = (bytes: number) =>
  Buffer.concat([Buffer.from(`${MARKER}\n`), numberedText(bytes).bytes])

/** What one socket asked for, and every byte of a body it got. */
interface Seen {
  method: string
  status: number
  requestId: string
  headers: Record<string, string>
  got: Buffer
  /** Whether the socket was read until the service closed it, with nothing to stop it earlier. */
  readToEnd: boolean
}

/** Everything there is to read: by whom, where, and what it should be. */
interface Source {
  who: 'clinician' | 'specialistGb'
  path: string
  /** Undefined for an archive. */
  original: Buffer | undefined
}

async function setUp(t: Test, limits = {}) {
  const x = await startExchange(t, { limits })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const large = text(LARGE_BYTES)
  const small = text(40_000)
  const file = (bytes: Buffer) => ({ name: 'a.txt', bytes })
  const one = await uploadRecord(clinician, caseId, { files: [file(large)] })
  const two = await uploadRecord(clinician, caseId, { files: [file(large), file(small)] })
  const share = await shareRecords(x, caseId, [one.id, two.id])
  await openShare(x.client('specialistGb'), share.link)
  const second = two.objects[1]?.id
  const sources: [Source, ...Source[]] = [
    { who: 'specialistGb', path: sharedPath(share.id, one.id), original: large },
    { who: 'specialistGb', path: sharedPath(share.id, two.id, second), original: small },
    { who: 'specialistGb', path: sharedPath(share.id, two.id), original: undefined },
    { who: 'clinician', path: `/v1/records/${one.id}/content`, original: large },
    { who: 'clinician', path: `/v1/records/${two.id}/objects/${second}/content`, original: small },
    { who: 'clinician', path: `/v1/records/${two.id}/content`, original: undefined }
  ]
  return { x, sources }
}

/** Asks on a socket of its own and reads `most` bytes of the body at most, then breaks off. */
async function ask(
  x: TestExchange,
  source: Source,
  method: string,
  headers: Record<string, string>,
  most = Number.POSITIVE_INFINITY
): Promise<Seen> {
  const call = await x.raw(source.who, `${method} ${source.path}`, headers)
  const head = await call.head()
  const got = await (most === Number.POSITIVE_INFINITY ? call.rest() : call.take(most))
  call.abort()
  const requestId = head.headers['x-request-id'] ?? ''
  const readToEnd = most === Number.POSITIVE_INFINITY
  return { method, status: head.status, requestId, headers: head.headers, got, readToEnd }
}

/** Says what is wrong between what a socket saw and what is on the log; undefined when all is well. */
function wrongWith(seen: Seen, source: Source, events: AuditRow[]): string | undefined {
  const own = events.filter(event => event.details['requestId'] === seen.requestId)
  const isContent = seen.method === 'GET' && (seen.status === 200 || seen.status === 206)
  if (!isContent) {
    if (seen.got.includes(MARKER)) return 'content where there should be none'
    if (seen.method === 'HEAD' && seen.got.length > 0) return 'a body after HEAD'
    if (seen.status === 304 && seen.got.length > 0) return 'a body after 304'
    const told = seen.status === 200 || seen.status === 304
    if (told && own.length !== 1) return `${own.length} events of a look`
    if (told && own[0]?.bytesHandedOver !== 0) return 'bytes handed over in a look'
    return undefined
  }
  const [granted, end] = own
  if (own.length !== 2 || granted?.outcome !== 'granted') return `${own.length} events`
  if (end?.grantId !== granted.id) return 'the second event is not of the first'
  if (Number(end.bytesHandedOver) < seen.got.length) return 'more arrived than was handed over'
  if (seen.readToEnd) {
    if (end.outcome !== 'complete') return `read to its end, yet ${end.outcome}`
    if (seen.got.length !== Number(seen.headers['content-length'])) return 'shorter than told'
  }
  if (source.original === undefined) return undefined
  const [from, to] = granted.details['range'] as [number, number]
  if (seen.got.length > to - from) return 'more arrived than was granted'
  return source.original.subarray(from, from + seen.got.length).equals(seen.got)
    ? undefined
    : 'wrong bytes'
}

t.test('whatever is asked, and wherever it is broken off, every byte is on the log', async t => {
  const { x, sources } = await setUp(t)
  const etags = new Map<Source, string>()
  for (const source of sources) {
    etags.set(source, (await ask(x, source, 'HEAD', {})).headers['etag'] ?? '"none"')
  }
  const position = fc.oneof(
    fc.nat(50),
    fc.nat(LARGE_BYTES + 100),
    fc.constantFrom(16_383, 16_384, 524_287, 524_288, 2 ** 53)
  )
  const range = fc.oneof(
    fc.tuple(position, position).map(([a, b]) => `bytes=${Math.min(a, b)}-${Math.max(a, b)}`),
    position.map(from => `bytes=${from}-`),
    position.map(last => `bytes=-${last}`),
    fc.tuple(position, position).map(([a, b]) => `bytes=${a}-${a + 10},${b}-${b + 10}`),
    fc.constantFrom('bytes=', 'bytes=9-1', 'lines=1-2', 'bytes=a-b', 'bytes=-', '')
  )
  const request = fc.record({
    // By number, so that a counterexample stays readable.
    place: fc.nat(sources.length - 1),
    method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'OPTIONS', 'POST'),
    range: fc.option(range, { nil: undefined }),
    condition: fc.constantFrom('none', 'none', 'if-none-match', 'if-range', 'stale'),
    most: fc.option(fc.nat(LARGE_BYTES), { nil: undefined })
  })
  const counted = { content: 0, looks: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(request, async ({ place, method, range, condition, most }) => {
      const source = sources[place] as Source
      const etag = String(etags.get(source))
      const headers = {
        ...(range !== undefined && { range }),
        ...(condition === 'if-none-match' && { 'if-none-match': etag }),
        ...(condition === 'if-range' && { 'if-range': etag }),
        ...(condition === 'stale' && { 'if-none-match': '"old"', 'if-range': '"old"' })
      }
      const seen = await ask(x, source, method, headers, most)
      const wrong = wrongWith(seen, source, await x.auditEvents({ action: 'content.read' }))
      if (wrong !== undefined) throw new Error(`${wrong} (answer ${seen.status})`)
      if (seen.status >= 400) counted.refused += 1
      else if (seen.got.length > 0) counted.content += 1
      else counted.looks += 1
    }),
    { numRuns: RUNS }
  )
  t.comment(JSON.stringify(counted))
  t.ok(Math.min(...Object.values(counted)) > 0, 'content, looks and refusals were all tried')
  await assertSound(t, x, [MARKER])
})

t.test('readers that stall, half-close or ask again on one connection', async t => {
  const { x, sources } = await setUp(t, { stallSecondsMax: 1 })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  // More than the sockets between service and client can hold.
  const huge = text(24_000_000)
  const { id } = await uploadRecord(clinician, caseId, { files: [{ name: 'a.txt', bytes: huge }] })
  const source: Source = { who: 'clinician', path: `/v1/records/${id}/content`, original: huge }
  const check = async (what: string, seen: Seen, source: Source, outcome: string) => {
    const events = await x.auditEvents({ action: 'content.read' })
    t.equal(wrongWith(seen, source, events), undefined, what)
    const end = events.filter(event => event.details['requestId'] === seen.requestId).at(-1)
    t.equal(end?.outcome, outcome, `${what}: ${outcome}`)
  }

  const stalled = await x.raw('clinician', `GET ${source.path}`)
  const { status, headers } = await stalled.head()
  const requestId = String(headers['x-request-id'])
  await x.auditEvents()
  const late = await stalled.rest()
  t.ok(late.length < huge.length, 'a reader that stalls is cut')
  await check(
    'a stalled reader',
    { method: 'GET', status, requestId, headers, got: late, readToEnd: false },
    source,
    'aborted'
  )

  for (const source of sources.slice(0, 2)) {
    const before = (await x.auditEvents({ action: 'content.read' })).length
    const half = await x.raw(source.who, `GET ${source.path}`)
    half.socket.end()
    const head = await half.head()
    const got = await half.rest()
    const events = await eventually('its two events are on the log', async () => {
      const found = await x.auditEvents({ action: 'content.read' })
      return found.length === before + 2 ? found : undefined
    })
    const requestId = String(events.at(-1)?.details['requestId'])
    const seen = { method: 'GET', ...head, requestId, got, readToEnd: false, status: 200 }
    t.equal(wrongWith(seen, source, events), undefined, `half-closed, and got ${got.length} bytes`)
  }

  const spoilt = await x.raw('clinician', `GET ${source.path}`, { connection: 'keep-alive' })
  await spoilt.take(100_000)
  spoilt.socket.write('and this is not a request\r\n\r\n')
  const before = await spoilt.rest()
  t.ok(huge.subarray(0, before.length).equals(before), 'no answer is put among the content')
  const nonsense = await x.raw(undefined, 'this is not a request either')
  t.match(await nonsense.head(), {
    status: 400,
    headers: { 'content-type': 'application/problem+json' }
  })
  t.match(JSON.parse((await nonsense.rest()).toString()), { code: 'request-invalid' })

  const [, small] = sources
  if (small?.original === undefined) throw new Error('There is no small file.')
  const again = `GET ${small.path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${await clinician.token()}\r\nconnection: close\r\n\r\n`
  const path = `/v1/records/${id}/content`
  const two = await x.raw(
    'clinician',
    `GET ${path}`,
    { range: 'bytes=0-99', connection: 'keep-alive' },
    again
  )
  const body = (await two.rest()).toString('latin1')
  t.ok(body.startsWith(huge.subarray(0, 100).toString()), 'the first of two on one connection')
  t.match(body.slice(100), /^HTTP\/1\.1 40[34] /, 'the second is answered for itself')
  await assertSound(t, x, [MARKER])
})

t.test('many at once, each broken off somewhere else', async t => {
  const { x, sources } = await setUp(t)
  const jobs = Array.from({ length: 12 }, (_, i) => {
    const source = sources[i % sources.length] as Source
    const range = i % 2 === 0 ? { range: `bytes=${i * 1000}-` } : {}
    return { source, range, most: i % 3 === 0 ? undefined : i * 90_000 }
  })
  const seen = await Promise.all(
    jobs.map(({ source, range, most }) => ask(x, source, 'GET', range, most))
  )
  const events = await x.auditEvents({ action: 'content.read' })
  for (const [i, { source }] of jobs.entries()) {
    t.equal(wrongWith(seen[i] as Seen, source, events), undefined)
  }
  await assertSound(t, x, [MARKER])
})
