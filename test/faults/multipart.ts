import type { TestExchange } from '../helpers/exchange.ts'

/** One part of a multipart/form-data body (RFC 7578), as a test wants it on the wire. */
export interface Part {
  name: string
  /** A part with a file name is a file. */
  fileName?: string
  type?: string
  /** Further header lines. */
  headers?: string[]
  body: string | Buffer
}

export const BOUNDARY = 'faults0boundary'
export const formType = `multipart/form-data; boundary=${BOUNDARY}`

export const goodFields: Part[] = [
  { name: 'kind', body: 'letter' },
  { name: 'title', body: 'Heron letter' },
  { name: 'date', body: '2026-11-02' }
]

export function filePart(body: string | Buffer, change: Partial<Part> = {}): Part {
  return { name: 'file', fileName: 'letter.txt', type: 'text/plain', body, ...change }
}

/** The body. Without `whole` the final boundary is missing. */
export function formBody(parts: Part[], whole = true): Buffer {
  const pieces = parts.flatMap(part => [
    Buffer.from(`--${BOUNDARY}\r\n${headersOf(part).join('\r\n')}\r\n\r\n`),
    Buffer.from(part.body),
    Buffer.from('\r\n')
  ])
  return Buffer.concat([...pieces, Buffer.from(whole ? `--${BOUNDARY}--\r\n` : '')])
}

function headersOf({ name, fileName, type, headers = [] }: Part): string[] {
  const file = fileName === undefined ? '' : `; filename="${fileName}"`
  return [
    `Content-Disposition: form-data; name="${name}"${file}`,
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
    ...headers
  ]
}

/** Where each part of a body begins and ends: the places where a parser changes its mind. */
export function boundariesOf(body: Buffer): number[] {
  const places = new Set<number>()
  for (const mark of [`--${BOUNDARY}`, '\r\n\r\n', '\r\n']) {
    for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at + 1)) {
      for (const offset of [-1, 0, 1, mark.length - 1, mark.length, mark.length + 1]) {
        const place = at + offset
        if (place >= 0 && place < body.length) places.add(place)
      }
    }
  }
  return [...places].sort((a, b) => a - b)
}

/** Sends a form, byte for byte, as the clinician, and gives the answer. */
export async function postForm(
  x: TestExchange,
  path: string,
  body: Buffer,
  headers: Record<string, string> = {}
): Promise<{ status: number; code?: unknown; text: string; json: Record<string, unknown> }> {
  const all = { 'content-type': formType, 'content-length': String(body.length), ...headers }
  const call = await x.raw('clinician', `POST ${path}`, all, body)
  const { status } = await call.head()
  const text = (await call.rest()).toString()
  const isJson = text.startsWith('{') && text.endsWith('}')
  const json: Record<string, unknown> = isJson ? JSON.parse(text) : {}
  return { status, ...(json['code'] !== undefined && { code: json['code'] }), text, json }
}
