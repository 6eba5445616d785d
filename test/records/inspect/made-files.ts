import { crc32 } from 'node:zlib'

/** Small whole files of each accepted format, made by the book. */

export function bytes(text: string, encoding: BufferEncoding = 'utf8'): Buffer {
  return Buffer.from(text, encoding)
}

const TRANSFER_SYNTAX = '1.2.840.10008.1.2.1\0'

/** Group 0002 with its length and a transfer syntax. */
export function fileMeta(groupBytes = 8 + TRANSFER_SYNTAX.length): Buffer {
  const length = Buffer.from('02000000554c040000000000', 'hex')
  length.writeUInt32LE(groupBytes, 8)
  const syntax = Buffer.from('020010005549', 'hex')
  const syntaxBytes = Buffer.alloc(2)
  syntaxBytes.writeUInt16LE(TRANSFER_SYNTAX.length)
  return Buffer.concat([length, syntax, syntaxBytes, bytes(TRANSFER_SYNTAX)])
}

export function dicom({ preamble = bytes(''), meta = fileMeta() } = {}): Buffer {
  const first = Buffer.alloc(128)
  preamble.copy(first)
  return Buffer.concat([first, bytes('DICM'), meta])
}

function chunk(type: string, data: Buffer, damaged = false): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(data.length)
  const body = Buffer.concat([bytes(type), data])
  const tail = Buffer.alloc(4)
  tail.writeUInt32BE(damaged ? crc32(body) ^ 1 : crc32(body))
  return Buffer.concat([head, body, tail])
}

/** One grey pixel. */
export function png({ width = 1, bitDepth = 8, damaged = false } = {}): Buffer {
  const header = Buffer.from('00000000000000010000000000', 'hex')
  header.writeUInt32BE(width)
  header.writeUInt8(bitDepth, 8)
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header, damaged),
    chunk('IDAT', Buffer.from('78da63000000020001', 'hex')),
    chunk('IEND', Buffer.alloc(0))
  ])
}

export function jpeg({ padding = 0 } = {}): Buffer {
  const segments = ['ffe000104a46494600010100000100010000', 'ffc0000b080001000101011100']
  const scan = 'ffda00080101000003f037'
  const pad = 'ff'.repeat(padding)
  return Buffer.from(`ffd8${segments.map(part => pad + part).join('')}${pad}${scan}ffd9`, 'hex')
}

/** A header, then a directory whose one entry says that the image is one pixel wide. */
export function tiff({ little, big }: { little: boolean; big: boolean }): Buffer {
  const numbers = big
    ? '43/2 8/2 0/2 16/8 1/8 256/2 3/2 1/8 1/2 0/6 0/8'
    : '42/2 8/4 1/2 256/2 3/2 1/4 1/2 0/2 0/4'
  const fields = numbers.split(' ').map(field => field.split('/').map(Number))
  const parts = fields.map(([value = 0, bytes = 0]) => {
    const field = Buffer.alloc(bytes)
    field.writeUInt16BE(value, bytes - 2)
    return little ? field.reverse() : field
  })
  return Buffer.concat([bytes(little ? 'II' : 'MM'), ...parts])
}

export function pdf(version: string): Buffer {
  return bytes(`%PDF-${version}\n1 0 obj\n<< >>\nendobj\ntrailer\n<< >>\n%%EOF`)
}

/** The beginning of an age file, and the same in armour. No recipient could open either. */
export function ageFile(): { binary: Buffer; armoured: Buffer } {
  const binary = bytes('age-encryption.org/v1\n-> X25519 dGVzdA\ndGVzdA\n--- dGVzdA\n\x01\x02\x03')
  const lines = binary.toString('base64').replace(/.{64}/g, '$&\n')
  return {
    binary,
    armoured: bytes(
      `-----BEGIN AGE ENCRYPTED FILE-----\n${lines}\n-----END AGE ENCRYPTED FILE-----`
    )
  }
}
