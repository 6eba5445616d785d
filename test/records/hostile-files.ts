import { deflateRawSync, deflateSync } from 'node:zlib'
import {
  dicomOf,
  element,
  fileMetaOf,
  madeScan,
  SOMEBODY_ELSE,
  syntaxes
} from '../helpers/made-dicom.ts'
import { ageFile, bytes, dicom, jpeg, pdf, png, tiff } from './inspect/made-files.ts'

/** What becomes of a file: the code it is refused with, or how it is taken. */
export interface Expected {
  refused?: string
  type?: string
  notes?: string[]
  flags?: string[]
  patientMatch?: string
  fileName?: string
}

export interface HostileFile {
  story: string
  name: string
  bytes: Buffer
  declared?: string
  expected: Expected
}

// In two parts, so that no scanner takes this file for what it holds.
const EICAR = `X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR${'-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'}`

const le32 = (n: number) => {
  const field = Buffer.alloc(4)
  field.writeUInt32LE(n)
  return field
}
const le16 = (n: number) => le32(n).subarray(0, 2)

const preambleOf = (start: string | Buffer) => {
  const preamble = Buffer.alloc(128)
  Buffer.from(start).copy(preamble)
  return preamble
}
const dicomWith = (preamble: string | Buffer) =>
  Buffer.concat([preambleOf(preamble), madeScan().subarray(128)])
const dataSetOf = (...body: Buffer[]) => Buffer.concat([fileMetaOf(syntaxes.explicit), ...body])

/** Sequences in sequences, of unknown length and never ended, so many deep. */
function nested(depth: number, ended: boolean): Buffer {
  const open = Buffer.concat([
    element(['0008,1140 SQ', Buffer.alloc(0)], 'explicit', 0xffffffff),
    Buffer.from('feff00e0ffffffff', 'hex')
  ])
  const close = Buffer.from('feff0de000000000feffdde000000000', 'hex')
  return dataSetOf(
    element(['0008,0018 UI', '1.2.3']),
    ...Array.from({ length: depth }, () => open),
    ...(ended ? Array.from({ length: depth }, () => close) : [])
  )
}

const inPdf = (...objects: string[]) =>
  bytes(
    `%PDF-1.7\n${objects.map((object, i) => `${i + 1} 0 obj\n${object}\nendobj\n`).join('')}trailer\n<< /Root 1 0 R >>\n%%EOF`,
    'latin1'
  )
const packedIn = (dictionary: string, content: string | Buffer) => {
  const packed = deflateSync(content)
  return `<< ${dictionary} /Filter /FlateDecode /Length ${packed.length} >>\nstream\n${packed.toString('latin1')}\nendstream`
}

/** One directory with these entries: tag, type, count, value. */
function tiffOf(entries: [number, number, number, number][], next = 0, first = 8): Buffer {
  const body = entries.map(([tag, type, count, value]) =>
    Buffer.concat([le16(tag), le16(type), le32(count), le32(value)])
  )
  return Buffer.concat([bytes('II*\0'), le32(first), le16(entries.length), ...body, le32(next)])
}

