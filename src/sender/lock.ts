import { open, readFile, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ending } from './ending.ts'

/**
 * How long is waited for a lock that is there: the system still shows a run that was just killed for a
 * moment, and one that names nobody after that is of a run that was killed while it wrote its name.
 */
const WAIT_MILLISECONDS_MAX = 1000
const LOOK_MILLISECONDS = 50

/** Those that this process has. */
const held = new Set<string>()

/**
 * One run at a time: makes this file and resolves to what removes it. It names its holder, so that
 * one which was killed is no obstacle on its own machine. Throws Ending `usage` when another run has
 * it, or when it cannot be made; `instead` says what to do about that.
 */
export async function lock(path: string, instead: string): Promise<() => Promise<void>> {
  const mine = `${process.pid} ${hostname()}\n`
  for (let waited = 0; ; ) {
    try {
      const file = await open(path, 'wx', 0o600)
      await file.writeFile(mine).finally(() => file.close())
      held.add(path)
      return async () => {
        await unlink(path).catch(() => {})
        held.delete(path)
      }
    } catch (err) {
      const { code } = Object(err) as { code?: string }
      if (code !== 'EEXIST') {
        throw new Ending('usage', `${path} cannot be made (${code}): ${instead}.`)
      }
    }
    const holder = (await readFile(path, 'utf8').catch(() => '')).trim()
    // In a container each run may have the number of the one before it.
    const isOfBefore = `${holder}\n` === mine && !held.has(path)
    if (isOfBefore || (holder !== '' && (await isGone(holder)))) await unlink(path).catch(() => {})
    else if (waited < WAIT_MILLISECONDS_MAX) {
      await sleep(LOOK_MILLISECONDS)
      waited += LOOK_MILLISECONDS
    } else if (holder === '') {
      await unlink(path).catch(() => {})
      waited = 0
    } else {
      throw new Ending(
        'usage',
        `Another run is under way, of process ${holder}. If it has ended, remove ${path}.`
      )
    }
  }
}

async function isGone(holder: string): Promise<boolean> {
  const [pid = '', host = ''] = holder.split(' ')
  if (host !== hostname()) return false
  try {
    process.kill(Number(pid), 0)
  } catch (err) {
    return Object(err).code === 'ESRCH'
  }
  // One that was killed and that its parent has not collected, as in many containers: proc(5).
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return /^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1))
}
