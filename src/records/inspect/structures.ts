import { crc32 } from 'node:zlib'
import { Refusal } from '../../errors.ts'
import { startsAt } from './match.ts'
import type { FileType } from './signatures.ts'

/** How one accepted format, other than DICOM and plain text, is told and checked. */
export interface Structure {
  type: FileType
  begins(head: Buffer): boolean
  /** Throws a `Refusal` when what follows the first bytes is not of this format, or is cut off. */
  check(head: Buffer, isWhole: boolean): void
  /** Bytes that every whole file of this format holds; looked for when the head is all there is. */
  end?: Buffer
}

const hex = (digits: string) => Buffer.from(digits, 'hex')

const PNG_SIGNATURE = hex('89504e470d0a1a0a')
const PNG_IHDR_START = hex('0000000d49484452')
const PNG_IHDR_END = 33
const PNG_SIDE_PIXELS_MAX = 2 ** 31 - 1

/** Bit depths that each colour type of PNG allows: third edition, table 11.1. */
const pngBitDepths: Record<number, number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16]
}

const png: Structure = {
  type: 'image/png',
  begins: head => startsAt(head, PNG_SIGNATURE, 0),
  check(head) {
    need(head, PNG_IHDR_END, 'PNG')
    if (!startsAt(head, PNG_IHDR_START, 8)) refuse('PNG without IHDR')
    if (crc32(head.subarray(12, 29)) !== head.readUInt32BE(29)) refuse('PNG with a damaged IHDR')
    for (const side of [head.readUInt32BE(16), head.readUInt32BE(20)]) {
      if (side === 0 || side > PNG_SIDE_PIXELS_MAX) refuse('PNG with an impossible size')
    }
    const depths = pngBitDepths[head.readUInt8(25)] ?? []
    const [compression, filter, interlace] = [26, 27, 28].map(at => head.readUInt8(at))
    if (!depths.includes(head.readUInt8(24)) || compression !== 0 || filter !== 0) {
      refuse('PNG with an impossible format')
    }
    if (interlace !== 0 && interlace !== 1) refuse('PNG with an impossible format')
  },
  end: hex('49454e44ae426082')
}

const JPEG_START_OF_SCAN = 0xda

const jpeg: Structure = {
  type: 'image/jpeg',
  begins: head => startsAt(head, hex('ffd8ff'), 0),
  /** Walks from segment to segment until the scan begins or the head ends. */
  check(head, isWhole) {
    let at = 2
    while (at + 4 <= head.length) {
      if (head[at] !== 0xff) refuse('JPEG without a marker after a segment')
      const marker = head.readUInt8(at + 1)
      if (marker === 0xff) {
        // A marker may be padded with any number of these: ITU-T T.81 section B.1.1.2.
        at++
        continue
      }
      const length = head.readUInt16BE(at + 2)
      if (!isJpegSegment(marker) || length < 2) refuse('JPEG with an impossible segment')
      if (marker === JPEG_START_OF_SCAN) return
      at += 2 + length
    }
    if (isWhole) need(head, at + 4, 'JPEG')
  },
  end: hex('ffd9')
}

/** Frames and tables, then scans, application data and comments; no restarts, start or end. */
function isJpegSegment(marker: number): boolean {
  return (marker >= 0xc0 && marker <= 0xcf) || (marker >= 0xda && marker <= 0xfe)
}

/** Little and big endian, classic and BigTIFF. */
const tiffStarts = ['49492a00', '4d4d002a', '49492b00', '4d4d002b'].map(hex)

export const tiff: Structure = {
  type: 'image/tiff',
  begins: head => tiffStarts.some(start => startsAt(head, start, 0)),
  check(head, isWhole) {
    const isLittle = head[0] === 0x49
    const isBig = head[isLittle ? 2 : 3] === 0x2b
    const headerBytes = isBig ? 16 : 8
    need(head, headerBytes, 'TIFF')
    // The first directory is found by an offset, and begins with its number of entries: 4 and 2
    // bytes in classic TIFF, 8 and 8 in BigTIFF, whose header says so.
    const number = (at: number, bytes: number) => readNumber(head, at, bytes, isLittle)
    if (isBig && (number(4, 2) !== 8 || number(6, 2) !== 0)) refuse('BigTIFF with a wrong header')
    const [offset, countBytes] = isBig ? [number(8, 8), 8] : [number(4, 4), 2]
    if (offset < headerBytes || offset > Number.MAX_SAFE_INTEGER) {
      refuse('TIFF whose first directory lies nowhere')
    }
    if (isWhole) need(head, offset + countBytes, 'TIFF')
    if (offset + countBytes <= head.length && number(offset, countBytes) === 0) {
      refuse('TIFF with an empty first directory')
    }
  }
}

function readNumber(head: Buffer, at: number, bytes: number, isLittle: boolean): number {
  const field = Buffer.from(head.subarray(at, at + bytes))
  if (isLittle) field.reverse()
  return Number(BigInt(`0x${field.toString('hex')}`))
}

const pdf: Structure = {
  type: 'application/pdf',
  // At the very beginning. Readers search further, which is how a file is two formats at once.
  begins: head => startsAt(head, Buffer.from('%PDF-'), 0),
  check(head) {
    need(head, 8, 'PDF')
    if (!/^%PDF-[12]\.\d/.test(head.toString('latin1', 0, 8))) refuse('PDF of an unknown version')
  },
  end: Buffer.from('%%EOF')
}

const AGE_START = 'age-encryption.org/v1\n'

const age: Structure = {
  type: 'application/age',
  begins: head => startsAt(head, Buffer.from(AGE_START), 0),
  check(head) {
    need(head, AGE_START.length + 3, 'age')
    const stanza = head.toString('latin1', AGE_START.length, AGE_START.length + 3)
    if (stanza !== '-> ') refuse('age without a recipient')
  }
}

const ARMOUR_START = '-----BEGIN AGE ENCRYPTED FILE-----'
/** `AGE_START` in base64, as far as its last whole group of three bytes. */
const ARMOURED_AGE_START = Buffer.from(AGE_START).subarray(0, 21).toString('base64')

const armouredAge: Structure = {
  type: 'application/age',
  begins: head => startsAt(head, Buffer.from(ARMOUR_START), 0),
  check(head) {
    const [first, second = ''] = head.toString('latin1').split(/\r?\n/)
    if (first !== ARMOUR_START) refuse('age armour with a wrong first line')
    need(head, ARMOUR_START.length + 2 + ARMOURED_AGE_START.length, 'age armour')
    if (!second.startsWith(ARMOURED_AGE_START)) refuse('armour around no age file')
  },
  end: Buffer.from('-----END AGE ENCRYPTED FILE-----')
}

export const structures: readonly Structure[] = [png, jpeg, tiff, pdf, age, armouredAge]

/** A format that has begun but not come to the end of its header was cut on its way. */
function need(head: Buffer, bytes: number, format: string): void {
  if (head.length < bytes) throw new Refusal('file-truncated', `${format} cut in its header`)
}

function refuse(detail: string): never {
  throw new Refusal('file-type-refused', detail)
}
