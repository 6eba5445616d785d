import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Decrypter } from 'age-encryption'
import { OpenedAnswer, ShareAnswer } from './answers.ts'
import { download, isFile, keepAs, NotAsAnnounced } from './download.ts'
import { Ending } from './ending.ts'
import { lock } from './lock.ts'
import { openSealed, readList, type SealedNames } from './open-sealed.ts'
import { patiently } from './patience.ts'
import { extensionOf, type Placed, placeFiles } from './place-files.ts'
import { Refused } from './problem.ts'
import type { Progress } from './progress.ts'
import { LIST_NAME } from './sealed-list.ts'
import {
  ANSWER_MILLISECONDS_MAX,
  JSON_BYTES_MAX,
  parseAs,
  type Session,
  textOf
} from './session.ts'

const LOCK_NAME = '.consilium-fetch.lock'

export interface FetchOptions {
  link?: string | undefined
  share?: string | undefined
  directory: string
  parallel: number
  decrypter?: Decrypter | undefined
}

/** One file of the share, and what became of it. */
export interface Fetched {
  record: string
  object: string
  /** Below the directory. */
  path?: string
  /** As its sender calls it. */
  fileName: string
  bytes: number
  /** Of what came over the line, verified when it is there. */
  sha256: string
  /** Of what was in it, where it was sealed and is opened. */
  openedSha256?: string
  outcome: 'verified' | 'refused'
  code?: string
  why?: string
  /** It was there from a run before. */
  before?: boolean
}

export interface FetchResult {
  share: ShareAnswer
  files: Fetched[]
}

/**
 * Gets everything in a share into a directory: opens the link if the share is not open, gets what is
 * missing, verifies every digest, opens what was sealed. Throws Ending.
 */
export async function fetchShare(
  session: Session,
  options: FetchOptions,
  progress: Progress
): Promise<FetchResult> {
  const share = await openShare(session, options)
  const directory = resolve(options.directory)
  const placed = placeFiles(share)
  progress.expect(
    placed.length,
    placed.reduce((total, { object }) => total + object.bytes, 0)
  )
  for (const folder of new Set(['', ...placed.map(({ folder }) => folder)])) {
    await mkdir(join(directory, folder), { recursive: true, mode: 0o700 })
  }
  // Two runs that write one file would each verify what it got, and neither what is there.
  const release = await lock(join(directory, LOCK_NAME), 'give another folder')
  const getting = { session, share, directory, progress, decrypter: options.decrypter }
  try {
    return { share, files: await fetchAll(getting, placed, options.parallel) }
  } finally {
    await release()
  }
}

async function fetchAll(getting: Getting, placed: Placed[], parallel: number): Promise<Fetched[]> {
  const { session, progress, decrypter } = getting
  // Lists first: they say what the other files of their records are called.
  const names: SealedNames = new Map()
  const isList = ({ object }: Placed) => object.endToEnd && object.fileName === LIST_NAME
  if (decrypter) {
    for (const list of placed.filter(isList)) await takeList(getting, list, names)
  }
  const files: Fetched[] = new Array(placed.length)
  const queue = placed.entries()
  const worker = async () => {
    for (const [i, each] of queue) {
      files[i] = await fetchOne(getting, each, names).catch(err => {
        session.abort(err)
        throw err
      })
      progress.fileDone()
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: parallel }, worker))
  const failed = ended.find(each => each.status === 'rejected')
  // The first that could not go on ended the others: theirs is not the reason.
  if (failed !== undefined) throw session.signal.reason ?? failed.reason
  return files
}

const needsOpening = new Set(['share-not-opened', 'share-openings-spent'])

/**
 * A share that is open needs no opening, of which there may be few. That is asked before each try: an
 * answer that was lost may have been that of an opening.
 */
