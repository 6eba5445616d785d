import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

// Names of the blobs that a move has put into the other store, one a line, in the directory that is
// being filled. What is erased between two runs has no row to know it by.

const NAME = 'brought.txt'

export interface Brought {
  /** Whether a run of this move has brought it. */
  has(name: string): boolean
  /** Notes that it is about to be brought. */
  add(name: string): Promise<void>
}

export async function readBrought(directory: string): Promise<Brought> {
  const path = join(directory, NAME)
  const text = await readFile(path, 'utf8').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return ''
    throw err
  })
  const names = new Set(text.split('\n'))
  return {
    has: name => names.has(name),
    add: name => appendFile(path, `${name}\n`, { mode: 0o600 })
  }
}

export const forgetBrought = (directory: string): Promise<void> =>
  rm(join(directory, NAME), { force: true })
