import { createHash, randomInt } from 'node:crypto'
import type { DraftView } from '../../schemas/draft.ts'
import type { Answer, Client } from '../helpers/client.ts'
import type { RecordView } from '../helpers/story.ts'

// tus as a client speaks it, one request at a time.

export const TUS = { 'tus-resumable': '1.0.0' }
const STREAM = { 'content-type': 'application/offset+octet-stream' }

export function beginDraft(client: Client, caseId: string): Promise<DraftView> {
  const fields = { kind: 'scan', title: 'Unremarkable heron document', date: '2026-11-02' }
  return client.json('POST', `/v1/cases/${caseId}/drafts`, fields)
}

/** Upload-Metadata: keys, each with its value in Base64. */
export function metadata(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key} ${Buffer.from(String(value)).toString('base64')}`)
    .join(',')
}

export function sendBegin(
  client: Client,
  bytes: number,
  values: Record<string, string | number>,
  headers: Record<string, string> = {}
): Promise<Answer> {
  return client.send('POST', '/v1/uploads', undefined, {
    ...TUS,
    'upload-length': String(bytes),
    'upload-metadata': metadata(values),
    ...headers
  })
}

/** Begins an upload and resolves to its path. */
export async function beginUpload(
  client: Client,
  bytes: number,
  values: Record<string, string | number>,
  headers: Record<string, string> = {}
): Promise<string> {
  const answer = await sendBegin(client, bytes, values, headers)
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`)
  return String(answer.headers.get('location'))
}

export async function sendPatch(
  client: Client,
  path: string,
  offset: number,
  bytes: Buffer,
  headers: Record<string, string> = {}
): Promise<Answer> {
  const body = new Uint8Array(bytes)
  return client.send('PATCH', path, body, {
    ...TUS,
    ...STREAM,
    'upload-offset': String(offset),
    ...headers
  })
}

/** Where an upload goes on. */
export async function offsetOf(client: Client, path: string): Promise<number> {
  const answer = await client.send('HEAD', path, undefined, TUS)
  const challenge = answer.headers.get('www-authenticate') ?? ''
  if (answer.status !== 200) throw new Error(`HEAD ${answer.status} ${challenge}`)
  return Number(answer.headers.get('upload-offset'))
}

/** Sends a file in pieces of these lengths, the last of which is repeated until all is sent. */
export async function sendInPieces(
  client: Client,
  path: string,
  file: Buffer,
  lengths: number[]
): Promise<void> {
  for (let at = 0, n = 0; at < file.length; n += 1) {
    const length = lengths[Math.min(n, lengths.length - 1)] ?? file.length
    const answer = await sendPatch(client, path, at, file.subarray(at, at + length))
    if (answer.status !== 204) throw new Error(`PATCH at ${at}: ${answer.status} ${answer.text}`)
    at = Number(answer.headers.get('upload-offset'))
  }
}

export function complete(client: Client, draftId: string): Promise<RecordView> {
  return client.json('POST', `/v1/drafts/${draftId}/complete`)
}

export function readDraft(client: Client, draftId: string): Promise<DraftView> {
  return client.json('GET', `/v1/drafts/${draftId}`)
}

/** A plain-text file in which every place can be told from every other. */
export const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** Lengths of pieces that a file of so many bytes falls into. */
export function randomPieces(bytes: number, pieceMax: number): number[] {
  const lengths = []
  for (let left = bytes; left > 0; left -= lengths.at(-1) ?? 0) {
    lengths.push(Math.min(left, randomInt(0, pieceMax + 1)))
  }
  return lengths
}
