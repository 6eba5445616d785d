import { readFile } from 'node:fs/promises'
import { markPath } from '../data-marks.ts'
import { replacePrivateFile } from '../sealing/private-file.ts'
import { MoveError } from './move-error.ts'

/** What the file in the directory that is being filled says. */
export interface MovingMark {
  /** Names this move, which may take several runs. */
  id: string
  /** The name of the log. */
  log: string
  begun: string
}

/** What the file in the directory that is left says. Nothing secret. */
export interface MovedMark extends MovingMark {
  to: Record<string, string>
  /** When all was there and had been checked; the move goes on while there is none. */
  ended?: string
}

/** Undefined when there is no such mark. Throws MoveError for one that nobody here wrote. */
export async function readMark(
  directory: string,
  mark: 'moving' | 'moved'
): Promise<MovingMark | MovedMark | undefined> {
  const text = await readFile(markPath(directory, mark), 'utf8').catch(
    (err: NodeJS.ErrnoException) => {
      if (err.code === 'ENOENT') return undefined
      throw err
    }
  )
  if (text === undefined) return undefined
  try {
    const { id, log } = JSON.parse(text)
    if (typeof id === 'string' && typeof log === 'string') return JSON.parse(text)
  } catch {
    // Told below.
  }
  throw new MoveError(`The file ${mark}.json is damaged.`)
}

export function writeMark(
  directory: string,
  mark: 'moving' | 'moved',
  content: MovingMark | MovedMark
): Promise<void> {
  return replacePrivateFile(markPath(directory, mark), `${JSON.stringify(content, null, 2)}\n`)
}
