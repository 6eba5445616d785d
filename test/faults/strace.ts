import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Test } from 'tap'

/** Makes system calls of a running process fail. */
export interface SystemFault {
  /** The calls, as strace names them. */
  calls: string[]
  error: 'EIO' | 'ENOSPC'
  /** Only the first such call of each thread; else every one. */
  once?: boolean
  /** Only calls on this file. */
  path?: string
  /** Only calls of the threads that do the file work of Node, not of the main one. */
  pool?: boolean
}

/**
 * Whether faults can be made here. Where they must be, a machine that cannot fails the test;
 * elsewhere the test says that it was skipped.
 */
export function canMakeFaults(t: Test): boolean {
  const probe = spawnSync('strace', ['-o', '/dev/null', process.execPath, '--version'])
  if (probe.status === 0) return true
  if (process.env.CI_SERVICES === 'required') t.fail('strace is needed to make system calls fail')
  else t.pass('skipped: strace cannot be used here', { skip: 'strace cannot be used here' })
  return false
}

/** A file as the system calls name it, which know no links; it need not be there yet. */
export const placeOf = (path: string): string => join(realpathSync(dirname(path)), basename(path))

/** Runs `work` while the fault is in force in the process `pid`. */
export async function withFault<T>(
  pid: number,
  fault: SystemFault,
  work: () => Promise<T>
): Promise<T> {
  const calls = fault.calls.join(',')
  const when = fault.once ? ':when=1' : ''
  const args = [
    ...(fault.pool ? poolThreads(pid).flatMap(id => ['-p', id]) : ['-f', '-p', String(pid)]),
    ...(fault.path === undefined ? [] : ['-P', placeOf(fault.path)]),
    ...['-e', `trace=${calls}`, '-e', `inject=${calls}:error=${fault.error}${when}`],
    ...['-o', '/dev/null']
  ]
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  const wanted = fault.pool ? poolThreads(pid).length : 1
  await new Promise<void>((resolve, reject) => {
    strace.stderr.on('data', text => {
      said += text
      if (said.split(' attached').length > wanted) resolve()
    })
    strace.once('exit', () => reject(new Error(`strace ended: ${said}`)))
  })
  try {
    return await work()
  } finally {
    strace.removeAllListeners('exit')
    const ended = once(strace, 'exit')
    // It lets go of the process, which goes on without the fault.
    strace.kill('SIGTERM')
    await ended
  }
}

function poolThreads(pid: number): string[] {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).filter(id =>
    /^libuv-worker/.test(readFileSync(`${tasks}/${id}/comm`, 'utf8'))
  )
}
