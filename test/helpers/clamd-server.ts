import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import tap, { type Test } from 'tap'
import { askClamd } from '../../src/records/scan/clamd.ts'

/**
 * The test file that every scanner knows (eicar.org), put together only here, so that no scanner
 * takes this file for it. It is harmless: 68 bytes of text.
 */
export const EICAR = Buffer.from(
  ['X5O!P%@AP[4\\PZX54(P^)7CC)7}', '$EICAR-STANDARD-', 'ANTIVIRUS-TEST-FILE!$H+H*'].join('')
)

/** A mark that our own database knows wherever it stands in a file. */
export const MARKED = Buffer.from('consilium-test-signature-0e1f7c55a9d2')

/** ClamAV's daemon with a database of our own: two signatures, and nothing to download. */
export interface ClamdServer {
  /** As CONSILIUM_CLAMD names it. */
  address: string
  /** By TCP, on 127.0.0.1. */
  start(): Promise<void>
  /** Ends it at once; `start` begins again at the same address. */
  kill(): Promise<void>
}

const START_TRIES = 600
const TRY_EVERY_MILLISECONDS = 50

/** Where Debian's package has it, which need not be on the PATH of a user. */
function findClamd(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return folders.map(folder => join(folder, 'clamd')).find(path => existsSync(path))
}

/**
 * A clamd for this test on a unix socket. Where services must be, a machine without it fails the
 * test; elsewhere the test says that it was skipped, and there is none.
 */
export async function clamdServer(t: Test, more: string[] = []): Promise<ClamdServer | undefined> {
  const program = findClamd()
  if (program === undefined) {
    const absent = 'clamd (Debian: clamav-daemon) is not installed'
    if (process.env.CI_SERVICES === 'required') t.fail(absent)
    else t.pass(`skipped: ${absent}`, { skip: absent })
    return undefined
  }
  const server = clamdOf(program, more)
  // Not of the test: a service of it that stops later may still be talking to its scanner.
  tap.teardown(() => server.remove())
  await server.start()
  return server
}

function clamdOf(program: string, more: string[]): ClamdServer & { remove(): Promise<void> } {
  // Short: the path of a socket has a hundred characters at most.
  const directory = mkdtempSync(join(tmpdir(), 'clamd-'))
  const address = join(directory, 'socket')
  writeDatabase(join(directory, 'database'))
  mkdirSync(join(directory, 'tmp'))
  const config = join(directory, 'clamd.conf')
  const settings = [
    `DatabaseDirectory ${join(directory, 'database')}`,
    `TemporaryDirectory ${join(directory, 'tmp')}`,
    `LocalSocket ${address}`,
    `User ${userInfo().username}`,
    'Foreground yes',
    ...(more.some(line => line.startsWith('StreamMaxLength')) ? [] : ['StreamMaxLength 2000M']),
    ...(more.some(line => line.startsWith('MaxScanSize')) ? [] : ['MaxScanSize 2000M']),
    ...(more.some(line => line.startsWith('MaxFileSize')) ? [] : ['MaxFileSize 2000M']),
    'AlertExceedsMax yes',
    ...more
  ]
  writeFileSync(config, `${settings.join('\n')}\n`)
  let child: ChildProcess | undefined

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
    rmSync(address, { force: true })
  }
  return {
    address,
    async start() {
      const started = spawn(program, ['-c', config], { stdio: 'ignore' })
      child = started
      for (let n = 0; n < START_TRIES && started.exitCode === null; n += 1) {
        const pong = await askClamd({ path: address }, 'PING').catch(() => undefined)
        if (pong === 'PONG') return
        await pause(TRY_EVERY_MILLISECONDS)
      }
      throw new Error('clamd does not start.')
    },
    kill,
    async remove() {
      await kill()
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** Extended signatures: name, any type of file, anywhere in it, the bytes in hex. */
function writeDatabase(directory: string): void {
  mkdirSync(directory)
  const line = (name: string, bytes: Buffer) => `${name}:0:*:${bytes.toString('hex')}`
  const lines = [line('Test.EICAR', EICAR), line('Test.Marked', MARKED)]
  writeFileSync(join(directory, 'local.ndb'), `${lines.join('\n')}\n`)
}
