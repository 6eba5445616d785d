import type { Readable } from 'node:stream'
import { Value } from 'typebox/value'
import { RecordFields } from '../../schemas/record.ts'
import type { Limits } from '../config.ts'
import { Refusal } from '../errors.ts'

/** One part of a multipart/form-data body (RFC 7578), as @fastify/multipart gives it. */
export type UploadPart =
  | { type: 'field'; fieldname: string; value: unknown; valueTruncated: boolean }
  | { type: 'file'; file: Readable & { truncated?: boolean }; filename: string; mimetype: string }

/** One file of the form, still arriving. */
export interface IncomingFile {
  /** From 1. */
  position: number
  body: Readable & { truncated?: boolean }
  declared: { contentType?: string; fileName?: string }
  /** What its sender says its SHA-256 is. */
  sha256: Buffer | undefined
}

export interface RecordForm {
  /** The files in order. Each must be read to its end before the next is asked for. */
  files: AsyncIterable<IncomingFile>
  /** The fields; known once the first file has come, or all parts. */
  fields(): RecordFields
}

const DIGEST_FIELD = 'repr-digest'
const SHA256_BYTES = 32

/**
 * Reads the form: kind, title and date before the first file, and before any file optionally the
 * field `repr-digest` with the value of the Repr-Digest header (RFC 9530, section 3) of that file.
 * RFC 7578, section 4.8 tells receivers to ignore such a header inside a part, hence the field.
 * A `kind` that is given is not asked for.
 */
export function recordForm(
  parts: AsyncIterable<UploadPart>,
  limits: Limits,
  kind?: RecordFields['kind']
): RecordForm {
  const values: Record<string, unknown> = kind === undefined ? {} : { kind }
  let fields: RecordFields | undefined
  let digest: Buffer | undefined

  function takeField(name: string, value: unknown, truncated: boolean): void {
    if (truncated) throw invalid(`a field is longer than ${limits.fieldBytesMax} bytes`)
    if (typeof value !== 'string') throw invalid('a field is not text')
    if (name === DIGEST_FIELD) {
      // A second one, or one behind its file, would let a file pass unchecked.
      if (digest !== undefined) throw new Refusal('digest-invalid', 'two before one file')
      digest = parseDigest(value)
    } else if (fields !== undefined) throw new Refusal('fields-first')
    // Kept out at once: thousands of them would otherwise be held in memory.
    else if (!Object.hasOwn(RecordFields.properties, name)) throw invalid('a field is not known')
    else if (Object.hasOwn(values, name)) throw invalid(`${name} was sent twice`)
    else values[name] = value
  }

  async function* files(): AsyncGenerator<IncomingFile> {
    let position = 0
    for await (const part of parts) {
      if (part.type === 'field') {
        takeField(part.fieldname, part.value, part.valueTruncated)
        continue
      }
      fields ??= checkFields(values)
      position += 1
      if (position > limits.objectsPerRecordMax) {
        throw new Refusal('too-many-files', undefined, { filePosition: position })
      }
      const sha256 = digest
      digest = undefined
      yield {
        position,
        body: part.file,
        declared: { contentType: part.mimetype, fileName: part.filename },
        sha256
      }
    }
    if (digest !== undefined) throw new Refusal('digest-invalid', 'behind the last file')
  }

  return { files: files(), fields: () => (fields ??= checkFields(values)) }
}

function checkFields(values: Record<string, unknown>): RecordFields {
  if (Value.Check(RecordFields, values)) return values
  const problems = [...Value.Errors(RecordFields, values)].map(
    error => `${error.instancePath.slice(1) || 'form'} ${error.message}`
  )
  throw new Refusal('request-invalid', 'form fields', { problems })
}

/** The sha-256 member of a Repr-Digest value, a structured-field dictionary (RFC 9530, RFC 9651). */
function parseDigest(value: string): Buffer {
  const encoded = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]+={0,2}):\s*(?:,|$)/.exec(value)?.[1]
  const digest = Buffer.from(encoded ?? '', 'base64')
  if (digest.byteLength !== SHA256_BYTES) throw new Refusal('digest-invalid')
  return digest
}

function invalid(problem: string): Refusal {
  return new Refusal('request-invalid', 'form fields', { problems: [problem] })
}