async function openShare(session: Session, { link, share }: FetchOptions): Promise<ShareAnswer> {
  const id = share ?? idInLink(link ?? '')
  const path = `/v1/shares/${encodeURIComponent(id ?? '')}`
  return patiently(session, async () => {
    if (id !== undefined) {
      const open = await session.json(ShareAnswer, 'GET', path).catch(err => {
        if (link !== undefined && err instanceof Ending && needsOpening.has(String(err.code)))
          return
        throw err
      })
      if (open !== undefined) return open
    }
    const signal = AbortSignal.timeout(ANSWER_MILLISECONDS_MAX)
    const answer = await session.ask('POST', '/v1/links/open', { body: { link }, signal })
    const opened = parseAs(OpenedAnswer, await textOf(answer, JSON_BYTES_MAX))
    return session.json(ShareAnswer, 'GET', `/v1/shares/${opened.id}`)
  })
}

/** The share that a link says it names; only the service can tell whether that is so. */
function idInLink(link: string): string | undefined {
  const [, claims = ''] = (link.trim().split('#').at(-1) ?? '').split('.')
  try {
    const { jti } = JSON.parse(Buffer.from(claims, 'base64url').toString())
    return /^[0-9a-f-]{36}$/.test(jti) ? jti : undefined
  } catch {
    throw new Ending('usage', 'That is not a whole link: copy all of it, with what follows the #.')
  }
}

interface Getting {
  session: Session
  share: ShareAnswer
  directory: string
  progress: Progress
  decrypter: Decrypter | undefined
}

async function takeList(getting: Getting, list: Placed, names: SealedNames): Promise<void> {
  const { directory, decrypter } = getting
  const got = await getOne(getting, list, '.age')
  if (got.outcome !== 'verified' || decrypter === undefined) return
  await readList(decrypter, join(directory, String(got.path)), list.record.id, names)
}

async function fetchOne(getting: Getting, placed: Placed, names: SealedNames): Promise<Fetched> {
  const { decrypter, directory, progress } = getting
  const { object } = placed
  const isList = object.fileName === LIST_NAME
  if (decrypter === undefined || !object.endToEnd || isList) {
    return getOne(getting, placed, object.endToEnd ? '.age' : extensionOf(object.type))
  }
  const name = names.get(`${placed.record.id} ${object.fileName}`)
  const about = aboutOf(placed)
  if (name !== undefined) {
    const path = `${placed.folder}/${placed.stem}${name.extension}`
    if (await isFile(join(directory, path), name.sha256)) {
      progress.moved(object.bytes)
      return { ...about, path, outcome: 'verified', openedSha256: name.sha256, before: true }
    }
  }
  const sealed = await getOne(getting, placed, '.age')
  if (sealed.outcome !== 'verified') return sealed
  return { ...sealed, ...(await openSealed(decrypter, directory, placed, name)) }
}

const aboutOf = ({ record, object }: Placed) => ({
  record: record.id,
  object: object.id,
  fileName: object.fileName,
  bytes: object.bytes,
  sha256: object.sha256
})

async function getOne(
  { session, share, directory, progress }: Getting,
  placed: Placed,
  extension: string
): Promise<Fetched> {
  const { record, object, folder, stem } = placed
  const about = aboutOf(placed)
  const path = `${folder}/${stem}${extension}`
  const name = join(directory, path)
  if (await isFile(name, object.sha256)) {
    progress.moved(object.bytes)
    return { ...about, path, outcome: 'verified', before: true }
  }
  const taken = { ...about, outcome: 'refused', code: 'name-taken' } as const
  const another = `another file is called ${path}: move it away`
  if ((await readdir(join(directory, folder))).includes(`${stem}${extension}`)) {
    return { ...taken, why: another }
  }
  const content = `/v1/shares/${share.id}/records/${record.id}/objects/${object.id}/content`
  const { bytes, sha256 } = object
  const unfinished = `${name}.part`
  try {
    await download(session, { path: content, bytes, sha256 }, unfinished, progress)
  } catch (err) {
    if (err instanceof NotAsAnnounced) {
      return { ...about, outcome: 'refused', code: 'not-as-announced', why: err.message }
    }
    if (!(err instanceof Refused)) throw err
    return { ...about, outcome: 'refused', code: err.code, why: `${err.title}. ${err.detail}` }
  }
  if (!(await keepAs(unfinished, name, sha256))) return { ...taken, why: another }
  return { ...about, path, outcome: 'verified' }
}
