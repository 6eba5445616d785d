import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { patiently } from '../../src/sender/patience.ts'
import { Refused } from '../../src/sender/problem.ts'
import { openSession } from '../../src/sender/session.ts'
import {
  commonArgs,
  fill,
  readJson,
  type Stage,
  setStage,
  startConsilium,
  studies
} from './scene.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const fixture = (name: string) => join(ROOT, 'test/http/fixtures', name)

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** The service behind TLS, with a certificate that only its own authority vouches for. */
async function behindTls(t: Test, target: string): Promise<string> {
  const { hostname, port } = new URL(target)
  const tls = {
    key: readFileSync(fixture('localhost.key')),
    cert: readFileSync(fixture('localhost.crt'))
  }
  const server = createTlsServer(tls, (from, to) => {
    const { method, url: path, headers } = from
    const inner = request({ hostname, port, method, path, headers, agent: false }, answer => {
      to.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(to)
    })
    inner.on('error', () => to.destroy())
    from.pipe(inner)
  })
  t.teardown(() => server.closeAllConnections())
  return `https://localhost:${await listen(t, server)}`
}

/** A proxy as hospitals have: CONNECT for https, whole addresses for http. */
async function hospitalProxy(t: Test) {
  const asked: string[] = []
  const server = createServer((from: IncomingMessage, to) => {
    asked.push(`${from.method} ${from.url}`)
    const { method, headers } = from
    const inner = request(String(from.url), { method, headers, agent: false }, answer => {
      to.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(to)
    })
    inner.on('error', () => to.destroy())
    from.pipe(inner)
  })
  server.on('connect', (from, socket, head) => {
    asked.push(`CONNECT ${from.url}`)
    const port = Number(String(from.url).split(':').at(-1))
    const inner = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      inner.write(head)
      inner.pipe(socket)
      socket.pipe(inner)
    })
    for (const end of [inner, socket]) end.on('error', () => end.destroy())
  })
  t.teardown(() => server.closeAllConnections())
  return { url: `http://127.0.0.1:${await listen(t, server)}`, asked }
}

const sendArgs = (stage: Stage, url: string, folder: string) => [
  'send',
  ...commonArgs(stage.keyFile('clinician'), url),
  '--case',
  stage.caseId,
  folder
]

/** A form, and a record that goes by tus. */
const bothWays = () => ({
  ...studies(1, 3),
  'large.txt': Buffer.alloc(17 * 1024 ** 2, 'a line of a text\n')
})

t.test('a proxy from the environment, an authority of one’s own, and neither', async t => {
  const stage = await setStage(t)
  const url = await behindTls(t, stage.exchange.url)
  const proxy = await hospitalProxy(t)
  const folder = fill(stage.path('out'), bothWays())

  const untrusted = await startConsilium(sendArgs(stage, url, folder)).ended
  t.match(untrusted, { exit: 3, err: /certificate .* NODE_EXTRA_CA_CERTS/ })
  const env = { NODE_EXTRA_CA_CERTS: fixture('localhost.crt'), HTTPS_PROXY: proxy.url }
  const ran = await startConsilium(sendArgs(stage, url, folder), env).ended
  t.equal(ran.exit, 0, ran.err)
  t.ok(proxy.asked.length > 0 && proxy.asked.every(line => line.startsWith('CONNECT localhost:')))
  t.equal((await stage.records()).length, 2)

  const count = proxy.asked.length
  const more = fill(stage.path('more'), studies(2, 2))
  const direct = await startConsilium(sendArgs(stage, url, more), {
    ...env,
    NO_PROXY: 'localhost'
  }).ended
  t.equal(direct.exit, 0, direct.err)
  t.equal(proxy.asked.length, count, 'NO_PROXY is kept to')
})

t.test('packed, and installed below node_modules as npx does it, it runs as well', async t => {
  const stage = await setStage(t)
  const modules = stage.path('elsewhere/node_modules')
  mkdirSync(join(modules, 'consilium'), { recursive: true })
  const to = ['--pack-destination', modules]
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', ...to], { cwd: ROOT })
  const packed = readdirSync(modules).find(name => name.endsWith('.tgz')) ?? ''
  execFileSync('tar', ['-xzf', packed, '--strip-components=1', '-C', 'consilium'], { cwd: modules })
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name.startsWith('.')) continue
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  const folder = fill(stage.path('out'), studies(1, 2))
  const { bin: bins } = readJson(join(modules, 'consilium/package.json'))
  const bin = join(modules, 'consilium', bins.consilium)
  const ran = await startConsilium(sendArgs(stage, stage.exchange.url, folder), {}, bin).ended
  t.equal(ran.exit, 0, ran.err)
  t.equal((await stage.records()).length, 1)
})

t.test('tokens are asked for anew before they end, and once for all who wait', async t => {
  let given = 0
  const sent: string[] = []
  const server = createServer((from, to) => {
    from.resume()
    if (from.url === '/oidc/token') {
      given += 1
      to.end(JSON.stringify({ access_token: `token-${given}`, expires_in: 1 }))
    } else {
      sent.push(String(from.headers.authorization))
      to.end('{}')
    }
  })
  t.teardown(() => server.closeAllConnections())
  const url = new URL(`http://127.0.0.1:${await listen(t, server)}`)
  const stage = await setStage(t)
  const session = openSession({
    url,
    knownAs: url,
    key: { ...stage.exchange.people.clinician.key },
    control: new AbortController(),
    patienceMilliseconds: 0,
    onWait: () => {}
  })
  await Promise.all([1, 2, 3].map(() => session.ask('GET', '/')))
  t.same(new Set(sent), new Set(['Bearer token-1']))
  await new Promise(resolve => setTimeout(resolve, 800))
  await session.ask('GET', '/')
  t.equal(sent.at(-1), 'Bearer token-2')
})

t.test('a service that asks for no wait at all is not asked without end', async t => {
  let asked = 0
  const patience = { patienceMilliseconds: 1000, onWait: () => {} }
  const trying = patiently({ ...patience, signal: new AbortController().signal }, async () => {
    asked += 1
    throw new Refused(503, '{"code":"service-stopping"}', '0')
  })
  await t.rejects(trying, { message: /goes on where it stopped/ })
  t.ok(asked < 5, `${asked} times`)
})
