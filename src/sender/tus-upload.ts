import { createReadStream, type ReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { DetailedError, Upload } from 'tus-js-client'
import type { Outgoing } from './outgoing.ts'
import { LineBroken, Refused } from './problem.ts'
import type { Progress } from './progress.ts'
import type { Session } from './session.ts'

const STALL_MILLISECONDS = 120_000

export interface Wanted {
  draft: string
  /** From 1, in the record. */
  position: number
  /** The upload to go on with, if it was begun before. */
  upload: string | undefined
}

/**
 * Sends one file into a draft by tus, from where it stands: once, without waiting anything out.
 * Whether an upload was begun whose answer was lost, the draft tells. Throws Refused, LineBroken or,
 * with its code, why the file cannot be read.
 */
export async function tusUpload(
  session: Session,
  file: Outgoing,
  wanted: Wanted,
  progress: Progress
): Promise<void> {
  // Asked for first: what is thrown inside of the library would come back as a fault of the line.
  await session.authorization()
  await requireReadable(file)
  const source = sourceOf(file)
  let told = 0
  let settled = false
  await new Promise<void>((resolve, reject) => {
    const settle = (act: () => void) => {
      if (settled) return
      settled = true
      clearTimeout(stall)
      source.close()
      session.signal.removeEventListener('abort', stop)
      act()
    }
    const fail = (err: Error) =>
      settle(() => {
        progress.moved(-told)
        void upload.abort().catch(() => {})
        reject(err)
      })
    const stop = () => fail(new LineBroken('Interrupted.'))
    const stall = setTimeout(() => fail(new LineBroken('Nothing moves.')), STALL_MILLISECONDS)
    source.onError = fail
    const upload = new Upload(file.path as unknown as File, {
      ...placeOf(session, wanted),
      fileReader: { openFile: async () => source },
      metadata: {
        draft: wanted.draft,
        position: String(wanted.position),
        filename: file.name
      },
      uploadSize: file.bytes,
      uploadDataDuringCreation: true,
      storeFingerprintForResuming: false,
      // Waiting is done by whoever calls, by one rule for all requests.
      retryDelays: null,
      async onBeforeRequest(request) {
        request.setHeader('authorization', await session.authorization())
      },
      onProgress(bytes) {
        stall.refresh()
        if (settled) return
        progress.moved(bytes - told)
        told = bytes
      },
      onSuccess: () => settle(resolve),
      onError: err => fail(errorOf(err, session))
    })
    session.signal.addEventListener('abort', stop)
    upload.start()
  })
}

/**
 * A file as the library asks for it, piece by piece. Its own way leaves a piece open whose request broke
 * off, and tells nobody of one that cannot be read on: a line that breaks often would use up all the
 * files that a process may have open.
 */
function sourceOf({ path, bytes }: Outgoing) {
  const pieces = new Set<ReadStream>()
  const source = {
    size: bytes,
    onError: (_err: Error) => {},
    async slice(start: number, end: number) {
      const piece = createReadStream(path, { start, end: end - 1 })
      pieces.add(piece)
      piece.on('error', err => source.onError(err))
      piece.on('close', () => pieces.delete(piece))
      // By its size the library knows how far the request will get.
      return { value: Object.assign(piece, { size: end - start }), done: end >= bytes }
    },
    close() {
      for (const piece of pieces) piece.destroy()
    }
  }
  return source
}

/** Asked anew each time: no line that comes back brings a file back that is gone or has changed. */
async function requireReadable({ path, bytes }: Outgoing): Promise<void> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    if (size !== bytes) throw Object.assign(new Error('It has another size.'), { code: 'changed' })
  } finally {
    await file.close()
  }
}

/** An upload that is over must not be begun anew by the library: the draft tells why it is over. */
function placeOf({ origin }: Session, { upload }: Wanted) {
  if (upload === undefined) return { endpoint: `${origin}/v1/uploads` }
  return { endpoint: null, uploadUrl: `${origin}/v1/uploads/${upload}` }
}

function errorOf(err: Error | DetailedError, session: Session): Error {
  const response = err instanceof DetailedError ? err.originalResponse : null
  if (!(err instanceof DetailedError) || response === null)
    return new LineBroken('The service cannot be reached, or the line broke.')
  const refused = new Refused(
    response.getStatus(),
    response.getBody(),
    response.getHeader('retry-after')
  )
  return session.tookToken(refused, err.originalRequest.getHeader('authorization') ?? '')
}
