import { AsyncLocalStorage } from 'node:async_hooks'
import { getHashes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { DataStore, type Locker, Metadata, Server, Upload } from '@tus/server'
import { v7 as uuidv7 } from 'uuid'
import { Refusal, type RefusalCode } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isId } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { beginUpload } from './begin.ts'
import { aboutUpload, openDraftKey, openMetadata, uploadOf } from './draft.ts'
import { terminateUpload } from './end.ts'
import { joinUploads, partsOfConcat } from './join.ts'
import {
  type AnswerTus,
  CHECKSUM_ALGORITHMS,
  TUS_VERSION,
  type TusAnswer,
  UPLOADS
} from './protocol.ts'
import { type Checksum, receive } from './receive.ts'

// @tus/server speaks the protocol: versions, headers, offsets. What it leaves out (checksum,
// concatenation, expiry of each upload) and what must not be as it would do it is here: it is given
// neither the connection nor the body, so that it can answer nothing by itself, and sets no header
// that is not on our list.

/** How a PATCH is sent, and a creation that brings its first bytes. */
export const OFFSET_STREAM = 'application/offset+octet-stream'

/**
 * Parts of one final upload. Their addresses come in one header, and all headers of a request together
 * have 16 KiB (Node, `maxHeaderSize`): so many fit as URLs of up to 100 characters.
 */
export const PARTS_MAX = 128

/** Request headers that @tus/server gets to see. */
const HEADERS_IN = [
  'tus-resumable',
  'upload-length',
  'upload-defer-length',
  'upload-offset',
  'upload-metadata',
  'content-type',
  'content-length'
]
/** Those of its answer that are passed on. */
const HEADERS_OUT = ['location', 'upload-length', 'upload-offset', 'upload-metadata', 'tus-version']

/** One request, as it is known to us: never by what its headers say of who sends it. */
interface Call {
  caller: Caller
  body: IncomingMessage
  part: 'whole' | 'partial'
  checksum: Checksum | undefined
  /** Until when the upload may go on. */
  expiresAt: number | undefined
  /** Why it fails, as it was thrown. */
  failure: unknown
}

export function tusOn(exchange: Exchange): AnswerTus {
  const calls = new AsyncLocalStorage<Call>()
  const call = (): Call => {
    const current = calls.getStore()
    if (current === undefined) throw new Error('Outside of a request.')
    return current
  }
  const server = new Server({
    path: UPLOADS,
    relativeLocation: true,
    datastore: storeOn(exchange, call),
    namingFunction: () => uuidv7({ msecs: exchange.clock() }),
    // Whoever changes an upload holds its place, which every process knows of.
    locker: noLocks,
    allowedOrigins: () => false,
    onResponseError(_request, err) {
      call().failure ??= err
      return undefined
    }
  })

  return async (caller, request, path) => {
    const concat = request.headers['upload-concat']
    requireVersion(request)
    if (typeof concat === 'string' && concat.startsWith('final;') && request.method === 'POST') {
      return join(exchange, caller, request, concat)
    }
    const current: Call = {
      caller,
      body: request,
      part: partOf(concat),
      checksum: checksumOf(request),
      expiresAt: undefined,
      failure: undefined
    }
    if (request.method === 'PATCH') requireOffsetStream(request)
    const response = await calls.run(current, () => server.handleWeb(requestFor(request, path)))
    if (current.failure !== undefined) throw refusalOf(current.failure)
    if (response.status >= 400) {
      throw refusalOf({ status_code: response.status, body: await response.text() })
    }
    const headers = { ...headersOf(response), ...expiry(current.expiresAt) }
    return { status: response.status, headers }
  }
}

/** What @tus/server keeps files in: ours, which seal what they get. */
function storeOn(exchange: Exchange, call: () => Call): DataStore {
  return Object.assign(new DataStore(), {
    async create(file: Upload) {
      const { caller, part } = call()
      const { id, size = 0, metadata = {} } = file
      const wanted = { id, bytes: size, metadata, part }
      call().expiresAt = await beginUpload(exchange, caller, wanted)
      return file
    },
    async getUpload(id: string) {
      const { caller } = call()
      const found = await uploadOf(exchange.database.read, caller, id, exchange.clock())
      const { bytes, received, state } = found.upload
      if (state === 'refused') {
        throw new Refusal('upload-refused', undefined, { about: aboutUpload(found) })
      }
      call().expiresAt = found.draft.expiresAt
      const { sent } = openMetadata(await openDraftKey(exchange.keyring, found), found.upload)
      return new Upload({ id, size: bytes, offset: received, metadata: sent })
    },
    /** The body comes straight from the connection, and not through the streams of the library. */
    write(_body: unknown, id: string, offset: number) {
      const { caller, body, checksum } = call()
      const action = body.method === 'POST' ? 'upload.create' : 'upload.receive'
      return receive(exchange, { caller, body, checksum, action }, id, offset)
    },
    remove: (id: string) => terminateUpload(exchange, call().caller, id)
  })
}

