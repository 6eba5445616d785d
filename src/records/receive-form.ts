import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Limits } from '../config.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf } from '../http/area.ts'
import { refusalOf } from '../http/streams.ts'
import type { UploadPart } from './form.ts'
import { partsOf } from './parts.ts'

/** Fields besides the digests, of which there may be one for each file. */
const FORM_FIELDS_MAX = 20

/** Lets the routes of `app` take multipart/form-data, within the limits of an upload. */
export async function takeForms(app: FastifyInstance, limits: Limits): Promise<void> {
  await app.register(multipart, {
    throwFileSizeLimit: false,
    limits: {
      fileSize: limits.objectBytesMax,
      fieldSize: limits.fieldBytesMax,
      fieldNameSize: 100,
      // One more than allowed, so that the flow counts and gives its own answer.
      files: limits.objectsPerRecordMax + 1,
      fields: limits.objectsPerRecordMax + FORM_FIELDS_MAX,
      parts: 2 * limits.objectsPerRecordMax + FORM_FIELDS_MAX,
      headerPairs: 20
    }
  })
}

/** Takes the form of a request, while it has one of the account's places for uploads. */
export async function receiveForm<T>(
  exchange: Pick<Exchange, 'uploads'>,
  request: FastifyRequest,
  take: (parts: AsyncIterable<UploadPart>) => Promise<T>
): Promise<T> {
  if (!request.isMultipart()) throw new Refusal('media-type-refused')
  const place = await exchange.uploads.enter(callerOf(request), ending =>
    request.raw.destroy(refusalOf(ending))
  )
  return await take(partsOf(request)).finally(place.leave)
}
