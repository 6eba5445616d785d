import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Test } from 'tap'
import { pythonPeer } from '../peers/python.ts'

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
  const directory = pythonPeer(t, 'pydicom')
  if (directory === undefined) return undefined
  const script = join(import.meta.dirname, '..', 'peers', 'pydicom', 'check.py')
  return {
    directory,
    check(pairs) {
      const run = spawnSync('python3', ['-W', 'ignore', script], {
        input: JSON.stringify(pairs),
        env: { PATH: process.env.PATH ?? '', PYTHONPATH: directory },
        encoding: 'utf8',
        maxBuffer: 64 * 1_048_576
      })
      if (run.status !== 0) throw new Error(run.stderr.slice(-2000))
      return JSON.parse(run.stdout)
    }
  }
}
