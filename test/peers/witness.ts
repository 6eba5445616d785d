import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { Test } from 'tap'
import { freePort } from '../helpers/free-port.ts'
import { goPeer } from './go.ts'

/** A running witness that knows one log, at size 0. */
export interface Witness {
  /** The submission prefix of C2SP tlog-witness: what `/add-checkpoint` is appended to. */
  url: string
  /** The name, key id and key of its cosignatures. */
  vkey: string
  stop: () => Promise<void>
}

const name = 'witness.example/w1'
// The agent's socket is named relative to the working directory: a socket's path may have only
// about 100 characters.
const socket = 'agent.sock'
const tries = 200
const tryEveryMs = 50

/**
 * Starts litewitness, of the Torchwood project, on 127.0.0.1 for the given log, whose origin is
 * the name of its key. It ends with the test. Where peers must be, a machine without Go or OpenSSH
 * fails the test; elsewhere the test says that it was skipped, and there is none.
 */
export async function startWitness(t: Test, logVkey: string): Promise<Witness | undefined> {
  const litewitness = goPeer(t, 'litewitness')
  if (litewitness === undefined) return undefined
  if (spawnSync('ssh-agent', ['-h']).error !== undefined) {
    const absent = 'litewitness needs ssh-agent'
    if (process.env.CI_SERVICES === 'required') t.fail(absent)
    else t.pass(`skipped: ${absent}`, { skip: absent })
    return undefined
  }

  // Not the test's own directory: whoever asks for that again, empties it.
  const directory = mkdtempSync(join(tmpdir(), 'witness-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const fingerprint = makeKey(directory)
  const agent = await startAgent(t, directory)
  const port = await freePort()
  const listen = `127.0.0.1:${port}`
  const args = ['-name', name, '-key', fingerprint, '-ssh-agent', socket, '-listen', listen]
  const witness = spawn(litewitness, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  const stop = async () => {
    await end(witness)
    await end(agent)
  }
  t.teardown(stop)

  const url = `http://${listen}`
  const vkey = await saidVkey(witness)
  await until(async () => (await fetch(url).catch(() => undefined))?.ok === true)
  knowLog(join(directory, 'litewitness.db'), logVkey)
  return { url, vkey, stop }
}

function makeKey(directory: string): string {
  run(directory, 'ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'witness', '-f', 'key'])
  const [, fingerprint] = run(directory, 'ssh-keygen', ['-l', '-f', 'key.pub']).split(' ')
  if (fingerprint === undefined) throw new Error('the key of the witness has no fingerprint')
  return fingerprint
}

/** Litewitness signs with a key that only an agent holds. */
async function startAgent(t: Test, directory: string): Promise<ChildProcess> {
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { cwd: directory, stdio: 'ignore' })
  // In case the witness never comes so far as to end it.
  t.teardown(() => end(agent))
  await until(async () => existsSync(join(directory, socket)))
  run(directory, 'ssh-add', ['-q', 'key'])
  return agent
}

/**
 * Adds the log to the witness's database, as its tool witnessctl does: it cannot be built here, for
 * it needs modules that no proxy serves. The witness reads the database at each request.
 */
function knowLog(path: string, vkey: string): void {
  const [origin] = vkey.split('+')
  const emptyRoot = createHash('sha256').digest('base64')
  const database = new Database(path)
  database.prepare('INSERT INTO log VALUES (?, 0, ?)').run(origin, emptyRoot)
  database.prepare('INSERT INTO key VALUES (?, ?)').run(origin, vkey)
  database.close()
}

/** What the witness says its key is. It is listened to ever after: a closed pipe would end it. */
async function saidVkey(witness: ChildProcess): Promise<string> {
  let said = ''
  witness.stderr?.on('data', text => {
    said += text
  })
  const vkey = () => /vkey="?([^"\s]+)/.exec(said)?.[1]
  await until(async () => vkey() !== undefined || witness.exitCode !== null)
  const key = vkey()
  if (key === undefined) throw new Error(`the witness did not start: ${said}`)
  return key
}

async function until(ready: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < tries; i++) {
    if (await ready()) return
    await pause(tryEveryMs)
  }
  throw new Error('the witness did not come up')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

function run(directory: string, command: string, args: string[]): string {
  const env = { ...process.env, SSH_AUTH_SOCK: socket }
  const done = spawnSync(command, args, { cwd: directory, env, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr}`)
  return done.stdout
}
