import { createSecretKey, type KeyObject } from 'node:crypto'
import { pseudonymiseDicom } from '../../src/records/deidentify/deidentify.ts'
import type { Pull } from '../../src/records/deidentify/dicom-source.ts'
import {
  elementBytes,
  explicitBig,
  explicitLittle,
  headerBytes,
  ITEM,
  ITEM_END,
  implicitLittle,
  SEQUENCE_END,
  type Syntax
} from '../../src/records/deidentify/elements.ts'
import { examineDicom } from '../../src/records/deidentify/examine.ts'
import { headBytes } from '../../src/records/deidentify/part-10.ts'
import { pseudonymsOf } from '../../src/records/deidentify/pseudonyms.ts'
import { tagOf } from '../../src/records/deidentify/representations.ts'

/** An element of a test: its tag, its representation, and its value or the items of a sequence. */
export type Planted = [tag: string, representation: string, value: string | Buffer | Planted[][]]

export const syntaxes = {
  'implicit little': { uid: '1.2.840.10008.1.2', syntax: implicitLittle },
  'explicit little': { uid: '1.2.840.10008.1.2.1', syntax: explicitLittle },
  'explicit big': { uid: '1.2.840.10008.1.2.2', syntax: explicitBig }
} as const
export type SyntaxName = keyof typeof syntaxes

export const CT = '1.2.840.10008.5.1.4.1.1.2'
const instance = '1.2.826.0.1.3680043.8.498.77'

/** A CT slice with these elements instead of, or besides, its own. */
export function ctSlice(
  planted: Planted[] = [],
  name: SyntaxName = 'explicit little',
  isDelimited = false
): Buffer {
  const own: Planted[] = [
    ['0008,0005', 'CS', 'ISO_IR 100'],
    ['0008,0008', 'CS', 'ORIGINAL\\PRIMARY\\AXIAL'],
    ['0008,0016', 'UI', CT],
    ['0008,0018', 'UI', instance],
    ['0008,0020', 'DA', '20240229'],
    ['0008,0030', 'TM', '101500'],
    ['0008,0060', 'CS', 'CT'],
    ['0010,0010', 'PN', 'QUILLFEATHER^Ottoline'],
    ['0010,0020', 'LO', '9990000018'],
    ['0010,0030', 'DA', '19510317'],
    ['0010,0040', 'CS', 'F'],
    ['0020,000D', 'UI', '1.2.826.0.1.3680043.8.498.1'],
    ['0020,000E', 'UI', '1.2.826.0.1.3680043.8.498.2'],
    ['0028,0004', 'CS', 'MONOCHROME2'],
    ['0028,0010', 'US', Buffer.from([4, 0])],
    ['7FE0,0010', 'OW', Buffer.alloc(32, 0x5a)]
  ]
  const tags = new Set(planted.map(([tag]) => tag))
  const all = [...own.filter(([tag]) => !tags.has(tag)), ...planted]
  all.sort(([a], [b]) => tagOf(a) - tagOf(b))
  const { uid, syntax } = syntaxes[name]
  const head = { transferSyntax: uid, sopClass: CT, syntax, isDeflated: false }
  return Buffer.concat([headBytes(head, CT, instance), dataSetBytes(all, syntax, isDelimited)])
}

/** A CT slice whose pixel data are in fragments, behind this table of offsets. */
export function fragmentedSlice(
  transferSyntax: string,
  fragments: Buffer[],
  { table = Buffer.alloc(0), planted = [] }: { table?: Buffer; planted?: Planted[] } = {}
): Buffer {
  const syntax = explicitLittle
  const head = { transferSyntax, sopClass: CT, syntax, isDeflated: false }
  const mark = (tag: number, length: number | undefined, representation = '') =>
    headerBytes({ tag, representation, length }, syntax)
  const plain = ctSlice(planted)
  // The data set without its head and its pixel data, which take 12 and 32 bytes.
  const start = headBytes(
    { ...head, transferSyntax: syntaxes['explicit little'].uid },
    CT,
    instance
  )
  return Buffer.concat([
    headBytes(head, CT, instance),
    plain.subarray(start.length, -44),
    mark(0x7fe00010, undefined, 'OB'),
    ...[table, ...fragments].flatMap(piece => [mark(ITEM, piece.length), piece]),
    mark(SEQUENCE_END, 0)
  ])
}

/** A data set as it is written, with sequences of defined length or delimited. */
export function dataSetBytes(elements: Planted[], syntax: Syntax, isDelimited: boolean): Buffer {
  return Buffer.concat(
    elements.map(([tag, representation, value]) => {
      if (!Array.isArray(value)) {
        return elementBytes(tagOf(tag), representation, Buffer.from(value), syntax)
      }
      const mark = (of: number, length: number | undefined) =>
        headerBytes({ tag: of, representation: '', length }, syntax)
      const items = value.map(item => {
        const content = dataSetBytes(item, syntax, isDelimited)
        return isDelimited
          ? Buffer.concat([mark(ITEM, undefined), content, mark(ITEM_END, 0)])
          : Buffer.concat([mark(ITEM, content.length), content])
      })
      if (!isDelimited) {
        return elementBytes(tagOf(tag), representation, Buffer.concat(items), syntax)
      }
      const header = headerBytes({ tag: tagOf(tag), representation, length: undefined }, syntax)
      return Buffer.concat([header, ...items, mark(SEQUENCE_END, 0)])
    })
  )
}

/** The bytes in pieces of this size, in memory that is used again as the service's own is. */
export function piecesOf(bytes: Buffer, size: number): Pull {
  const memory = [0, 1].map(() => Buffer.alloc(size))
  let [at, turn] = [0, 0]
  return async () => {
    if (at >= bytes.length) return undefined
    const into = memory[turn] as Buffer
    turn = 1 - turn
    const copied = bytes.copy(into, 0, at, at + size)
    at += copied
    return into.subarray(0, copied)
  }
}

export const testKey = (fill: number): KeyObject => createSecretKey(Buffer.alloc(32, fill))

export interface CopyOptions {
  key?: KeyObject
  pieceBytes?: number
  isReviewed?: boolean
  names?: string[]
}

/** The pseudonymised copy of a file, with what was seen of it before. */
export async function copyOf(bytes: Buffer, options: CopyOptions = {}) {
  const { key = testKey(1), pieceBytes = 4096, isReviewed = false, names = [] } = options
  const examined = await examineDicom(piecesOf(bytes, pieceBytes))
  const pieces: Buffer[] = []
  await pseudonymiseDicom(piecesOf(bytes, pieceBytes), async piece => void pieces.push(piece), {
    pseudonyms: pseudonymsOf(key),
    examined,
    names: new Set(names),
    isReviewed
  })
  return { copy: Buffer.concat(pieces), examined }
}
