import type { Done } from './client.ts'
import { cpuSeconds, machineCpuSeconds } from './processes.ts'
import type { Server } from './servers.ts'

/** A run is quiet when everything else on the machine uses less than this. */
export const OTHERS_CORES_MAX = 0.3
const QUIET_WAIT_MILLISECONDS_MAX = 60_000
const QUIET_SAMPLE_MILLISECONDS = 500

/** A task that was performed, and what else the machine did meanwhile. */
export interface Watched {
  done: Done
  /** Cores used by processes that are not ours; undefined where there is no /proc. */
  othersCores: number | undefined
}

/**
 * Waits a while for the machine to be quiet, has the task performed, and tells who used how much of
 * the machine. The client must stay far below one core: otherwise it is what was measured.
 */
export async function watched(
  tell: (text: string) => void,
  server: Server,
  work: () => Promise<Done>
): Promise<Watched> {
  await untilQuiet()
  const before = machineNow(server)
  const began = performance.now()
  const done = await work()
  const seconds = (performance.now() - began) / 1000
  const after = machineNow(server)
  const percent = (cores: number) => `${Math.round(100 * cores)} %`
  const client = percent(done.clientCpuSeconds / done.seconds)
  if (before === undefined || after === undefined) {
    tell(`(CPU: client ${client}) `)
    return { done, othersCores: undefined }
  }
  const used = after.server - before.server
  const ours = used + done.clientLifeCpuSeconds + after.bench - before.bench
  const othersCores = Math.max(0, (after.all - before.all - ours) / seconds)
  tell(
    `(CPU: server ${percent(used / seconds)}, client ${client}, others ${percent(othersCores)}) `
  )
  return { done, othersCores }
}

/** Waits until the machine is quiet, a minute at most. */
export async function untilQuiet(): Promise<void> {
  const deadline = Date.now() + QUIET_WAIT_MILLISECONDS_MAX
  let last = machineCpuSeconds()
  while (last !== undefined && Date.now() < deadline) {
    await new Promise(resolve => setTimeout(resolve, QUIET_SAMPLE_MILLISECONDS))
    const now = machineCpuSeconds() ?? last
    if ((now - last) / (QUIET_SAMPLE_MILLISECONDS / 1000) < OTHERS_CORES_MAX) return
    last = now
  }
}

/** CPU seconds used so far: by the server, by this process, and by all. */
function machineNow(server: Server) {
  const own = cpuSeconds(server.pid)
  const all = machineCpuSeconds()
  const { user, system } = process.cpuUsage()
  if (own === undefined || all === undefined) return undefined
  return { server: own, all, bench: (user + system) / 1e6 }
}
