import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SealError } from './seal-error.ts'

const FILE_BYTES_MAX = 65_536
const OTHERS_MASK = 0o077
/** How the name of a temporary file ends. */
const TEMPORARY = /^\.[0-9a-f]{16}\.tmp$/

/**
 * Makes a file that only this user can read, and its directory where there is none. Never
 * overwrites: rejects with Node's EEXIST when the file exists. The file is on the disk, whole and
 * under its name, when the promise resolves; a crash before leaves at most a temporary file.
 */
export async function createPrivateFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = await writeBeside(path, text)
  try {
    // Unlike rename, link fails when the name is taken, and the whole file appears at once.
    await link(temporary, path)
  } finally {
    await unlink(temporary)
  }
  await syncDirectoryOf(path)
}

/**
 * Puts a file that only this user can read in the place of another, or of none. After a crash there
 * is the old file or the new one, whole, and at most a temporary file more.
 */
export async function replacePrivateFile(path: string, text: string): Promise<void> {
  const temporary = await writeBeside(path, text)
  await rename(temporary, path).catch(err => giveUp(temporary, err))
  await syncDirectoryOf(path)
}

/** Removes temporary files that a crash left beside the file. Nobody may be writing it meanwhile. */
export async function removeUnfinished(path: string): Promise<void> {
  const directory = dirname(path)
  for (const name of await readdir(directory)) {
    const random = name.startsWith(`${basename(path)}.`) && name.slice(basename(path).length)
    if (random && TEMPORARY.test(random)) await unlink(join(directory, name))
  }
}

async function writeBeside(path: string, text: string): Promise<string> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } catch (err) {
    await giveUp(temporary, err)
  } finally {
    await file.close()
  }
  return temporary
}

/** A full disk must not fill with temporary files too. */
async function giveUp(temporary: string, err: unknown): Promise<never> {
  await unlink(temporary).catch(() => {})
  throw err
}

async function syncDirectoryOf(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Reads such a file. Throws key-missing when there is none, keyring-unsafe when another user owns
 * it or may read or change it, keyring-damaged when it is larger than any key file.
 */
export async function readPrivateFile(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new SealError('key-missing', 'There is no such key file.')
    throw error
  })
  try {
    // The open file is examined, not its name: nobody can exchange it between check and use.
    const { mode, uid, size } = await file.stat()
    if ((mode & OTHERS_MASK) !== 0 || uid !== process.getuid?.()) {
      throw new SealError('keyring-unsafe', 'A key file must belong to this user, with mode 0600.')
    }
    if (size > FILE_BYTES_MAX) throw new SealError('keyring-damaged', 'A key file is too large.')
    const bytes = await file.readFile()
    const text = bytes.toString('utf8')
    bytes.fill(0)
    return text
  } finally {
    await file.close()
  }
}
