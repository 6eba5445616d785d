import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  createCase,
  eventually,
  numberedText,
  openShare,
  recordForm,
  sha256,
  sharedPath,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { startOnFreePort } from '../helpers/local-server.ts'

// The configuration of docs/deployment in a real nginx, in front of the real service.

const MIB = 1024 ** 2
const CONFIGURATION = new URL('../../docs/deployment/nginx.conf', import.meta.url)
const fixtures = new URL('../http/fixtures/', import.meta.url).pathname
const certificate = readFileSync(join(fixtures, 'localhost.crt'))

function hasNginx(t: Test): boolean {
  if (spawnSync('nginx', ['-v']).status === 0) return true
  if (process.env['CI_SERVICES'] === 'required') t.fail('nginx is not installed')
  else t.pass('through nginx', { skip: 'nginx is not installed' })
  return false
}

/** The published file, with the places of this test in it. */
function configurationFor(port: number, upstream: string): string {
  const { host } = new URL(upstream)
  return readFileSync(CONFIGURATION, 'utf8')
    .replaceAll(/consilium-[12]:3000/g, host)
    .replace('listen 443', `listen 127.0.0.1:${port}`)
    .replace('/etc/nginx/tls/cert.pem', join(fixtures, 'localhost.crt'))
    .replace('/etc/nginx/tls/key.pem', join(fixtures, 'localhost.key'))
}

async function startNginx(t: Test, exchange: TestExchange) {
  const place = join(exchange.directory, '..', 'nginx')
  mkdirSync(place, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const server = await startOnFreePort(
    port => {
      const places = temporary.map(name => `${name}_temp_path ${join(place, name)};`)
      writeFileSync(
        join(place, 'nginx.conf'),
        `pid ${join(place, 'pid')}; events {} http { access_log off; ${places.join(' ')}\n${configurationFor(port, exchange.url)} }`
      )
      const log = join(place, 'error.log')
      // One process, of this user.
      const args = ['-p', place, '-c', join(place, 'nginx.conf'), '-e', log]
      args.push('-g', 'daemon off; master_process off;')
      return { command: 'nginx', args, env: { PATH: process.env['PATH'] ?? '' }, cwd: place }
    },
    // In clear it refuses.
    { path: '/healthz', status: 400 }
  )
  t.teardown(() => server.stop())
  const filesKept = () =>
    temporary.flatMap(name => readdirSync(join(place, name), { recursive: true, encoding: 'utf8' }))
  return { port: Number(new URL(server.url).port), filesKept }
}

interface Sent {
  method?: string
  headers?: Record<string, string>
  /** Pieces of the body, as they are ready. */
  body?: AsyncIterable<Uint8Array>
  from?: string
}

function send(port: number, path: string, { method = 'GET', headers, body, from }: Sent) {
  return new Promise<{ status: number; bytes: Buffer; cut: boolean }>((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers,
      ca: certificate,
      servername: 'localhost',
      ...(from !== undefined && { localAddress: from })
    })
    asked.on('error', reject)
    asked.on('response', answer => {
      const pieces: Buffer[] = []
      const end = (cut: boolean) =>
        resolve({ status: answer.statusCode ?? 0, bytes: Buffer.concat(pieces), cut })
      answer.on('data', piece => pieces.push(piece))
      answer.on('error', () => end(true))
      answer.on('end', () => end(false))
    })
    void (async () => {
      for await (const piece of body ?? []) asked.write(piece)
      asked.end()
    })()
  })
}

const proxied = { env: { CONSILIUM_TRUSTED_PROXIES: '127.0.0.1' } }

async function bearer(exchange: TestExchange, who: 'clinician' | 'specialistGb') {
  return { authorization: `Bearer ${await exchange.client(who).token()}` }
}

