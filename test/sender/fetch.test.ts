import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { numberedText, shareRecords } from '../helpers/exchange.ts'
import { faultProxy } from '../helpers/fault-proxy.ts'
import { fill, readJson, type Stage, setStage, sha256, studies } from './scene.ts'

/** A study and a letter, sent and shared. Resolves to the link, its share and the digests. */
async function shared(stage: Stage, terms: { openingsMax?: number } = {}) {
  const files = { ...studies(1, 5), 'letter.txt': numberedText(300_000).bytes }
  const sent = await stage.send(fill(stage.path('out'), files), ['--parallel', '1'])
  if (sent.exit !== 0) throw new Error(sent.err)
  const ids = (await stage.records()).map(({ id }) => id)
  const share = await shareRecords(stage.exchange, stage.caseId, ids, terms)
  return { ...share, digests: Object.values(files).map(sha256).sort() }
}

const filesBelow = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name !== 'manifest.json')
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
const digestsBelow = (directory: string) =>
  filesBelow(directory)
    .map(path => sha256(readFileSync(path)))
    .sort()

t.test('an opening whose answer was lost is not made a second time', async t => {
  const stage = await setStage(t)
  const { link, digests } = await shared(stage, { openingsMax: 1 })
  const proxy = await faultProxy(t, stage.exchange.url)
  proxy.fail(({ url }) => url === '/v1/links/open', { loseAnswer: true })
  const to = stage.path('in')
  const { result: ran, events } = await stage.exchange.eventsOf(() =>
    stage.fetch(['--link', link, to], 'specialistGb', proxy.url)
  )
  t.equal(ran.exit, 0, ran.err)
  t.same(digestsBelow(to), digests)
  t.equal(events.filter(({ action }) => action === 'link.open').length, 1)
})

t.test('a share is fetched whole, verified, and fetched again without an opening', async t => {
  const stage = await setStage(t)
  const { link, id, digests } = await shared(stage)
  const to = stage.path('in')
  const ran = await stage.fetch(['--link', link, to])
  t.equal(ran.exit, 0, ran.err)
  t.match(ran.out, /verified +6 files/)
  t.same(digestsBelow(to), digests)
  t.same(readdirSync(to).sort(), ['01-other', '02-scan', 'manifest.json'].sort())
  t.same(
    readdirSync(join(to, '02-scan')),
    [1, 2, 3, 4, 5].map(n => `000${n}.dcm`)
  )
  t.equal(statSync(join(to, 'manifest.json')).mode & 0o777, 0o600)
  t.same(
    readJson(join(to, 'manifest.json')).files.map((file: { outcome: string }) => file.outcome),
    Array(6).fill('verified')
  )
  const { result: again, events } = await stage.exchange.eventsOf(() =>
    stage.fetch(['--link', link, to])
  )
  t.equal(again.exit, 0)
  t.match(again.out, /of them before +6 files/)
  t.same(
    events.filter(({ action }) => ['link.open', 'content.read'].includes(action)),
    [],
    'nothing is opened or disclosed again'
  )
  t.notOk((ran.out + ran.err).includes(link.split('#')[1] ?? '?'), 'the link is not shown')

  const byShare = await stage.fetch(['--share', id, stage.path('by-share')])
  t.equal(byShare.exit, 0, byShare.err)
})

t.test('a broken line goes on where it broke, and other files are not overwritten', async t => {
  const stage = await setStage(t)
  const { link, digests } = await shared(stage)
  const proxy = await faultProxy(t, stage.exchange.url)
  const isContent = ({ url }: { url: string }) => url.endsWith('/content')
  proxy.fail(isContent, { cutDownAfter: 1000 }, 3)
  const to = stage.path('in')
  const ran = await stage.fetch(['--link', link, to], 'specialistGb', proxy.url)
  t.equal(ran.exit, 0, ran.err)
  t.equal(proxy.struck(), 3)
  t.ok(proxy.requests.some(({ headers }) => headers.range !== undefined))
  t.same(digestsBelow(to), digests)

  const another = stage.path('taken')
  mkdirSync(join(another, '02-scan'), { recursive: true })
  writeFileSync(join(another, '02-scan/0003.dcm'), 'mine')
  const taken = await stage.fetch(['--link', link, another])
  t.equal(taken.exit, 1)
  t.match(taken.out, /name-taken/)
  t.equal(readFileSync(join(another, '02-scan/0003.dcm'), 'utf8'), 'mine')
})