const noLocks: Locker = {
  newLock: () => ({ lock: async () => {}, unlock: async () => {} })
}

async function join(
  exchange: Exchange,
  caller: Caller,
  request: IncomingMessage,
  concat: string
): Promise<TusAnswer> {
  if (request.headers['upload-length'] !== undefined) {
    throw invalid('a final upload has no Upload-Length of its own')
  }
  const parts = partsOfConcat(concat)
  if (parts.length === 0 || parts.length > PARTS_MAX || !parts.every(isId)) {
    throw invalid(`Upload-Concat does not name 1 to ${PARTS_MAX} uploads`)
  }
  const { id, expiresAt } = await joinUploads(exchange, caller, {
    id: uuidv7({ msecs: exchange.clock() }),
    parts,
    concat,
    metadata: parsedMetadata(request)
  })
  return { status: 201, headers: { location: `${UPLOADS}/${id}`, ...expiry(expiresAt) } }
}

/** When an upload ends by itself, which is when its draft does (tus, expiration). */
const expiry = (expiresAt: number | undefined): Record<string, string> =>
  expiresAt === undefined ? {} : { 'upload-expires': new Date(expiresAt).toUTCString() }

function parsedMetadata(request: IncomingMessage): Record<string, string | null> {
  try {
    return Metadata.parse(String(request.headers['upload-metadata'] ?? ''))
  } catch {
    throw invalid('Upload-Metadata cannot be read')
  }
}

function partOf(concat: string | string[] | undefined): Call['part'] {
  if (concat === undefined) return 'whole'
  if (concat !== 'partial') throw invalid('Upload-Concat is neither partial nor final')
  return 'partial'
}

/** tus, checksum: an algorithm and a digest in Base64. */
function checksumOf(request: IncomingMessage): Checksum | undefined {
  const text = request.headers['upload-checksum']
  if (text === undefined) return undefined
  const [, algorithm = '', digest = ''] = /^(\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(String(text)) ?? []
  if (!CHECKSUM_ALGORITHMS.includes(algorithm) || !getHashes().includes(algorithm)) {
    throw invalid(`Upload-Checksum is not of ${CHECKSUM_ALGORITHMS.join(', ')}, or cannot be read`)
  }
  return { algorithm, digest: Buffer.from(digest, 'base64') }
}

function requireVersion(request: IncomingMessage): void {
  if (request.headers['tus-resumable'] === TUS_VERSION) return
  throw new Refusal('tus-version-refused', undefined, { headers: { 'tus-version': TUS_VERSION } })
}

function requireOffsetStream(request: IncomingMessage): void {
  if (request.headers['content-type'] !== OFFSET_STREAM) throw new Refusal('media-type-refused')
  if (request.headers['upload-offset'] === undefined) throw invalid('Upload-Offset is missing')
}

/** The request without its body and without every header that is not of the protocol. */
function requestFor(request: IncomingMessage, path: string): Request {
  const headers = new Headers()
  for (const name of HEADERS_IN) {
    const value = request.headers[name]
    if (typeof value === 'string') headers.set(name, value)
  }
  return new Request(`http://uploads${path}`, { method: String(request.method), headers })
}

function headersOf(response: Response): Record<string, string> {
  return Object.fromEntries(
    HEADERS_OUT.flatMap(name => {
      const value = response.headers.get(name)
      return value === null ? [] : [[name, value]]
    })
  )
}

/** What @tus/server refuses by itself, in our words. */
function refusalOf(failure: unknown): unknown {
  const { status_code: status, body } = Object(failure) as { status_code?: number; body?: string }
  if (failure instanceof Error || status === undefined) return failure
  const codes: Record<number, RefusalCode> = {
    404: 'upload-not-found',
    409: 'upload-offset-conflict',
    410: 'upload-not-found',
    412: 'tus-version-refused',
    413: 'upload-too-long'
  }
  const code = codes[status]
  return code === undefined ? invalid(String(body ?? status).trim()) : new Refusal(code, body)
}

function invalid(problem: string): Refusal {
  return new Refusal('request-invalid', 'tus', { problems: [problem] })
}
