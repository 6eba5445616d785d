import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { type Checkpoint, parseCheckpoint } from '../../src/audit/tlog/checkpoint.ts'
import { parseNote } from '../../src/audit/tlog/note.ts'
import { leafHash } from '../../src/audit/tlog/tree.ts'
import { goPeer } from './go.ts'
import { type StaticLog, serveFiles, staticLog } from './static-log.ts'

// Go's own library reads what our code writes, and sees every byte that is not as it was signed.

interface Report {
  size: number
  root: string
  entries: number
  inclusion: number
  consistency: number
  proofs: number
  ok: boolean
}

const origin = 'exchange.example/v1/audit'
const verifier = goPeer(t, 'verify-log')
if (verifier !== undefined) {
  t.test('logs of every shape are verified', t => verifiesLogs(t, verifier))
  t.test('a log of 70,000 entries is verified with its past', t => verifiesGrowth(t, verifier))
  t.test('a proof file is verified offline', t => verifiesOffline(t, verifier))
  t.test('a changed byte is seen', t => seesChanges(t, verifier))
  t.test('a signed lie is seen', t => seesLies(t, verifier))
  t.test('another history is seen', t => seesFork(t, verifier))
}

async function verifiesLogs(t: Test, path: string): Promise<void> {
  for (const size of [0, 1, 2, 255, 256, 257, 513]) {
    const { log, url } = await servedLog(t, size)
    const found = await verify(path, ['-url', url, '-vkey', log.vkey])
    t.match(found, { size, entries: size, root: rootOf(log), ok: true }, `size ${size}`)
    t.equal(found.inclusion, size, 'every entry is proven')
    if (size > 0) t.ok(found.consistency > 0, 'and earlier sizes')
  }
}

async function verifiesGrowth(t: Test, path: string): Promise<void> {
  // Given checkpoints of sizes whose partial tiles are full by the end.
  const directory = t.testdir()
  const { log, url } = await servedLog(t, 300)
  const old = saved(directory, 'old', log.checkpoint())
  log.growTo(69_990)
  const proof = saved(directory, 'proof', await log.prove(12_345))
  log.growTo(70_000)
  const args = ['-url', url, '-vkey', log.vkey, '-old', old, '-proof', proof]

  const found = await verify(path, args)
  t.match(found, { size: 70_000, entries: 70_000, proofs: 1, root: rootOf(log), ok: true })
  t.ok(found.inclusion > 1000, 'entries from all over it are proven')

  // Given that the log no longer keeps the partial tiles that have become full ones.
  for (const tile of ['tile/0/001.p/44', 'tile/1/000.p/1', 'tile/entries/001.p/44']) {
    t.ok(log.files.delete(tile), tile)
  }
  const events = ['-event', '0,255,256,65535,65536,69999']
  t.match(await verify(path, [...args, ...events]), { inclusion: 6, ok: true })
  t.match(await refusal(path, [...args, '-event', '70000']), /no entry 70000/)

  // Given a wrong tile that no proof asked for needs.
  log.files.set('tile/0/100', log.files.get('tile/0/101') ?? Buffer.alloc(0))
  t.match(await refusal(path, [...args, '-event', '0']), /tile\/0\/100: not the hashes/)
}

async function verifiesOffline(t: Test, path: string): Promise<void> {
  const directory = t.testdir()
  const log = staticLog(origin)
  log.growTo(300)
  const text = await log.prove(7)
  const proof = saved(directory, 'proof', text)
  t.match(await verify(path, ['-vkey', log.vkey, '-proof', proof]), {
    size: 300,
    root: rootOf(log),
    proofs: 1,
    ok: true
  })

  const changes: Array<[string, string]> = [
    ['another index', text.replace('index 7', 'index 6')],
    ['another entry', text.replace(/^extra .*$/m, `extra ${btoa('{"entry":8}')}`)],
    ['no entry', text.replace(/^extra .*\n/m, '')],
    ['one hash less', text.replace(/^(index 7\n)[^\n]+\n/m, '$1')],
    ['another checkpoint', text.replace('\n300\n', '\n301\n')]
  ]
  for (const [name, changed] of changes) {
    t.not(changed, text, name)
    const file = saved(directory, 'proof', changed)
    t.ok(await refusal(path, ['-vkey', log.vkey, '-proof', file]), `${name} is refused`)
  }
  const stranger = ['-vkey', staticLog(origin).vkey, '-proof', proof]
  t.match(await refusal(path, stranger), /no verifiable signatures/)
}