t.test('what a run that was killed left is gone on with, and never trusted', async t => {
  const stage = await setStage(t)
  const { link, digests } = await shared(stage)
  const to = stage.path('in')
  const whole = numberedText(300_000).bytes
  const begun = join(to, '01-other/0001.txt.part')
  mkdirSync(join(to, '01-other'), { recursive: true })
  writeFileSync(begun, whole.subarray(0, 200_000))
  const proxy = await faultProxy(t, stage.exchange.url)
  const ran = await stage.fetch(['--link', link, to], 'specialistGb', proxy.url)
  t.equal(ran.exit, 0, ran.err)
  const ranges = () => proxy.requests.flatMap(({ headers }) => headers.range ?? [])
  t.same(ranges(), ['bytes=200000-'])
  t.same(digestsBelow(to), digests)

  rmSync(join(to, '01-other/0001.txt'))
  writeFileSync(begun, Buffer.alloc(200_000, 'x'))
  const other = await stage.fetch(['--link', '-', to], 'specialistGb', proxy.url, link)
  t.equal(other.exit, 0, other.err)
  t.same(digestsBelow(to), digests, 'what was not of this file is got anew')

  writeFileSync(join(to, '.consilium-fetch.lock'), `${process.ppid} ${hostname()}\n`)
  const second = await stage.fetch(['--link', link, to])
  t.match(second, { exit: 2, err: /Another run is under way/ })
})

t.test('who may not fetch, and what is no link', async t => {
  const stage = await setStage(t)
  const { link, id } = await shared(stage)
  const to = stage.path('in')
  t.match(await stage.fetch(['--link', link, to], 'stranger'), { exit: 4, err: /share-not-found/ })
  t.match(await stage.fetch(['--link', link, to], 'clinician'), { exit: 4, err: /role-refused/ })
  t.match(await stage.fetch(['--share', id, to]), { exit: 4, err: /share-not-opened/ })
  t.match(await stage.fetch(['--link', 'nonsense', to]), { exit: 2, err: /not a whole link/ })
  t.match(await stage.fetch([to]), { exit: 2, err: /either --link or --share/ })
  await stage.exchange.client('clinician').json('DELETE', `/v1/shares/${id}`)
  t.match(await stage.fetch(['--link', link, to]), { exit: 4, err: /share-revoked/ })
  t.notOk(existsSync(to))
})

/** A service that was taken over: it answers as it is told. */
async function hostileService(
  t: Parameters<typeof setStage>[0],
  body: string | Buffer,
  change = {}
) {
  const id = '01a206e1-c734-7000-9881-0e47222a5713'
  const object = {
    id,
    fileName: '../../../etc/passwd',
    type: 'text/plain',
    endToEnd: false,
    bytes: 11,
    sha256: sha256('hello world'),
    ...change
  }
  const record = { id, kind: 'con', title: '../..', date: '2026-01-01', objects: [object] }
  const at = '2027-01-01T00:00:00Z'
  const from = { organisation: 'x', clinician: 'y' }
  const share = { id, from, expiresAt: at, openUntil: at, records: [record] }
  const server = createServer((request, response) => {
    request.resume()
    if (request.url === '/oidc/token') {
      response.end(JSON.stringify({ access_token: 'x', expires_in: 300 }))
    } else if (request.url?.endsWith('/content')) {
      response.write(body)
      if (body !== 'endless') response.end()
      else {
        const more = setInterval(() => response.write(Buffer.alloc(65_536)), 1)
        response.on('close', () => clearInterval(more))
      }
    } else response.end(change === 'html' ? '<html>Sign in</html>' : JSON.stringify(share))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, id }
}

t.test('what a hostile service answers harms nobody', async t => {
  const stage = await setStage(t)
  const fetchFrom = async (body: string, change?: object | string) => {
    const { url, id } = await hostileService(t, body, change as object)
    const to = stage.path(`in-${Math.random()}`)
    return { to, ran: await stage.fetch(['--share', id, to], 'specialistGb', url) }
  }
  const good = await fetchFrom('hello world')
  t.equal(good.ran.exit, 0, good.ran.err)
  t.same(filesBelow(good.to), [join(good.to, '01-other/0001.txt')], 'its names go nowhere')

  const wrong = await fetchFrom('hello worlD')
  t.match(wrong.ran, { exit: 1, out: /not-as-announced/ })
  t.same(filesBelow(wrong.to), [], 'and nothing is left of it')

  const endless = await fetchFrom('endless')
  t.match(endless.ran, { exit: 1, out: /longer than announced/ })
  t.same(filesBelow(endless.to), [])

  t.match((await fetchFrom('x', 'html')).ran, { exit: 3, err: /not this service/ })
  t.match((await fetchFrom('x', { sha256: 'zz' })).ran, { exit: 3, err: /not this service/ })
  t.match((await fetchFrom('x', { bytes: -1 })).ran, { exit: 3 })
})