function pngOf(width: number, height: number): Buffer {
  const whole = png({ width })
  return height === 1 ? whole : pngSized(width, height)
}
function pngSized(width: number, height: number): Buffer {
  const file = png({ width })
  file.writeUInt32BE(height, 20)
  return withCrc(file)
}
function withCrc(file: Buffer): Buffer {
  file.writeUInt32BE(crcOf(file.subarray(12, 29)), 29)
  return file
}
function crcOf(data: Buffer): number {
  let crc = 0xffffffff
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

const jpegOf = (width: number, height: number) => {
  const file = jpeg()
  const frame = file.indexOf(Buffer.from('ffc0', 'hex'))
  file.writeUInt16BE(height, frame + 5)
  file.writeUInt16BE(width, frame + 7)
  return file
}

const taken = (type: string, more: Expected = {}): Expected => ({ type, ...more })
const refused = (code: string): Expected => ({ refused: `file-${code}` })
const scan = (more: Expected = {}) => taken('application/dicom', more)
const asPdf = (...flags: string[]) => taken('application/pdf', { flags })

const row = (
  story: string,
  name: string,
  file: Buffer,
  expected: Expected,
  declared?: string
): HostileFile => ({ story, name, bytes: file, expected, ...(declared && { declared }) })

const program = Buffer.concat([bytes('MZ\x90\0\x03\0\0\0', 'latin1'), Buffer.alloc(600)])

/** Every hostile file, and what must become of it. */
export const hostileFiles: HostileFile[] = [
  // Two formats at once.
  row('DICOM that is a Windows program', 'a.dcm', dicomWith('MZ\x90'), refused('preamble-hostile')),
  row(
    'DICOM that is an ELF program',
    'a.dcm',
    dicomWith('\x7fELF\x02\x01\x01'),
    refused('preamble-hostile')
  ),
  row('DICOM that is a script', 'a.dcm', dicomWith('#!/bin/sh\nid\n'), refused('preamble-hostile')),
  row('DICOM that is a ZIP', 'a.dcm', dicomWith('PK\x03\x04'), refused('preamble-hostile')),
  row('DICOM that is a PDF', 'a.dcm', dicomWith('%PDF-1.7\n'), refused('preamble-hostile')),
  row(
    'DICOM that is a web page',
    'a.dcm',
    dicomWith('<html><script>1'),
    refused('preamble-hostile')
  ),
  row(
    'DICOM that is a Mach-O program',
    'a.dcm',
    dicomWith(Buffer.from('cffaedfe', 'hex')),
    refused('preamble-hostile')
  ),
  row('DICOM whose data set is a program', 'a.dcm', dataSetOf(program), refused('damaged')),
  row(
    'DICOM whose data set is a ZIP',
    'a.dcm',
    dataSetOf(bytes('PK\x03\x04\x14\0\0\0\x08\0'), Buffer.alloc(99, 0x80)),
    refused('damaged')
  ),
  row(
    'DICOM whose data set is a text',
    'a.dcm',
    dataSetOf(bytes('Dear colleague, this is no image at all.')),
    refused('damaged')
  ),
  row(
    'a JPEG behind a program',
    'a.jpg',
    Buffer.concat([program, jpeg()]),
    refused('type-refused')
  ),
  row('a PDF behind a PNG’s name', 'a.png', pdf('1.7'), refused('mislabelled')),
  row('a PNG behind a PDF’s name', 'a.pdf', png(), refused('mislabelled')),
  row(
    'a DICOM file said to be a PDF',
    'a.dcm',
    madeScan(),
    refused('mislabelled'),
    'application/pdf'
  ),

  // Disguises.
  row('a ZIP', 'scan.zip', bytes('PK\x03\x04\x14\0\0\0'), refused('type-refused')),
  row('a ZIP named .dcm', 'scan.dcm', bytes('PK\x03\x04\x14\0\0\0'), refused('type-refused')),
  row(
    'a Word document',
    'letter.docx',
    bytes('PK\x03\x04\x14\0\x06\0word/document.xml'),
    refused('type-refused')
  ),
  row(
    'a text that is also a ZIP',
    'a.txt',
    bytes('Dear colleague\nPK\x03\x04 and so on'),
    refused('type-refused')
  ),
  row('gzip', 'a.dcm', Buffer.from('1f8b0800000000000003', 'hex'), refused('type-refused')),
  row('RAR', 'a.pdf', bytes('Rar!\x1a\x07\0', 'latin1'), refused('type-refused')),
  row('a web page', 'a.txt', bytes('<!doctype html><p>hello'), refused('type-refused')),
  row(
    'a picture that is a program',
    'a.svg',
    bytes('<svg onload="alert(1)"/>'),
    refused('type-refused')
  ),
  row(
    'a text named as a program',
    'letter.txt.exe',
    bytes('Dear colleague'),
    refused('mislabelled')
  ),
  row(
    'a text named as a table with formulas',
    'results.csv',
    bytes('=cmd|calc'),
    refused('mislabelled')
  ),
  row('a shell script', 'a.txt', bytes('#!/bin/sh\nrm -r .\n'), refused('type-refused')),

  // Cut short, or claiming what cannot be.
  row('no bytes', 'a.txt', Buffer.alloc(0), refused('empty')),
  row('zeros', 'a.dcm', Buffer.alloc(4000), refused('type-refused')),
  row('DICOM cut in its preamble', 'a.dcm', madeScan().subarray(0, 100), refused('type-refused')),
  row('DICOM cut in its file meta', 'a.dcm', madeScan().subarray(0, 140), refused('truncated')),
  row(
    'DICOM cut in its first element',
    'a.dcm',
    madeScan().subarray(0, fileMetaOf(syntaxes.explicit).length + 5),
    refused('truncated')
  ),
  row('DICOM cut in its header', 'a.dcm', madeScan().subarray(0, 300), refused('truncated')),
  row(
    'DICOM cut in its pixels',
    'a.dcm',
    madeScan({ pixels: Buffer.alloc(900) }).subarray(0, -400),
    refused('truncated')
  ),
  row('DICOM that ends in a sequence', 'a.dcm', nested(2, false), refused('truncated')),
  row(
    'an element of four gigabytes',
    'a.dcm',
    dataSetOf(
      element(['0008,0018 UI', '1.2.3']),
      element(['0009,1001 OB', 'x'], 'explicit', 0xfffffff0)
    ),
    refused('truncated')
  ),
  row(
    'pixels of four gigabytes',
    'a.dcm',
    dataSetOf(
      element(['0008,0018 UI', '1.2.3']),
      element(['7fe0,0010 OW', 'x'], 'explicit', 0xfffffff0)
    ),
    refused('truncated')
  ),
  row('nothing behind the file meta', 'a.dcm', dicom(), scan({ notes: ['no-data-set'] })),
  row('half a PNG', 'a.png', png().subarray(0, 20), refused('truncated')),
  row('a PNG without its end', 'a.png', png().subarray(0, -12), refused('truncated')),
  row('a PNG with a wrong sum', 'a.png', png({ damaged: true }), refused('type-refused')),
  row(
    'a JPEG without a frame',
    'a.jpg',
    Buffer.from('ffd8ffe00010ffd9', 'hex'),
    refused('truncated')
  ),
  row('a PDF without its end', 'a.pdf', bytes('%PDF-1.7\n1 0 obj\n'), refused('truncated')),
  row(
    'a TIFF whose directory is past its end',
    'a.tif',
    tiffOf([[256, 3, 1, 1]], 0, 100_000),
    refused('truncated')
  ),

  // Depth, loops and giants.
  row('sequences 12 deep', 'a.dcm', nested(12, true), scan()),
  row('sequences 40 deep', 'a.dcm', nested(40, true), refused('damaged')),
  row('sequences 20,000 deep', 'a.dcm', nested(20_000, true), refused('damaged')),
  row(
    'a hundred thousand elements',
    'a.dcm',
    dataSetOf(
      ...Array.from({ length: 100_000 }, (_, i) =>
        element([`0009,${(0x1000 + (i % 0xe000)).toString(16).padStart(4, '0')} SH`, ''])
      )
    ),
    scan()
  ),
  row(
    'a TIFF whose directories go in a circle',
    'a.tif',
    tiffOf([[256, 3, 1, 1]], 8),
    refused('damaged')
  ),
  row(
    'a TIFF whose directory is in itself',
    'a.tif',
    tiffOf([[330, 4, 1, 8]], 8),
    refused('damaged')
  ),
  row(
    'a TIFF with four thousand million values',
    'a.tif',
    tiffOf([[256, 4, 0xffffffff, 8]]),
    refused('truncated')
  ),
  row(
    'a TIFF with sixty thousand entries',
    'a.tif',
    Buffer.concat([bytes('II*\0'), le32(8), le16(60_000), Buffer.alloc(720_004, 1)]),
    refused('damaged')
  ),
  row(
    'a TIFF of a million million pixels',
    'a.tif',
    tiffOf([
      [256, 4, 1, 1_000_000],
      [257, 4, 1, 1_000_000]
    ]),
    { refused: 'image-too-large' }
  ),
  row(
    'the same in tiles',
    'a.tif',
    tiffOf([
      [256, 4, 1, 1_000_000],
      [257, 4, 1, 1_000_000],
      [322, 3, 1, 256],
      [323, 3, 1, 256]
    ]),
    taken('image/tiff')
  ),
  row('a PNG of two thousand million pixels', 'a.png', pngSized(65_535, 65_535), {
    refused: 'image-too-large'
  }),
  row('a PNG one pixel high and very wide', 'a.png', pngOf(2 ** 31 - 1, 1), {
    refused: 'image-too-large'
  }),
  row('a JPEG of four thousand million pixels', 'a.jpg', jpegOf(65_535, 65_535), {
    refused: 'image-too-large'
  }),
  row('a BigTIFF by the book', 'a.btf', tiff({ little: true, big: true }), taken('image/tiff')),

  // Bombs.
  row(
    'deflated DICOM whose header unpacks to 64 MiB',
    'a.dcm',
    Buffer.concat([
      fileMetaOf(syntaxes.deflated),
      deflateRawSync(
        Buffer.concat([
          element(['0008,0018 UI', '1.2.3']),
          element(['0009,1001 OB', Buffer.alloc(64 * 1024 ** 2)])
        ])
      )
    ]),
    { refused: 'file-inflates-too-far' }
  ),
  row(
    'deflated DICOM that claims four gigabytes of pixels',
    'a.dcm',
    Buffer.concat([
      fileMetaOf(syntaxes.deflated),
      deflateRawSync(element(['7fe0,0010 OW', Buffer.alloc(64)], 'explicit', 0xfffffff0))
    ]),
    refused('truncated')
  ),
  row(
    'deflated DICOM that does not unpack',
    'a.dcm',
    Buffer.concat([fileMetaOf(syntaxes.deflated), Buffer.alloc(300, 0xff)]),
    refused('damaged')
  ),
  row('deflated DICOM by the book', 'a.dcm', madeScan({ syntax: 'deflated' }), scan()),
  row(
    'a PDF whose object stream unpacks to 64 MiB',
    'a.pdf',
    inPdf(packedIn('/Type /ObjStm', Buffer.alloc(64 * 1024 ** 2, 32))),
    asPdf('not-fully-read')
  ),
  row(
    'a PDF with a thousand object streams',
    'a.pdf',
    inPdf(
      ...Array.from({ length: 1000 }, () => packedIn('/Type /ObjStm', Buffer.alloc(100_000, 32)))
    ),
    asPdf('not-fully-read')
  ),

  // What a PDF can do.
  row('a plain PDF', 'a.pdf', pdf('1.7'), asPdf()),
  row(
    'a PDF with a script',
    'a.pdf',
    inPdf('<< /S /JavaScript /JS (app.alert(1)) >>'),
    asPdf('javascript')
  ),
  row(
    'its script under an escaped name',
    'a.pdf',
    inPdf('<< /S /J#61v#61#53cript /J#53 (1) >>'),
    asPdf('javascript')
  ),
  row(
    'its script in an object stream',
    'a.pdf',
    inPdf(packedIn('/Type /ObjStm', '1 0 << /S /JavaScript /JS 3 0 R >>')),
    asPdf('javascript')
  ),
  row(
    'its object stream under an escaped name',
    'a.pdf',
    inPdf(packedIn('/Type /Obj#53tm', '1 0 << /JS (1) >>')),
    asPdf('javascript')
  ),
  row(
    'a PDF that starts a program',
    'a.pdf',
    inPdf('<< /OpenAction << /S /Launch /F (cmd.exe) >> >>'),
    asPdf('launch', 'open-action')
  ),
  row(
    'a PDF with files in it',
    'a.pdf',
    inPdf('<< /Names << /EmbeddedFiles 3 0 R >> >>'),
    asPdf('embedded-files')
  ),
  row(
    'an encrypted PDF',
    'a.pdf',
    inPdf('<< /Encrypt 5 0 R >>'),
    asPdf('encrypted', 'not-fully-read')
  ),
  row(
    'an object stream packed in another way',
    'a.pdf',
    inPdf('<< /Type /ObjStm /Filter [/ASCIIHexDecode /FlateDecode] >>\nstream\n00\nendstream'),
    asPdf('not-fully-read')
  ),
  row(
    'EICAR in the stream of a PDF',
    'a.pdf',
    inPdf(packedIn('/Type /EmbeddedFile', EICAR)),
    asPdf('embedded-files')
  ),
  row('EICAR as a text, without a scanner', 'eicar.txt', bytes(EICAR), taken('text/plain')),
  row('EICAR named as a program', 'eicar.com', bytes(EICAR), refused('mislabelled')),

  // Names.
  row(
    'a name that shows backwards',
    'letter\u202etxt.exe.txt',
    bytes('Dear'),
    taken('text/plain', { fileName: 'lettertxt.exe.txt' })
  ),
  row(
    'a name with controls',
    'a\u0000b\u001bc\u0085.txt',
    bytes('Dear'),
    taken('text/plain', { fileName: 'abc.txt' })
  ),
  row(
    'a name that is a path',
    '../../etc/passwd.txt',
    bytes('Dear'),
    taken('text/plain', { fileName: 'passwd.txt' })
  ),
  row(
    'a name of a device',
    'CON.txt',
    bytes('Dear'),
    taken('text/plain', { fileName: '_CON.txt' })
  ),
  row(
    'a patient’s name of 65,534 characters',
    'a.dcm',
    madeScan({ name: 'A'.repeat(65_534) }),
    scan({ patientMatch: 'mismatch' })
  ),
  row(
    'a patient’s name with controls',
    'a.dcm',
    madeScan({ name: 'QUILL\u0000FEATHER^\u202eOTTO', characterSet: 'ISO_IR 192' }),
    scan()
  ),
  row(
    'a character set nobody knows',
    'a.dcm',
    madeScan({
      name: Buffer.from('\xc4\xd6\xdc^X\xdf'.padEnd(6), 'latin1'),
      characterSet: 'ISO_IR 999'
    }),
    scan({ patientMatch: 'cannot-tell' })
  ),

  // Wrong patients, and right ones.
  row('another patient', 'a.dcm', madeScan(SOMEBODY_ELSE), scan({ patientMatch: 'mismatch' })),
  row(
    'another NHS number',
    'a.dcm',
    madeScan({ id: '9990000042', issuer: 'NHS' }),
    scan({ patientMatch: 'mismatch' })
  ),
  row(
    'another birth date',
    'a.dcm',
    madeScan({ name: 'QUILLFEATHER^OTTOLINE', birthDate: '19600505' }),
    scan({ patientMatch: 'mismatch' })
  ),
  row(
    'the patient',
    'a.dcm',
    madeScan({ name: 'QUILLFEATHER^OTTOLINE', id: '9990000018', birthDate: '19510317' }),
    scan({ patientMatch: 'match' })
  ),
  row(
    'the patient, big endian',
    'a.dcm',
    madeScan({ name: 'QUILLFEATHER^OTTOLINE', id: '9990000018', syntax: 'big' }),
    scan({ patientMatch: 'match' })
  ),
  row(
    'the patient, implicit',
    'a.dcm',
    madeScan({ name: 'QUILLFEATHER^OTTOLINE', id: '9990000018', syntax: 'implicit' }),
    scan({ patientMatch: 'match' })
  ),
  row(
    'another patient, deflated',
    'a.dcm',
    madeScan({ ...SOMEBODY_ELSE, syntax: 'deflated' }),
    scan({ patientMatch: 'mismatch' })
  ),
  row(
    'nobody',
    'a.dcm',
    madeScan({ ...SOMEBODY_ELSE, identityRemoved: 'YES' }),
    scan({ patientMatch: 'cannot-tell' })
  ),
  row(
    'text in its pixels',
    'a.dcm',
    madeScan({ burnedIn: 'YES' }),
    scan({ notes: ['burned-in-annotation'] })
  ),
  row('an age file', 'a.age', ageFile().binary, taken('application/age')),
  row(
    'elements out of order',
    'a.dcm',
    dicomOf([
      ['0020,000d UI', '1.2.3'],
      ['0008,0060 CS', 'CT'],
      ['0010,0010 PN', 'A^B']
    ]),
    scan()
  )
]