t.test('an upload reaches the service while it is being sent, past the disk of nginx', async t => {
  if (!hasNginx(t)) return
  const exchange = await startExchange(t, proxied)
  const { port, filesKept } = await startNginx(t, exchange)
  const { id } = await createCase(exchange.client('clinician'))
  const file = numberedText(48 * MIB, 'scan.txt')
  const form = new Response(recordForm({ files: [file] }))
  const bytes = Buffer.from(await form.arrayBuffer())
  const half = bytes.length / 2
  async function* slowly() {
    yield bytes.subarray(0, half)
    const seen = () => (receivedBytes(exchange) > half / 2 ? true : undefined)
    await eventually('the service has some of it', seen)
    t.same(filesKept(), [], 'nginx keeps none')
    yield bytes.subarray(half)
  }
  const answer = await send(port, `/v1/cases/${id}/records`, {
    method: 'POST',
    headers: {
      ...(await bearer(exchange, 'clinician')),
      'content-type': form.headers.get('content-type') ?? ''
    },
    body: slowly()
  })
  t.equal(answer.status, 201, answer.bytes.toString())
  t.match(JSON.parse(answer.bytes.toString()), { objects: [{ sha256: sha256(file.bytes) }] })
  t.same(filesKept(), [])
})

/** What lies among the uploads under way. */
function receivedBytes({ directory }: TestExchange): number {
  const incoming = join(directory, 'objects', 'incoming')
  const sizes = readdirSync(incoming, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(join(entry.parentPath, entry.name)).length)
  return sizes.reduce((sum, size) => sum + size, 0)
}

t.test('a download streams through, whole and in ranges, and a withdrawal cuts it', async t => {
  if (!hasNginx(t)) return
  const exchange = await startExchange(t, proxied)
  const { port, filesKept } = await startNginx(t, exchange)
  const clinician = exchange.client('clinician')
  const { id } = await createCase(clinician)
  const file = numberedText(64 * MIB, 'scan.txt')
  const record = await uploadRecord(clinician, id, { files: [file] })
  const share = await shareRecords(exchange, id, [record.id])
  await openShare(exchange.client('specialistGb'), share.link)
  const path = sharedPath(share.id, record.id)
  const headers = await bearer(exchange, 'specialistGb')
  const whole = await send(port, path, { headers })
  t.equal(whole.status, 200)
  t.equal(sha256(whole.bytes), sha256(file.bytes))
  const part = await send(port, path, { headers: { ...headers, range: 'bytes=1000-1999' } })
  t.equal(part.status, 206)
  t.ok(part.bytes.equals(file.bytes.subarray(1000, 2000)))

  const cut = await new Promise<number>((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port,
      path,
      headers,
      ca: certificate,
      servername: 'localhost'
    })
    asked.on('error', reject)
    asked.on('response', answer => {
      let received = 0
      let isWithdrawn = false
      answer.on('data', piece => {
        received += piece.length
        // A slow line: the rest is still with the service when the share is withdrawn.
        if (received < MIB || isWithdrawn) return
        isWithdrawn = true
        answer.pause()
        void clinician
          .json('DELETE', `/v1/shares/${share.id}`)
          .then(() => pause(500))
          .then(() => answer.resume())
      })
      answer.on('error', () => resolve(received))
      answer.on('end', () => resolve(received))
    })
    asked.end()
  })
  t.ok(cut < file.bytes.length, `cut after ${Math.round(cut / MIB)} MiB`)
  t.same(filesKept(), [])
})

t.test('the log has the address that nginx saw, whatever the caller claims', async t => {
  if (!hasNginx(t)) return
  const exchange = await startExchange(t, proxied)
  const { port } = await startNginx(t, exchange)
  const { id } = await createCase(exchange.client('clinician'))
  const answer = await send(port, `/v1/cases/${id}`, {
    headers: { ...(await bearer(exchange, 'clinician')), 'x-forwarded-for': '203.0.113.9' },
    from: '127.0.0.2'
  })
  t.equal(answer.status, 200)
  const [read] = await exchange.auditEvents({ action: 'case.read' })
  t.match(read?.details, { address: '127.0.0.2', forwardedFor: '203.0.113.9, 127.0.0.2' })
  for (const path of ['/metrics', '/readyz']) t.equal((await send(port, path, {})).status, 404)
})
