import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Test } from 'tap'

/**
 * Programs that know our formats from elsewhere: our verifier on Go's own library, a witness, a real
 * S3 server, and age.
 */
export const peers = ['verify-log', 'litewitness', 'versitygw', 'age'] as const
export type GoPeer = (typeof peers)[number]

const here = import.meta.dirname
const builtDirectory = join(here, '..', '..', 'node_modules', '.cache', 'consilium-peers')
/** Where Debian's golang-golang-x-mod-dev keeps its sources. */
const debianPath = '/usr/share/gocode'

const packages: Record<GoPeer, string> = {
  'verify-log': './verify-log',
  litewitness: 'filippo.io/torchwood/cmd/litewitness',
  versitygw: 'github.com/versity/versitygw/cmd/versitygw',
  age: 'filippo.io/age/cmd/age'
}

/** Where the go.mod and go.sum are that pin a peer. */
const modules: Partial<Record<GoPeer, string>> = {
  versitygw: join(here, 's3-server'),
  age: join(here, 'age')
}
const moduleOf = (name: GoPeer) => modules[name] ?? here

/**
 * The path of a peer's executable, built on first use. Where peers must be, a machine that cannot
 * build it fails the test; elsewhere the test says that it was skipped, and there is none.
 */
export function goPeer(t: Test, name: GoPeer): string | undefined {
  const peer = buildPeer(name)
  if ('path' in peer) return peer.path
  if (process.env.CI_SERVICES === 'required') t.fail(peer.absent)
  else t.pass(`skipped: ${peer.absent}`, { skip: peer.absent })
  return undefined
}

/** Builds a peer unless it was built before from the same sources; says why if it cannot. */
export function buildPeer(name: GoPeer): { path: string } | { absent: string } {
  const version = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' })
  if (version.status !== 0) return { absent: `${name} needs Go` }

  const debian = name === 'verify-log' && existsSync(`${debianPath}/src/golang.org/x/mod`)
  const path = join(builtDirectory, `${name}-${digest(name, version.stdout + debian)}`)
  if (existsSync(path)) return { path }

  const go = inMode(debian, moduleOf(name))
  // Whether the modules are to be had is asked by itself, for a fault in our own source must fail.
  const wanted = go(['list', '-deps', packages[name]])
  if (wanted.status !== 0) {
    return { absent: `${name} cannot be had: ${wanted.stderr.trim().split('\n').at(-1)}` }
  }
  mkdirSync(builtDirectory, { recursive: true })
  // Tests run side by side: each builds its own, and the last to finish wins with the same bytes.
  const mine = `${path}.${process.pid}`
  const built = go(['build', '-trimpath', '-buildvcs=false', '-o', mine, packages[name]])
  if (built.status !== 0) throw new Error(`${name} does not build:\n${built.stderr}`)
  renameSync(mine, path)
  return { path }
}

/** Go with Debian's sources and no modules at all, or with the modules that go.sum pins. */
function inMode(debian: boolean, cwd: string) {
  const mode = debian
    ? { GO111MODULE: 'off', GOPATH: debianPath, GOFLAGS: '' }
    : { GO111MODULE: 'on', GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local' }
  const env = { ...process.env, ...mode, CGO_ENABLED: '0' }
  return (args: string[]) => spawnSync('go', args, { cwd, env, encoding: 'utf8' })
}

function digest(name: GoPeer, mode: string): string {
  const files = ['go.mod', 'go.sum'].map(file => join(moduleOf(name), file))
  if (name === 'verify-log') {
    files.push(...readdirSync(join(here, name)).map(file => join(here, name, file)))
  }
  const hash = createHash('sha256').update(mode)
  for (const file of files) {
    hash.update(`\n${relative(here, file)}\n`).update(readFileSync(file))
  }
  return hash.digest('hex').slice(0, 16)
}
