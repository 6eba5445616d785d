import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises'
import { digestOf } from './outgoing.ts'
import { patiently } from './patience.ts'
import { LineBroken } from './problem.ts'
import type { Progress } from './progress.ts'
import { brokenBy, type Session } from './session.ts'

const STALL_MILLISECONDS = 120_000
/** How often a file that came otherwise than its digest says is got anew. */
const TRIES_MAX = 2
const READ_BYTES = 1024 ** 2

/** What is known of a file before it comes. */
export interface Expected {
  path: string
  bytes: number
  sha256: string
}

/** What came is not what was announced. Nothing of it was kept. */
export class NotAsAnnounced extends Error {}

/**
 * Gets a file into `target`, which goes on where it ends if it is there, and verifies its digest. It
 * is durable when this resolves. Throws NotAsAnnounced, Refused or Ending; what came before a broken
 * line stays for the next run.
 */
export async function download(
  session: Session,
  expected: Expected,
  target: string,
  progress: Progress
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const digest = await patiently(session, gotOn =>
      getRest(session, expected, target, progress, gotOn)
    )
    if (digest === expected.sha256) return
    await rm(target, { force: true })
    progress.moved(-expected.bytes)
    if (attempt === TRIES_MAX) throw new NotAsAnnounced('its digest is not the announced one')
  }
}

async function getRest(
  session: Session,
  expected: Expected,
  target: string,
  progress: Progress,
  gotOn: () => void
): Promise<string> {
  // Never through a link that somebody put there.
  const found = await lstat(target).catch(() => undefined)
  if (found !== undefined && (!found.isFile() || found.size > expected.bytes)) {
    await rm(target, { recursive: true, force: true })
  }
  const file = await open(target, 'a+', 0o600)
  try {
    const hash = createHash('sha256')
    let have = await hashWhatIsThere(file, target, hash)
    progress.moved(have)
    if (have === expected.bytes) return hash.digest('hex')
    try {
      for await (const { piece, from } of piecesFrom(session, expected, have)) {
        if (from !== have) throw new LineBroken('The service went on at another place.')
        have += piece.byteLength
        if (have > expected.bytes) throw new NotAsAnnounced('it is longer than announced')
        await file.appendFile(piece)
        hash.update(piece)
        progress.moved(piece.byteLength)
        gotOn()
      }
    } catch (err) {
      progress.moved(-have)
      if (err instanceof NotAsAnnounced) await rm(target, { force: true })
      throw err
    }
    await file.sync()
    if (have === expected.bytes) return hash.digest('hex')
    progress.moved(-have)
    throw new LineBroken('The line broke before the end of a file.')
  } finally {
    await file.close()
  }
}

async function hashWhatIsThere(file: FileHandle, path: string, hash: Hash): Promise<number> {
  const { size } = await file.stat()
  if (size === 0) return 0
  const pieces = createReadStream(path, { highWaterMark: READ_BYTES })
  let bytes = 0
  for await (const piece of pieces as AsyncIterable<Buffer>) {
    hash.update(piece)
    bytes += piece.length
  }
  return bytes
}

async function* piecesFrom(session: Session, { path, sha256 }: Expected, have: number) {
  const stalled = new AbortController()
  const stall = setTimeout(
    () => stalled.abort(new LineBroken('Nothing moves.')),
    STALL_MILLISECONDS
  )
  const etag = `"${Buffer.from(sha256, 'hex').toString('base64url')}"`
  try {
    const response = await session.ask('GET', path, {
      signal: stalled.signal,
      headers: have === 0 ? {} : { range: `bytes=${have}-`, 'if-range': etag }
    })
    let from = startOf(response, have)
    for await (const piece of response.body ?? []) {
      stall.refresh()
      yield { piece, from }
      from += piece.byteLength
    }
  } catch (err) {
    if (err instanceof NotAsAnnounced) throw err
    throw stalled.signal.aborted ? new LineBroken('Nothing moves.') : brokenBy(err)
  } finally {
    clearTimeout(stall)
  }
}

/** RFC 9110, section 14.4. A whole answer to a request for the rest begins at the beginning. */
function startOf(response: Response, have: number): number {
  if (response.headers.get('content-encoding') !== null) {
    throw new NotAsAnnounced('it came encoded')
  }
  if (response.status !== 206) {
    if (have === 0) return 0
    throw new NotAsAnnounced('the service has other bytes now')
  }
  const from = /^bytes (\d{1,16})-/.exec(response.headers.get('content-range') ?? '')?.[1]
  return Number(from ?? Number.NaN)
}

/**
 * Gives a finished file its name, and never takes one that is there: false when another file has it.
 * A file that is the same, by size and digest, is as good.
 */
export async function keepAs(finished: string, name: string, sha256: string): Promise<boolean> {
  try {
    await link(finished, name)
  } catch (err) {
    const { code } = Object(err) as { code?: string }
    const isTaken = await lstat(name).then(
      () => true,
      () => false
    )
    if (isTaken && !(await isFile(name, sha256))) return false
    if (!isTaken) {
      // Sticks and shares of other systems have no links.
      if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes(String(code))) throw err
      await rename(finished, name)
      return true
    }
  }
  await rm(finished, { force: true })
  return true
}

/** Whether a regular file of this digest has the name. */
export async function isFile(path: string, sha256: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  if (!found?.isFile()) return false
  return (await digestOf(path).catch(() => '')) === sha256
}
