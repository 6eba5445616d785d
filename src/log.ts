import pino, { type DestinationStream, type Logger } from 'pino'
import { BlobError } from './blobs/blobs.ts'
import { Refusal } from './errors.ts'
import { SealError } from './sealing/seal-error.ts'

const BUFFER_BYTES = 4096
const FLUSH_MILLISECONDS = 500

/**
 * The operator's log: JSON lines without a name, number, file name, token or key. Messages of
 * errors we did not write may quote what they failed on, so only where they happened is kept.
 */
export function createLogger(
  level: string,
  destination: DestinationStream = bufferedOutput()
): Logger {
  const options = {
    level,
    base: null,
    // At level trace the multipart parser logs what it was given: all headers, the token among them.
    redact: { paths: ['busboyOptions', 'headers'], remove: true },
    serializers: {
      err: describeError,
      // A URL may carry what a caller should not have put there; the route says enough.
      req: (request: { id?: unknown; method?: string; routeOptions?: { url?: string } }) => ({
        id: request.id,
        method: request.method,
        route: request.routeOptions?.url
      }),
      res: (reply: { statusCode?: number }) => ({ status: reply.statusCode })
    }
  }
  return pino(options, destination)
}

/**
 * Standard output, written a few KiB at a time: a system call for each line costs more than the line.
 * What is still waiting is written when the process ends, but not when it is killed; what must not
 * be lost is in the access log.
 */
function bufferedOutput(): DestinationStream {
  return pino.destination({
    sync: false,
    minLength: BUFFER_BYTES,
    periodicFlush: FLUSH_MILLISECONDS
  })
}

function describeError(err: unknown): Record<string, unknown> {
  if (!(err instanceof Error)) return { type: typeof err }
  const ours = err instanceof Refusal || err instanceof SealError || err instanceof BlobError
  return {
    type: err.name,
    ...('code' in err && { code: err.code }),
    ...(ours && { message: err.message }),
    at: err.stack?.split('\n').filter(line => line.startsWith('    at ')),
    ...(err.cause !== undefined && { cause: describeError(err.cause) })
  }
}
