import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Client } from 'pg'
import { freePort } from './free-port.ts'

/** A PostgreSQL server of its own, on 127.0.0.1 and in a temporary directory, with fsync on. */
export interface PostgresServer {
  /** The address of its database `postgres` for its superuser. */
  readonly url: string
  /** Makes an empty database. */
  makeDatabase(name: string): Promise<void>
  /** Starts it again on the same data and address. */
  start(): Promise<void>
  /** Ends it as a power cut would end it: at once. */
  kill(): Promise<void>
  /** Ends it, and removes its data. */
  remove(): Promise<void>
  /** The same without waiting, for a process that is about to exit. */
  abandon(): void
}

const START_MILLISECONDS_MAX = 30_000

/** Where the programs of PostgreSQL 15 or later are; undefined when it is not installed. */
export function findPostgres(): string | undefined {
  const packaged = '/usr/lib/postgresql'
  const versions = existsSync(packaged) ? readdirSync(packaged) : []
  const folders = versions
    .filter(version => Number(version) >= 15)
    .sort((a, b) => Number(b) - Number(a))
    .map(version => join(packaged, version, 'bin'))
  const all = [...folders, ...(process.env.PATH ?? '').split(delimiter)]
  return all.find(folder => existsSync(join(folder, 'initdb')))
}

/** Makes and starts a server. Throws when PostgreSQL is not installed or does not start. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const programs = findPostgres()
  if (programs === undefined) throw new Error('PostgreSQL 15 or later is not installed.')
  const user = ownUser()
  const directory = mkdtempSync(join(tmpdir(), 'consilium-postgres-'))
  const password = randomBytes(12).toString('hex')
  const secret = join(directory, 'password')
  writeFileSync(secret, password)
  for (const path of [directory, secret]) if (user) chownSync(path, user.uid, user.gid)
  const data = join(directory, 'data')
  const init = ['-D', data, '-U', 'admin', '-A', 'scram-sha-256', `--pwfile=${secret}`]
  const how = ['-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions']
  execFileSync(join(programs, 'initdb'), [...init, ...how], {
    ...user,
    cwd: directory,
    stdio: 'pipe'
  })
  const port = await freePort()
  const url = `postgres://admin:${password}@127.0.0.1:${port}/postgres`
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
    fsync: 'on',
    // Of the hundreds of databases of a run none lives long enough to want cleaning, or a copy elsewhere.
    autovacuum: 'off',
    wal_level: 'minimal',
    max_wal_senders: 0,
    log_min_messages: 'fatal'
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let server: ChildProcess | undefined

  async function start(): Promise<void> {
    const started = spawn(join(programs ?? '', 'postgres'), ['-D', data, ...options], {
      ...user,
      cwd: directory,
      stdio: 'ignore'
    })
    started.unref()
    server = started
    await untilItAnswers(url, started)
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    server.ref()
    server.kill(signal)
    await once(server, 'exit')
  }
  const forget = () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 })

  await start()
  return {
    url,
    async makeDatabase(name) {
      const client = new Client({ connectionString: url })
      await client.connect()
      await client
        .query(`CREATE DATABASE ${client.escapeIdentifier(name)}`)
        .finally(() => client.end())
    },
    start,
    kill: () => end('SIGQUIT'),
    async remove() {
      await end('SIGINT')
      forget()
    },
    abandon() {
      server?.kill('SIGQUIT')
      try {
        forget()
      } catch {
        // It is still writing; the system clears its temporary files.
      }
    }
  }
}

/** PostgreSQL refuses to run as root, so there it runs as somebody with fewer rights. */
function ownUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find(line => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('There is no user to run PostgreSQL as.')
}

async function untilItAnswers(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MILLISECONDS_MAX
  while (Date.now() < deadline && server.exitCode === null) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1000 })
    client.on('error', () => {})
    const answers = await client.connect().then(
      () => true,
      () => false
    )
    await client.end().catch(() => {})
    if (answers) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error('The PostgreSQL server did not start.')
}
