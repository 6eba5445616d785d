import { open, readFile, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ending } from './ending.ts'

/**
 * How long is waited for a lock that is there: the system still shows a run that was just killed for a
 * moment, and one that names nobody after that is of a run that was killed while it wrote its name.
 */
const WAIT_MILLISECONDS_MAX = 1000
const LOOK_MILLISECONDS = 50

/** Those that this process has, and who in it. */
const held = new Map<string, symbol>()

/**
 * One run at a time: makes this file and resolves to what removes it. It names its holder, so that
 * one which was killed is no obstacle on its own machine. Throws Ending `usage` when another run has
 * it, or when it cannot be made; `instead` says what to do about that.
 */
export async function lock(path: string, instead: string): Promise<() => Promise<void>> {
  const mine = `${process.pid} ${hostname()}`
  const own = Symbol(path)
  for (let waited = 0; ; ) {
    try {
      const file = await open(path, 'wx', 0o600)
      held.set(path, own)
      await file.writeFile(`${mine}\n`).finally(() => file.close())
      return async () => {
        await unlink(path).catch(() => {})
        if (held.get(path) === own) held.delete(path)
      }
    } catch (err) {
      const { code } = Object(err) as { code?: string }
      if (code !== 'EEXIST') {
        throw new Ending('usage', `${path} cannot be made (${code}): ${instead}.`)
      }
    }
    const seen = await look(path)
    const { holder } = seen
    // In a container each run may have the number of the one before it.
    const isOfBefore = holder === mine && !held.has(path)
    if (isOfBefore || (holder !== '' && (await isGone(holder)))) await remove(path, seen, instead)
    else if (waited < WAIT_MILLISECONDS_MAX) {
      await sleep(LOOK_MILLISECONDS)
      waited += LOOK_MILLISECONDS
    } else if (holder === '') {
      await remove(path, seen, instead)
      waited = 0
    } else {
      throw new Ending(
        'usage',
        `Another run is under way, of process ${holder}. If it has ended, remove ${path}.`
      )
    }
  }
}

interface Seen {
  holder: string
  /** Which file it was: the next may be of the same name and holder. */
  file: string
}

async function look(path: string): Promise<Seen> {
  const found = await stat(path).catch(() => undefined)
  const text = await readFile(path, 'utf8').catch(() => '')
  return { holder: text.trim(), file: `${found?.ino} ${found?.mtimeMs}` }
}

/**
 * Removes what a run that is gone has left: one run at a time does, and only if it is still that. Of
 * two that had looked at it together, the slower would remove what the faster has made since.
 */
async function remove(path: string, seen: Seen, instead: string): Promise<void> {
  const release = await lock(`${path}.over`, instead)
  try {
    const now = await look(path)
    const isSame = now.holder === seen.holder && now.file === seen.file
    if (isSame) await unlink(path).catch(() => {})
  } finally {
    await release()
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
