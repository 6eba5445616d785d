import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** Below the range from which the system gives ports to whoever asks for any. */
const PORT_MIN = 20_000
const PORTS = 12_000

/** Who has which port, by a file each that holds a process's number. */
const CLAIMS = join(tmpdir(), `consilium-ports-${userInfo().username}`)

/**
 * A port of 127.0.0.1 that this process alone hands out while it lives, for a server that is started,
 * killed and started again: tests run side by side, and a service that answers on the port of another
 * test's would be taken for it.
 */
export async function freePort(): Promise<number> {
  mkdirSync(CLAIMS, { recursive: true })
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * PORTS)
    if (claim(port) && (await isQuiet(port))) return port
  }
}

/** False when somebody who lives has it, this process included. */
function claim(port: number): boolean {
  const file = join(CLAIMS, String(port))
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    if (isAlive(Number(readFileSync(file, 'utf8')))) return false
    writeFileSync(file, String(process.pid))
    return true
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function isQuiet(port: number): Promise<boolean> {
  const probe = createServer()
  const isFree = await new Promise<boolean>(resolve => {
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (!isFree) return false
  probe.close()
  await once(probe, 'close')
  return true
}
