import type { IncomingMessage } from 'node:http'
import type { Caller } from '../identity/principal.ts'

// What of tus 1.0 is spoken here (tus.io/protocols/resumable-upload).

export const UPLOADS = '/v1/uploads'
export const TUS_VERSION = '1.0.0'
export const TUS_EXTENSIONS =
  'creation,creation-with-upload,checksum,expiration,termination,concatenation'
/** As node:crypto names them; tus wants the first. */
export const CHECKSUM_ALGORITHMS = ['sha1', 'sha256', 'sha512']

export interface TusAnswer {
  status: number
  headers: Record<string, string>
}

/** Answers requests to upload resources. Throws what is to be refused. */
export type AnswerTus = (
  caller: Caller,
  request: IncomingMessage,
  path: string
) => Promise<TusAnswer>
