import {
  createSealer,
  HEADER_BYTES,
  openHeader,
  PLAIN_READ_BYTES,
  SEALED_CHUNK_BYTES,
  SEALED_READ_BYTES,
  type SealedObject
} from '../../src/sealing/stream.ts'

/** Seals a whole object, fed in pieces of `pieceBytes`. */
export function sealWhole(
  object: Parameters<typeof createSealer>[0],
  plain: Uint8Array,
  pieceBytes = Math.max(1, plain.byteLength)
): Buffer {
  const sealer = createSealer(object)
  const parts: Buffer[] = [sealer.header()]
  const write = (sealed: Uint8Array) => parts.push(Buffer.from(sealed))
  for (let at = 0; at < plain.byteLength; at += pieceBytes) {
    sealer.update(plain.subarray(at, at + pieceBytes), write)
  }
  sealer.final(write)
  return Buffer.concat(parts)
}

export interface Opening {
  inputKey: SealedObject['inputKey']
  context: Uint8Array
  plainLength?: number
}

/** Opens a whole blob in reads of 64 chunks, collecting into `opened` what was authenticated. */
export function openWhole(opening: Opening, blob: Buffer, opened: Buffer[] = []): Buffer {
  const header = blob.subarray(0, HEADER_BYTES)
  const opener = openHeader({ ...opening, header, blobLength: blob.byteLength })
  const into = Buffer.alloc(PLAIN_READ_BYTES)
  let chunk = 0
  for (let at = HEADER_BYTES; at < blob.byteLength; at += SEALED_READ_BYTES) {
    const bytes = opener.openChunks(blob.subarray(at, at + SEALED_READ_BYTES), chunk, into)
    opened.push(Buffer.from(into.subarray(0, bytes)))
    chunk += SEALED_READ_BYTES / SEALED_CHUNK_BYTES
  }
  return Buffer.concat(opened)
}

/** Opens a whole blob chunk by chunk, collecting into `opened` what was authenticated. */
export function openByChunk(opening: Opening, blob: Buffer, opened: Buffer[] = []): Buffer {
  const header = blob.subarray(0, HEADER_BYTES)
  const opener = openHeader({ ...opening, header, blobLength: blob.byteLength })
  for (let chunk = 0; chunk <= opener.lastChunk; chunk += 1) {
    const start = HEADER_BYTES + chunk * SEALED_CHUNK_BYTES
    opened.push(opener.openChunk(chunk, blob.subarray(start, start + SEALED_CHUNK_BYTES)))
  }
  return Buffer.concat(opened)
}