async function seesChanges(t: Test, path: string): Promise<void> {
  const { log, url } = await servedLog(t, 257)
  const args = ['-url', url, '-vkey', log.vkey]
  t.same([...log.files.keys()].sort(), [
    'checkpoint',
    'tile/0/000',
    'tile/0/001.p/1',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/entries/001.p/1'
  ])
  for (const [name, content] of [...log.files]) {
    // When one bit in the middle of the file is another.
    const changed = Buffer.from(content)
    const middle = changed.byteLength >> 1
    changed.writeUInt8(changed.readUInt8(middle) ^ 1, middle)
    log.files.set(name, changed)
    t.ok(await refusal(path, args), `a bit of ${name}`)
    // When the file ends early, is longer, or is not there.
    log.files.set(name, content.subarray(0, -1))
    t.ok(await refusal(path, args), `less of ${name}`)
    log.files.set(name, Buffer.concat([content, Buffer.of(0)]))
    t.ok(await refusal(path, args), `more of ${name}`)
    log.files.delete(name)
    t.match(await refusal(path, args), /status 404/, `no ${name}`)
    log.files.set(name, content)
  }
  t.match(await verify(path, args), { ok: true }, 'all is as it was')
}

async function seesLies(t: Test, path: string): Promise<void> {
  // Given the log's own signature under what its entries do not make.
  const { log, url } = await servedLog(t, 257)
  const { root } = parseCheckpoint(parseNote(log.checkpoint()).text)
  const lies: Array<[string, Checkpoint, RegExp]> = [
    ['another root', { origin, size: 257, root: leafHash(root) }, /do not make the signed root/],
    ['a smaller tree', { origin, size: 256, root }, /do not make the signed root/],
    ['a larger tree', { origin, size: 258, root }, /status 404/],
    ['another log', { origin: `${origin}2`, size: 257, root }, /origin/]
  ]
  for (const [name, lie, reason] of lies) {
    log.files.set('checkpoint', Buffer.from(log.sign(lie)))
    t.match(await refusal(path, ['-url', url, '-vkey', log.vkey]), reason, name)
  }
}

async function seesFork(t: Test, path: string): Promise<void> {
  // Given two histories under one key.
  const directory = t.testdir()
  const { log, url } = await servedLog(t, 300)
  const fork = staticLog(origin, ',"fork":true')
  fork.growTo(200)
  const old = saved(directory, 'old', fork.checkpoint())
  const proof = saved(directory, 'proof', await fork.prove(7))
  const args = ['-url', url, '-vkey', log.vkey, '-vkey', fork.vkey]
  t.match(await refusal(path, [...args, '-old', old]), /another history/)
  t.match(await refusal(path, [...args, '-proof', proof]), /another history/)
  fork.growTo(301)
  const later = saved(directory, 'old', fork.checkpoint())
  t.match(await refusal(path, [...args, '-old', later]), /larger than the log/)
}

async function servedLog(t: Test, size: number): Promise<{ log: StaticLog; url: string }> {
  const log = staticLog(origin)
  log.growTo(size)
  return { log, url: await serveFiles(t, log.files) }
}

function rootOf(log: StaticLog): string | undefined {
  return log.checkpoint().split('\n')[2]
}

function saved(directory: string, name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

/** What the verifier reports; throws when it refuses. */
async function verify(path: string, args: string[]): Promise<Report> {
  const { stdout } = await promisify(execFile)(path, args)
  return JSON.parse(stdout) as Report
}

/** Why the verifier refuses; throws when it does not, or ends in any other way. */
async function refusal(path: string, args: string[]): Promise<string> {
  const ended = promisify(execFile)(path, args)
  const refused: unknown = await ended.then(
    () => undefined,
    error => error
  )
  const { code, stdout, stderr } = Object(refused) as { [name: string]: unknown }
  if (code !== 1 || stdout !== '') throw new Error(`not refused: ${args.join(' ')}`)
  return String(stderr)
}
