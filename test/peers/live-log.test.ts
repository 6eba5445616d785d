import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { dataPaths } from '../../src/open-data.ts'
import { liveliness } from '../audit/scene.ts'
import { append, tamper } from '../audit/tree/scene.ts'
import { startExchange, type TestExchange } from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import { goPeer } from './go.ts'

// Somebody else's library verifies the log of the running service, with the verifier key alone.

const verifier = goPeer(t, 'verify-log')
if (verifier !== undefined) {
  t.test('a lively log is verified as it grows, and after a new key', t => verifies(t, verifier))
  t.test('a hand in the database is seen from outside', t => seesHand(t, verifier))
}

const published = async (exchange: TestExchange, path: string) => {
  const { status, text } = await exchange.client().send('GET', `/v1/audit/${path}`)
  if (status !== 200) throw new Error(`${path}: ${status}`)
  return text
}

async function verifies(t: Test, path: string): Promise<void> {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  await exchange.exchange.tree.settle()
  const [vkey = ''] = (await published(exchange, 'keys')).split('\n')
  const at = () => ['-url', `${exchange.url}/v1/audit`, '-vkey', vkey]

  // Given a checkpoint that somebody kept, and the proof of an event that matters to them.
  const old = saved(exchange, 'old', await published(exchange, 'checkpoint'))
  const [read] = await exchange.auditEvents({ action: 'content.read', caseId: first.caseId })
  const proof = saved(exchange, 'proof', await published(exchange, `events/${read?.id}/proof`))

  // When much happens after it, and the verifier looks while more does.
  await append(exchange.exchange, 700)
  await exchange.exchange.tree.settle()
  let lively = true
  const living = (async () => {
    while (lively) {
      await exchange.client('clinician').send('GET', '/v1/cases')
      await append(exchange.exchange, 20)
    }
  })()
  for (let look = 0; look < 3; look += 1) {
    const found = await verify(path, [...at(), '-old', old, '-proof', proof])
    t.match(found, { ok: true, proofs: 1 })
    t.equal(found.entries, found.size, `all ${found.size} entries are read`)
    t.ok(found.inclusion > 100 && found.consistency > 0)
  }
  lively = false
  await living
  const { size } = await exchange.exchange.tree.settle()
  t.match(await verify(path, [...at(), '-old', old]), { ok: true, size, entries: size })
  t.match(await verify(path, ['-vkey', vkey, '-proof', proof]), { ok: true, proofs: 1 })
  const event = String(read?.idx)
  t.match(await verify(path, [...at(), '-event', event]), { ok: true, inclusion: 1 })

  // When the key is rotated and the old one retired.
  const rotate = (...args: string[]) => runScript('rotate-log-key', exchange.settings, ...args)
  const second = (await rotate()).out
  await exchange.restart()
  await append(exchange.exchange, 1)
  await exchange.exchange.tree.settle()
  t.match(await verify(path, [...at(), '-old', old]), { ok: true }, 'the old key still verifies')
  t.match(await rotate('--retire'), { exit: 0 })
  await exchange.restart()
  await append(exchange.exchange, 1)
  await exchange.exchange.tree.settle()
  const both = [...at(), '-vkey', second]
  t.match(await verify(path, [...both, '-old', old, '-proof', proof]), { ok: true, proofs: 1 })
  t.match(await refusal(path, at()), /no verifiable signatures/, 'the retired key signs no more')
  t.same((await published(exchange, 'keys')).trimEnd().split('\n'), [vkey, second])
}

async function seesHand(t: Test, path: string): Promise<void> {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  await append(exchange.exchange, 300)
  await exchange.exchange.tree.settle()
  const [vkey = ''] = (await published(exchange, 'keys')).split('\n')
  const args = ['-url', `${exchange.url}/v1/audit`, '-vkey', vkey]
  const old = saved(exchange, 'old', await published(exchange, 'checkpoint'))
  t.match(await verify(path, [...args, '-old', old]), { ok: true })

  // Given a refusal that somebody made a success, in an entry long past.
  const { database } = dataPaths(exchange.directory)
  tamper(
    database,
    `UPDATE audit_events SET leaf = CAST(replace(CAST(leaf AS TEXT), 'refused', 'success') AS BLOB)
     WHERE idx = (SELECT min(idx) FROM audit_events WHERE outcome = 'refused')`
  )
  t.ok(await refusal(path, [...args, '-old', old]), 'the service may not notice; the verifier does')
}

function saved({ directory }: TestExchange, name: string, text: string): string {
  const path = join(directory, '..', name)
  writeFileSync(path, text)
  return path
}

interface Report {
  size: number
  entries: number
  inclusion: number
  consistency: number
  proofs: number
  ok: boolean
}

/** What the verifier reports; throws when it refuses. */
async function verify(path: string, args: string[]): Promise<Report> {
  const { stdout } = await promisify(execFile)(path, args)
  return JSON.parse(stdout) as Report
}

/** Why the verifier refuses; throws when it does not. */
async function refusal(path: string, args: string[]): Promise<string> {
  const ended = await promisify(execFile)(path, args).catch(err => err)
  if (ended.code !== 1 || ended.stdout !== '') throw new Error(`not refused: ${args.join(' ')}`)
  return String(ended.stderr)
}
