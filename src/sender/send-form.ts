import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Outgoing } from './outgoing.ts'
import { endingOf, LineBroken, Refused } from './problem.ts'
import type { Progress } from './progress.ts'
import { brokenBy, type Session } from './session.ts'

/** A line that moves nothing for so long is taken for broken. The service may be sealing meanwhile. */
const STALL_MILLISECONDS = 180_000
const ANSWER_BYTES_MAX = 128 * 1024 ** 2

export interface FormFields {
  kind: string
  title: string
  date: string
}

/** What became of the files of one request: the service numbers those that were sent, in order. */
export interface FormFiles {
  sent: { file: Outgoing; sha256: string }[]
  unread: { file: Outgoing; why: string }[]
}

/**
 * Sends one record as multipart/form-data, each file with its digest before it: once, without waiting
 * anything out. Each file is read whole, so that its digest can go first and a file that cannot be
 * read is left out before anything of it is sent; `told` learns of each. Resolves to the answer. Throws
 * Refused, LineBroken or Ending; after a LineBroken the record may be stored or not.
 */
export async function sendForm(
  session: Session,
  path: string,
  fields: FormFields,
  files: Outgoing[],
  told: FormFiles,
  progress: Progress
): Promise<string> {
  const boundary = `consilium-${randomBytes(18).toString('base64url')}`
  const authorization = await session.authorization()
  const url = new URL(path, session.origin)
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const request = send(url, {
    method: 'POST',
    signal: session.signal,
    headers: { authorization, 'content-type': `multipart/form-data; boundary=${boundary}` }
  })
  request.setTimeout(STALL_MILLISECONDS, () => request.destroy(new LineBroken('Nothing moves.')))
  const answered = answerTo(request)
  // It may come while files are still going out, and is then looked at below.
  answered.catch(() => {})
  let moved = 0
  try {
    await write(request, head(boundary, fields))
    for await (const { file, bytes, why } of readAhead(files)) {
      if (bytes === undefined) {
        told.unread.push({ file, why })
        continue
      }
      const digest = createHash('sha256').update(bytes).digest()
      told.sent.push({ file, sha256: digest.toString('hex') })
      await write(request, fileHead(boundary, file.name, digest))
      await write(request, bytes)
      await write(request, '\r\n')
      moved += bytes.length
      progress.moved(bytes.length)
    }
    request.end(`--${boundary}--\r\n`)
    const { status, text, retryAfter } = await answered
    if (status >= 200 && status < 300) return text
    throw new Refused(status, text, retryAfter)
  } catch (err) {
    progress.moved(-moved)
    request.destroy()
    // A service that refuses early hangs up: its answer says more than the broken connection.
    const refused =
      err instanceof Refused ? err : await answered.then(refusedIn).catch(() => undefined)
    if (refused !== undefined) throw session.tookToken(refused, authorization)
    throw endingOf(err) ?? brokenBy(err)
  }
}

interface Answered {
  status: number
  text: string
  retryAfter: string | undefined
}

function refusedIn({ status, text, retryAfter }: Answered): Refused | undefined {
  return status >= 400 ? new Refused(status, text, retryAfter) : undefined
}

function answerTo(request: ClientRequest): Promise<Answered> {
  return new Promise((resolve, reject) => {
    request.on('error', err => reject(brokenBy(err)))
    let isAnswered = false
    request.on('close', () => {
      if (!isAnswered) reject(new LineBroken('The line broke before the answer.'))
    })
    request.on('response', response => {
      isAnswered = true
      const { statusCode = 0, headers } = response
      readText(response).then(
        text => resolve({ status: statusCode, text, retryAfter: headers['retry-after'] }),
        err => reject(brokenBy(err))
      )
    })
  })
}

async function readText(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > ANSWER_BYTES_MAX) throw new LineBroken('The answer has no end.')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** Resolves when there is room for more. */
function write(request: ClientRequest, bytes: Buffer | string): Promise<void> {
  if (request.destroyed) return Promise.reject(new LineBroken('The line broke.'))
  if (request.write(bytes)) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const settle = () => {
      request.off('drain', settle)
      request.off('close', settle)
      if (request.destroyed) reject(new LineBroken('The line broke.'))
      else resolve()
    }
    request.on('drain', settle)
    request.on('close', settle)
  })
}

interface ReadFile {
  file: Outgoing
  bytes: Buffer | undefined
  why: string
}

/** Reads one file while the one before it is on its way. */
async function* readAhead(files: Outgoing[]): AsyncGenerator<ReadFile> {
  let next = files[0] && readWhole(files[0])
  for (let i = 0; next !== undefined; i += 1) {
    const following = files[i + 1]
    const read = await next
    next = following && readWhole(following)
    yield read
  }
}

async function readWhole(file: Outgoing): Promise<ReadFile> {
  try {
    const bytes = await readFile(file.path)
    if (bytes.length === file.bytes) return { file, bytes, why: '' }
    return { file, bytes: undefined, why: 'it changed while it was sent' }
  } catch (err) {
    return { file, bytes: undefined, why: `it cannot be read (${Object(err).code})` }
  }
}

function head(boundary: string, fields: FormFields): string {
  return Object.entries(fields)
    .map(([name, value]) => field(boundary, name, value))
    .join('')
}

const field = (boundary: string, name: string, value: string): string =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

/**
 * RFC 7578, section 4.2, with the escapes that browsers use: a quote or a line break in a name would
 * end its header.
 */
function fileHead(boundary: string, name: string, digest: Buffer): string {
  const escaped = name.replace(/"/g, '%22').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
  return `${field(boundary, 'repr-digest', `sha-256=:${digest.toString('base64')}:`)}--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${escaped}"\r\ncontent-type: application/octet-stream\r\n\r\n`
}
