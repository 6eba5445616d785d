import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, open, realpath, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { removeUnfinished } from '../sealing/private-file.ts'
import { BackupError } from './backup-error.ts'

const OTHERS_WRITE = 0o002
const STICKY = 0o1000

/**
 * Throws BackupError unless a new file may be made at `path`: nothing is there, its directory is, not
 * everybody may put another in its place, and it is not within the data that it is to save.
 */
export async function requireSafePlace(path: string, dataDirectory: string): Promise<void> {
  const directory = await realpath(dirname(path)).catch(() => undefined)
  if (directory === undefined) throw new BackupError('The directory for the file is not there.')
  if (existsSync(path)) {
    throw new BackupError('The file exists. A backup never takes the place of another.')
  }
  const { mode } = await stat(directory)
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    throw new BackupError('Everybody may write to the directory for the file. Choose another.')
  }
  const data = await realpath(dataDirectory)
  if (directory === data || directory.startsWith(data + sep)) {
    throw new BackupError(
      'The file would be within the data directory, and be lost with it. Choose another place.'
    )
  }
}

/**
 * Writes a new private file of any length. It appears under its name once it is whole, `ready` has
 * resolved, and it is on the disk; if it stops before, at most a file ending in `.tmp` is left, which
 * the next backup to the same name removes. Resolves to its length.
 */
export async function writeNewFile(
  path: string,
  content: AsyncIterable<Uint8Array>,
  ready: (bytes: number) => Promise<void>
): Promise<number> {
  await removeUnfinished(path)
  const random = randomBytes(8).toString('hex')
  const temporary = join(dirname(path), `${basename(path)}.${random}.tmp`)
  const file = await open(temporary, 'wx', 0o600)
  let bytes = 0
  try {
    try {
      for await (const piece of content) {
        await file.writeFile(piece)
        bytes += piece.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await ready(bytes)
    await putInPlace(temporary, path)
  } finally {
    await unlink(temporary).catch(() => {})
  }
  const directory = await open(dirname(path), 'r')
  await directory.sync().finally(() => directory.close())
  return bytes
}

/** Unlike rename, link fails when the name was taken meanwhile; some file systems have only rename. */
async function putInPlace(temporary: string, path: string): Promise<void> {
  await link(temporary, path).catch(async (err: NodeJS.ErrnoException) => {
    if (err.code === 'EEXIST' || existsSync(path)) {
      throw new BackupError('The file was made by somebody else meanwhile.')
    }
    await rename(temporary, path)
  })
}
