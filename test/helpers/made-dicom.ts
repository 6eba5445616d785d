import { deflateRawSync } from 'node:zlib'

/** DICOM files made by the book, element by element, and files made to break a reader. */

export const syntaxes = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  deflated: '1.2.840.10008.1.2.1.99',
  big: '1.2.840.10008.1.2.2'
} as const
export type Syntax = keyof typeof syntaxes

/** Value representations whose length takes four bytes, behind two that are empty. */
const long = new Set(['OB', 'OW', 'OF', 'SQ', 'UN', 'UT', 'UC'])

/** "0010,0010 PN" and its value; text is padded to an even length. */
export type Element = [tag: string, value: string | Buffer]

export function element(
  [tag, value]: Element,
  syntax: Syntax = 'explicit',
  length?: number
): Buffer {
  const [, group = '', member = '', vr = ''] = /^(\w{4}),(\w{4}) (\w\w)$/.exec(tag) ?? []
  const bytes = Buffer.isBuffer(value) ? value : padded(value, vr)
  const isBig = syntax === 'big'
  const short = (n: number) => {
    const field = Buffer.alloc(2)
    if (isBig) field.writeUInt16BE(n)
    else field.writeUInt16LE(n)
    return field
  }
  const word = (n: number) => {
    const field = Buffer.alloc(4)
    if (isBig) field.writeUInt32BE(n)
    else field.writeUInt32LE(n)
    return field
  }
  const claimed = length ?? bytes.length
  const head = [short(Number.parseInt(group, 16)), short(Number.parseInt(member, 16))]
  if (syntax === 'implicit') return Buffer.concat([...head, word(claimed), bytes])
  if (!long.has(vr)) return Buffer.concat([...head, Buffer.from(vr), short(claimed), bytes])
  return Buffer.concat([...head, Buffer.from(vr), short(0), word(claimed), bytes])
}

function padded(text: string, vr: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length % 2 === 0) return bytes
  return Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')])
}

/** Preamble, prefix and group 0002 for this syntax. */
export function fileMetaOf(syntax: string, preamble = Buffer.alloc(128)): Buffer {
  const group = element(['0002,0010 UI', syntax])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(group.length)
  return Buffer.concat([preamble, Buffer.from('DICM'), element(['0002,0000 UL', length]), group])
}

/** A file of these elements, in this order. */
export function dicomOf(elements: Element[], syntax: Syntax = 'explicit'): Buffer {
  const body = Buffer.concat(elements.map(each => element(each, syntax)))
  return Buffer.concat([
    fileMetaOf(syntaxes[syntax]),
    syntax === 'deflated' ? deflateRawSync(body) : body
  ])
}

export interface MadeScan {
  characterSet?: string
  modality?: string
  study?: string
  series?: string
  instance?: string
  name?: string | Buffer
  id?: string
  issuer?: string
  otherIds?: string
  birthDate?: string
  identityRemoved?: string
  burnedIn?: string
  pixels?: Buffer
  syntax?: Syntax
  /** Of study and series. */
  description?: string
}

/** A small CT image of somebody. What is left out is not in it. */
export function madeScan(scan: MadeScan = {}): Buffer {
  const { study = '1.2.3', series = '1.2.3.1', instance = '1.2.3.1.1', modality = 'CT' } = scan
  const side = Buffer.from([2, 0])
  const elements: [string, string | Buffer | undefined][] = [
    ['0008,0005 CS', scan.characterSet],
    ['0008,0016 UI', '1.2.840.10008.5.1.4.1.1.2'],
    ['0008,0018 UI', instance],
    ['0008,0020 DA', '20260901'],
    ['0008,0060 CS', modality],
    ['0008,1030 LO', scan.description ?? 'CT Head'],
    ['0008,103e LO', scan.description ?? 'Axial 1.5mm'],
    ['0010,0010 PN', scan.name],
    ['0010,0020 LO', scan.id],
    ['0010,0021 LO', scan.issuer],
    ['0010,0030 DA', scan.birthDate],
    ['0010,1000 LO', scan.otherIds],
    ['0012,0062 CS', scan.identityRemoved],
    ['0018,0015 CS', 'HEAD'],
    ['0020,000d UI', study],
    ['0020,000e UI', series],
    ['0020,0011 IS', '2'],
    ['0020,0013 IS', '1'],
    ['0028,0010 US', side],
    ['0028,0011 US', side],
    ['0028,0301 CS', scan.burnedIn],
    ['7fe0,0010 OW', scan.pixels ?? Buffer.alloc(8)]
  ]
  const present = elements.filter((each): each is Element => each[1] !== undefined)
  return dicomOf(present, scan.syntax)
}

/** Somebody who is not the patient of any case in these tests. */
export const SOMEBODY_ELSE = {
  name: 'SMITH^John',
  id: '9990000042',
  issuer: 'NHS',
  birthDate: '19700102'
}
