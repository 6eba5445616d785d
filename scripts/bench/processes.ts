import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MIB } from './bodies.ts'
import type { Done, Task } from './client.ts'

/** Clock ticks of /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** Starts one of the programs of this folder, with the same environment as the service. */
export function start(program: string, args: string[] = []): ChildProcess {
  return fork(fileURLToPath(new URL(program, import.meta.url)), args)
}

/** The next message of a program; rejects when it ends instead. */
export async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController()
  const exit = once(child, 'exit', { signal: ended.signal }).then(() => {
    throw new Error('A program of the bench ended early.')
  })
  exit.catch(() => {})
  try {
    const [message] = await Promise.race([once(child, 'message', { signal: ended.signal }), exit])
    return message
  } finally {
    ended.abort()
  }
}

/** Has a fresh client process perform one task. Throws unless it is answered with `status`. */
export async function perform(task: Task, status = 200): Promise<Done> {
  const client = start('client.ts')
  try {
    client.send(task)
    const { done, failed } = await nextMessage<{ done?: Done; failed?: string }>(client)
    if (done === undefined) throw new Error(`${task.kind} ${task.path}: ${failed}`)
    if (done.status !== status) {
      throw new Error(`${task.kind} ${task.path}: ${done.status} ${done.text?.slice(0, 500)}`)
    }
    return done
  } finally {
    if (client.connected) client.disconnect()
    if (client.exitCode === null) await once(client, 'exit')
  }
}

/** User and system time a process has used, in seconds; undefined where there is no /proc. */
export function cpuSeconds(pid: number): number | undefined {
  // The name in the second field may hold spaces; fields are counted from behind it.
  const fields = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')
  return fields && (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Time all processes of the machine have used, in seconds. */
export function machineCpuSeconds(): number | undefined {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] =
    read('/proc/stat')?.split('\n')[0]?.split(/\s+/).slice(1).map(Number) ?? []
  return user === 0 ? undefined : (user + nice + system + irq + softIrq) / TICKS_PER_SECOND
}

export interface Memory {
  nowMib: number
  peakMib: number
}

/** Resident memory of a process; undefined where there is no /proc. */
export function memoryOf(pid: number): Memory | undefined {
  const status = read(`/proc/${pid}/status`)
  const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status ?? '')?.[1])
  if (status === undefined) return undefined
  return { nowMib: (kib('VmRSS') * 1024) / MIB, peakMib: (kib('VmHWM') * 1024) / MIB }
}

/** Makes the peak of a process start again from what it holds now (proc(5), clear_refs). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
