import { constants, type Dirent } from 'node:fs'
import { lstat, open, opendir } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { Ending } from './ending.ts'

/** One file to be sent, as it was found. */
export interface FoundFile {
  /** Where it is on this machine. */
  path: string
  /** Where it is below its folder, with "/" on every system. */
  inFolder: string
  bytes: number
  changedMilliseconds: number
}

export interface Skipped {
  inFolder: string
  /** Why, in some words. */
  why: string
  /** It should have been sent; other things are passed over rightly. */
  isMissing?: true
}

export interface Walked {
  files: FoundFile[]
  skipped: Skipped[]
}

const FILES_MAX = 1_000_000
const DEPTH_MAX = 100

/** What systems, viewers and discs leave in a folder beside its files. */
const junk = new Map([
  ['dicomdir', 'the directory of a disc'],
  ['thumbs.db', 'left by Windows'],
  ['desktop.ini', 'left by Windows'],
  ['autorun.inf', 'left by a disc'],
  ['$recycle.bin', 'left by Windows'],
  ['system volume information', 'left by Windows'],
  ['__macosx', 'left by macOS'],
  ['lost+found', 'left by the file system'],
  ['lockfile', 'left by a viewer']
])

/**
 * Every regular file below these folders, in the order of their names. Symbolic links are not
 * followed: what they lead to may be anything. What is passed over is told. Throws Ending `usage` for
 * a folder that is not there.
 */
export async function walkFolders(folders: string[], ownFiles: string[]): Promise<Walked> {
  const walked: Walked = { files: [], skipped: [] }
  const own = new Set(ownFiles.map(path => resolve(path)))
  for (const folder of folders) {
    const root = resolve(folder)
    const stat = await lstat(root).catch(() => undefined)
    if (stat?.isFile()) await take(walked, join(root, '..'), root)
    else if (stat?.isDirectory()) await walk(walked, root, root, own, 0)
    else throw new Ending('usage', `There is no such folder: ${folder}`)
  }
  return walked
}

async function walk(
  walked: Walked,
  root: string,
  folder: string,
  own: Set<string>,
  depth: number
): Promise<void> {
  const skip = (path: string, why: string) => ({ inFolder: placeOf(root, path), why })
  const miss = (why: string) => void walked.skipped.push({ ...skip(folder, why), isMissing: true })
  if (depth > DEPTH_MAX) return miss(`more than ${DEPTH_MAX} folders deep`)
  const entries = await entriesOf(folder).catch((err: NodeJS.ErrnoException) =>
    miss(`the folder cannot be read (${err.code})`)
  )
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name)
    const why = whyPassed(entry, own.has(path))
    if (why !== undefined) {
      if (why !== '') walked.skipped.push(skip(path, why))
    } else if (entry.isDirectory()) await walk(walked, root, path, own, depth + 1)
    else await take(walked, root, path)
    if (walked.files.length > FILES_MAX) {
      throw new Ending('usage', `There are more than ${FILES_MAX} files. Send them in parts.`)
    }
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries: Dirent[] = []
  for await (const entry of await opendir(folder)) entries.push(entry)
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Empty for our own files, of which nothing needs to be said. */
function whyPassed(entry: Dirent, isOwn: boolean): string | undefined {
  if (isOwn) return ''
  const left = junk.get(entry.name.toLowerCase())
  if (left !== undefined) return left
  if (entry.name.startsWith('.')) return 'hidden'
  if (entry.isSymbolicLink()) return 'a symbolic link'
  return entry.isFile() || entry.isDirectory() ? undefined : 'not a regular file'
}

async function take(walked: Walked, root: string, path: string): Promise<void> {
  const inFolder = placeOf(root, path)
  try {
    // Opened, so that what cannot be read is told before anything is sent.
    const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
    try {
      const { size, mtimeMs } = await file.stat()
      if (size === 0) walked.skipped.push({ inFolder, why: 'empty', isMissing: true })
      else walked.files.push({ path, inFolder, bytes: size, changedMilliseconds: mtimeMs })
    } finally {
      await file.close()
    }
  } catch (err) {
    const { code } = Object(err) as { code?: string }
    walked.skipped.push({ inFolder, why: `it cannot be read (${code})`, isMissing: true })
  }
}

const placeOf = (root: string, path: string): string =>
  relative(root, path).split(sep).join('/') || basename(path)
