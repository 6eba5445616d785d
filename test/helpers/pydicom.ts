import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Test } from 'tap'
import { installPeer } from '../peers/python.ts'

/** What pydicom says of one copy beside its original. */
export interface Verdict {
  faults: string[]
  /** The new UID of each old one. */
  uids: Record<string, string>
  /** By how many days dates were shifted: one number, or none when there was no date. */
  days: number[]
  age: string | null
}

export interface Pydicom {
  directory: string
  check(pairs: { original: string; copy: string; reviewed: boolean }[]): Verdict[]
}

/** pydicom as a program beside ours; undefined, and a skip that shows, where it cannot be had. */
export function pydicom(t: Test): Pydicom | undefined {
  const peer = installPeer('pydicom')
  if ('absent' in peer) {
    if (process.env.CI_SERVICES === 'required') t.fail(peer.absent)
    else t.pass(`skipped: ${peer.absent}`, { skip: peer.absent })
    return undefined
  }
  const script = join(import.meta.dirname, '..', 'peers', 'pydicom', 'check.py')
  return {
    directory: peer.directory,
    check(pairs) {
      const run = spawnSync('python3', ['-W', 'ignore', script], {
        input: JSON.stringify(pairs),
        env: { PATH: process.env.PATH ?? '', PYTHONPATH: peer.directory },
        encoding: 'utf8',
        maxBuffer: 64 * 1_048_576
      })
      if (run.status !== 0) throw new Error(run.stderr.slice(-2000))
      return JSON.parse(run.stdout)
    }
  }
}
