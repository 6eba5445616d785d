import type { FastifyError, FastifyRequest } from 'fastify'
import { Refusal } from '../errors.ts'
import type { UploadPart } from './form.ts'

/**
 * The parts of an upload as they arrive. A client that goes away is Refusal `file-truncated`, and a
 * body the parser cannot read is Refusal `request-invalid`: neither is a fault of ours.
 */
export async function* partsOf(request: FastifyRequest): AsyncGenerator<UploadPart> {
  // The parser waits for ever for a client that was gone before it began to listen.
  if (request.raw.destroyed) throw new Refusal('file-truncated', 'gone before its body was read')
  try {
    yield* request.parts() as AsyncIterable<UploadPart>
  } catch (err) {
    throw refusalOf(request, err)
  }
}

function refusalOf(request: FastifyRequest, err: unknown): unknown {
  if (err instanceof Refusal) return err
  const { code, statusCode, message = '' } = err as Partial<FastifyError>
  const isCut =
    code === 'FST_MP_PREMATURE_CLOSE' || /unexpected end|terminated early/i.test(message)
  if (isCut || !request.raw.complete) return new Refusal('file-truncated', code, {}, err)
  // Errors of the plugin have a status; those of the parser below it are plain.
  return statusCode === undefined ? new Refusal('request-invalid', 'multipart', {}, err) : err
}
