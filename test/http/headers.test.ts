import { once } from 'node:events'
import { chmodSync, copyFileSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { startExchange } from '../helpers/exchange.ts'

const fixture = (name: string) => join(import.meta.dirname, 'fixtures', name)
const ca = readFileSync(fixture('localhost.crt'))

const everywhere = [
  '/healthz',
  '/i',
  '/v1/cases',
  '/nowhere',
  '/openapi.json',
  '/docs/static/index.html'
]

t.test('every answer carries the headers that make a browser careful', async t => {
  const exchange = await startExchange(t)
  for (const path of everywhere) {
    const { headers } = await exchange.client().send('GET', path)
    t.equal(headers.get('x-content-type-options'), 'nosniff', path)
    t.match(headers.get('content-security-policy'), /default-src '(none|self)'/, path)
    t.match(headers.get('content-security-policy'), /frame-ancestors|object-src 'none'/, path)
    // Browsers would hide from us too where the forms of pages come from.
    const referrer = ['/i', '/s'].includes(path) ? 'same-origin' : 'no-referrer'
    t.equal(headers.get('referrer-policy'), referrer, path)
    t.equal(headers.get('access-control-allow-origin'), null, `${path}: no other origin reads it`)
    t.equal(headers.get('server'), null)
    t.equal(headers.get('x-powered-by'), null)
    t.equal(headers.get('strict-transport-security'), null, 'in clear it would mean nothing')
  }
  const { headers } = await exchange.client('clinician').send('GET', '/v1/cases')
  t.equal(headers.get('cache-control'), 'no-store')
})

t.test('every answer has an id of its own, never one the caller chose', async t => {
  const exchange = await startExchange(t)
  const ids = new Set<string | null>()
  for (let i = 0; i < 20; i += 1) {
    const chosen = { 'x-request-id': 'chosen', 'request-id': 'chosen' }
    const { headers } = await exchange.client().send('GET', '/healthz', undefined, chosen)
    ids.add(headers.get('x-request-id'))
  }
  t.equal(ids.size, 20)
  t.notOk(ids.has('chosen') || ids.has(null))
})

t.test('with a certificate it speaks TLS 1.3 and nothing older, and never in clear', async t => {
  const key = join(t.testdir(), 'tls.key')
  copyFileSync(fixture('localhost.key'), key)
  chmodSync(key, 0o600)
  await t.test('once started', t => speaksTls(t, key))
})

async function speaksTls(t: Test, key: string): Promise<void> {
  const exchange = await startExchange(t, {
    env: {
      CONSILIUM_TLS_CERT: fixture('localhost.crt'),
      CONSILIUM_TLS_KEY: key,
      CONSILIUM_URL: 'https://localhost:3443'
    }
  })
  const { port } = new URL(exchange.url)
  const secure = { host: 'localhost', port: Number(port), ca }

  const [answer] = await once(request({ ...secure, path: '/healthz' }).end(), 'response')
  answer.resume()
  t.equal(answer.statusCode, 200)
  t.match(answer.headers['strict-transport-security'], /max-age=31536000/)
  t.equal(answer.socket.getProtocol(), 'TLSv1.3')

  for (const version of ['TLSv1.2', 'TLSv1.1'] as const) {
    const socket = connect({ ...secure, minVersion: version, maxVersion: version })
    const outcome = await once(socket, 'secureConnect').then(
      () => 'connected',
      () => 'refused'
    )
    socket.destroy()
    t.equal(outcome, 'refused', version)
  }
  await t.rejects(fetch(`http://localhost:${port}/healthz`), 'in clear there is nothing')
}

t.test('behind a proxy that has TLS browsers are told to stay with it', async t => {
  const exchange = await startExchange(t, {
    env: { CONSILIUM_URL: 'https://records.example.org', CONSILIUM_TRUSTED_PROXIES: '127.0.0.1' }
  })
  const { headers } = await exchange.client().send('GET', '/healthz')
  t.match(headers.get('strict-transport-security'), /max-age=31536000/)
})
