import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import t from 'tap'
import { Refusal } from '../../../src/errors.ts'
import type { Declared } from '../../../src/records/inspect/declared.ts'
import { INSPECT_BYTES, inspect } from '../../../src/records/inspect/inspect.ts'
import { binarySignatures } from '../../../src/records/inspect/signatures.ts'
import {
  brainSeries,
  letter,
  pathologyReport,
  referralLetter,
  transferSyntaxes
} from '../../samples/samples.ts'
import { ageFile, bytes, dicom, fileMeta, jpeg, pdf, png, tiff } from './made-files.ts'

/** As the upload does it: the first bytes, and whether they are all. */
function typeOf(file: Buffer, declared: Declared = {}): string {
  return inspect(file.subarray(0, INSPECT_BYTES), file.length <= INSPECT_BYTES, declared).type
}

function refusalOf(file: Buffer, declared: Declared = {}): string {
  try {
    return `taken as ${typeOf(file, declared)}`
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

t.test('every real sample is what it is', async t => {
  const scans = [...brainSeries(), ...transferSyntaxes()]
  t.equal(scans.length, 29)
  const expected = [
    ...scans.map(path => ({ path, type: 'application/dicom' })),
    { path: pathologyReport, type: 'application/pdf' },
    { path: referralLetter, type: 'application/pdf' },
    { path: letter, type: 'text/plain' }
  ]
  for (const { path, type } of expected) {
    const file = readFileSync(path)
    t.equal(typeOf(file), type, basename(path))
    const declared = { contentType: `${type}; charset=utf-8`, fileName: basename(path) }
    t.equal(typeOf(file, declared), type, `${basename(path)} as declared`)
    t.equal(typeOf(file, { contentType: 'application/octet-stream' }), type)
  }
})

t.test('what is made by the book is taken', async t => {
  const { armoured, binary } = ageFile()
  const taken: [string, Buffer, string][] = [
    ['PNG', png(), 'image/png'],
    ['JPEG', jpeg(), 'image/jpeg'],
    ['JPEG with padded markers', jpeg({ padding: 3 }), 'image/jpeg'],
    ['little TIFF', tiff({ little: true, big: false }), 'image/tiff'],
    ['big-endian TIFF', tiff({ little: false, big: false }), 'image/tiff'],
    ['BigTIFF', tiff({ little: true, big: true }), 'image/tiff'],
    ['big-endian BigTIFF', tiff({ little: false, big: true }), 'image/tiff'],
    ['PDF 1', pdf('1.7'), 'application/pdf'],
    ['PDF 2', pdf('2.0'), 'application/pdf'],
    ['age', binary, 'application/age'],
    ['armoured age', armoured, 'application/age'],
    [
      'armoured age from Windows',
      bytes(armoured.toString().replaceAll('\n', '\r\n')),
      'application/age'
    ],
    ['DICOM', dicom(), 'application/dicom'],
    ['DICOM without group length', dicom({ meta: fileMeta().subarray(12) }), 'application/dicom'],
    ['text', bytes('Dear colleague,\r\n\tdose <5 mg, 75 µg.\f'), 'text/plain'],
    ['text with BOM', bytes('\ufeffDear colleague'), 'text/plain'],
    ['text that begins like a program', bytes('MZ twins, 20 weeks.'), 'text/plain'],
    ['text that begins with a bracket', bytes('<5 mg/l, as last time'), 'text/plain']
  ]
  for (const [name, file, type] of taken) t.equal(typeOf(file), type, name)
})

t.test('only age files are end to end', async t => {
  const { armoured, binary } = ageFile()
  for (const file of [armoured, binary]) t.equal(inspect(file, true, {}).endToEnd, true)
  for (const file of [png(), dicom(), bytes('text')]) {
    t.equal(inspect(file, true, {}).endToEnd, false)
  }
})

const tar = Buffer.alloc(1024)
tar.write('letter.txt')
tar.write('ustar', 257)

const refusedFiles: [string, Buffer][] = [
  ['nothing known', Buffer.from('0102030405060708', 'hex')],
  ['zeros', Buffer.alloc(5000)],
  ['DICOM cut inside its prefix', dicom().subarray(0, 131)],
  ['Windows program', Buffer.concat([bytes('MZ\x90\0\x03'), Buffer.alloc(5000)])],
  ['ELF', Buffer.from('7f454c46020101', 'hex')],
  ['Mach-O', Buffer.from('cffaedfe07000001', 'hex')],
  ['Java class', Buffer.from('cafebabe00000034', 'hex')],
  ['script', bytes('#!/bin/sh\necho hello\n')],
  ['script after blanks', bytes('\n #!/bin/sh\n')],
  ['PHP', bytes('Dear <?php system($_GET[0]) ?>')],
  ['ZIP', bytes('PK\x03\x04\x14\0')],
  ['empty ZIP', bytes('PK\x05\x06\0\0')],
  ['gzip', Buffer.from('1f8b0800', 'hex')],
  ['7z', Buffer.from('377abcaf271c', 'hex')],
  ['RAR', Buffer.from('526172211a0700', 'hex')],
  ['xz', Buffer.from('fd377a585a00', 'hex')],
  ['zstd', Buffer.from('28b52ffd', 'hex')],
  ['bzip2', Buffer.concat([bytes('BZh91AY&SY'), Buffer.from('00ff80', 'hex')])],
  ['tar', tar],
  ['Office before 2007', Buffer.from('d0cf11e0a1b11ae1', 'hex')],
  ['RTF', bytes('{\\rtf1\\ansi hello}')],
  ['PostScript', bytes('%!PS-Adobe-3.0\n')],
  ['GIF', bytes('GIF89a\x01\0\x01\0')],
  ['HTML', bytes('<!DOCTYPE html><html><body>hello</body></html>')],
  ['HTML in capitals after a comment', bytes('\ufeff \n<!-- hello -->\n<HTML>')],
  ['HTML without a head', bytes('<b>hello</b>')],
  ['SVG', bytes('<svg xmlns="http://www.w3.org/2000/svg"/>')],
  ['XML', bytes('<?xml version="1.0"?><ClinicalDocument/>')],
  ['XML without its declaration', bytes('<ClinicalDocument xmlns="urn:hl7-org:v3"/>')],
  ['text with a script in it', bytes('Dear colleague,\n<ScRiPt>alert(1)</script>')],
  ['text with a cut script in it', bytes('Dear colleague,\n<script')],
  ['text with a PDF in it', bytes('hello\n%PDF-1.4\n')],
  ['text with a control character', bytes('hello\x07')],
  ['text with an escape sequence', bytes('hello \x1b[2J')],
  ['text with a C1 control', bytes('hello \u0085')],
  ['ISO-8859-1', Buffer.from('75 µg', 'latin1')],
  ['UTF-16', Buffer.from('\ufeffhello', 'utf16le')],
  ['text cut inside a character', bytes('75 µg').subarray(0, 4)],
  ['PDF of version 3', bytes('%PDF-3.0\n%%EOF')],
  ['PDF after other bytes', Buffer.concat([Buffer.from([0]), pdf('1.7')])],
  ['PNG without IHDR', Buffer.concat([png().subarray(0, 8), Buffer.alloc(40)])],
  ['PNG with a damaged IHDR', png({ damaged: true })],
  ['PNG of no width', png({ width: 0 })],
  ['PNG of a wrong depth', png({ bitDepth: 3 })],
  [
    'JPEG that goes on with something else',
    bytes('\xff\xd8\xff\xe0\0\x04ab not a marker', 'latin1')
  ],
  ['JPEG with an empty segment', Buffer.from('ffd8ffe00001', 'hex')],
  ['JPEG that restarts first', Buffer.from('ffd8ffd00004aabb', 'hex')],
  ['TIFF whose directory is in its header', Buffer.from('49492a0004000000', 'hex')],
  ['TIFF with an empty directory', Buffer.from('49492a00080000000000', 'hex')],
  ['BigTIFF with wrong offsets', Buffer.from('49492b00040000001000000000000000', 'hex')],
  ['age without a recipient', bytes('age-encryption.org/v1\nhello')],
  ['age of another version', bytes('age-encryption.org/v2\n-> \x01')],
  [
    'armour around something else',
    bytes(`-----BEGIN AGE ENCRYPTED FILE-----\n${'A'.repeat(64)}\n`)
  ],
  [
    'DICOM in implicit encoding',
    dicom({ meta: Buffer.from('0200000004000000bc00000002000100', 'hex') })
  ],
  [
    'DICOM in implicit encoding, no length',
    dicom({ meta: Buffer.from('0200100012000000312e', 'hex') })
  ],
  ['DICOM without group 0002', dicom({ meta: Buffer.from('08000500435300000a00', 'hex') })],
  [
    'DICOM with a wrong group length',
    dicom({ meta: Buffer.from('02000000554c0200bc0002000100', 'hex') })
  ],
  ['DICOM with an empty group', dicom({ meta: fileMeta(0).subarray(0, 12) })]
]

t.test('what the exchange does not take is refused', async t => {
  t.equal(refusalOf(Buffer.alloc(0)), 'file-empty')
  for (const [name, file] of refusedFiles) t.equal(refusalOf(file), 'file-type-refused', name)
  t.throws(() => inspect(tar, true, {}), { message: 'tar archive' }, 'the log hears which')
})

t.test('a name or type that contradicts the bytes is refused', async t => {
  const mislabelled: [string, Buffer, Declared][] = [
    ['PNG declared as PDF', png(), { contentType: 'application/pdf' }],
    ['PNG named PDF', png(), { fileName: 'report.pdf' }],
    ['PNG named and declared apart', png(), { contentType: 'image/png', fileName: 'a.JPG' }],
    ['text declared as DICOM', bytes('hello'), { contentType: 'application/dicom' }],
    ['text named script', bytes('hello'), { fileName: 'letter.js' }],
    ['text named program', bytes('hello'), { fileName: 'letter.txt.EXE' }],
    ['text named program, dot after it', bytes('hello'), { fileName: 'letter.bat. ' }],
    ['text named program, reordered', bytes('hello'), { fileName: 'letter\u202etxt.vbs' }],
    ['text named program, hidden sign', bytes('hello'), { fileName: 'letter.e\u200bxe' }],
    ['text named page', bytes('hello'), { fileName: 'letter.html' }],
    ['text declared as page', bytes('hello'), { contentType: 'text/html; charset=utf-8' }],
    ['age named as what is inside', ageFile().binary, { fileName: 'scan.dcm' }],
    ['DICOM declared as TIFF', dicom(), { contentType: 'image/tiff' }]
  ]
  for (const [name, file, declared] of mislabelled) {
    t.equal(refusalOf(file, declared), 'file-mislabelled', name)
  }
})

t.test('what declares nothing contradicts nothing', async t => {
  const open: Declared[] = [
    {},
    { contentType: '', fileName: '' },
    { contentType: undefined, fileName: undefined },
    { contentType: 'Application/Octet-Stream' },
    { fileName: 'IM000001' },
    { fileName: '1.2.840.113619.2.5.1762583153' },
    { fileName: 'IM000.ima' },
    { contentType: 'Application/DICOM; transfer-syntax=*', fileName: 'C:\\scans\\A.DCM' }
  ]
  for (const declared of open) t.equal(typeOf(dicom(), declared), 'application/dicom')
  t.equal(typeOf(jpeg(), { contentType: 'image/jpg', fileName: 'a.JPEG' }), 'image/jpeg')
  t.equal(typeOf(tiff({ little: true, big: false }), { fileName: 'slide.svs' }), 'image/tiff')
})

t.test('a slide that is DICOM and TIFF at once goes by either name', async t => {
  const slide = dicom({ preamble: tiff({ little: true, big: true }) })
  t.equal(typeOf(slide, { fileName: 'slide.dcm' }), 'application/dicom')
  t.equal(typeOf(slide, { contentType: 'image/tiff', fileName: 'slide.tif' }), 'application/dicom')
})

t.test('a preamble that hides another format is refused, an odd one is not', async t => {
  const starts: [string, Buffer][] = [
    ...binarySignatures
      .filter(({ at = 0 }) => at === 0)
      .map(({ name, bytes }): [string, Buffer] => [name, bytes]),
    ['script', bytes('#!/bin/sh\n')],
    ['PostScript', bytes('%!PS')],
    ['page', bytes(' <a href=x>')]
  ]
  const anywhere: [string, Buffer][] = [
    ['ZIP', bytes('PK\x03\x04')],
    ['7z', Buffer.from('377abcaf271c', 'hex')],
    ['RAR', bytes('Rar!\x1a\x07\0')],
    ['PDF', bytes('%PDF-1.4')],
    ['script in a page', bytes('\0<script>')],
    ['PHP', bytes('\0<?php')]
  ]
  for (const [name, magic] of starts) {
    t.equal(refusalOf(dicom({ preamble: magic })), 'file-preamble-hostile', name)
  }
  for (const [name, magic] of anywhere) {
    for (const at of [0, 40, 128 - magic.length]) {
      const preamble = Buffer.alloc(128)
      magic.copy(preamble, at)
      t.equal(refusalOf(dicom({ preamble })), 'file-preamble-hostile', `${name} at ${at}`)
    }
  }
  const stray = Buffer.alloc(128)
  stray[17] = 1
  for (const preamble of [
    stray,
    bytes('Made by a viewer'.padEnd(128)),
    bytes('II*\0\x4a\x18\x08\0')
  ]) {
    t.equal(typeOf(dicom({ preamble })), 'application/dicom')
  }
})

t.test('a report wrapped in DICOM is not taken for a hidden PDF', async t => {
  const wrapped = Buffer.concat([dicom(), pdf('1.4')])
  t.equal(typeOf(wrapped), 'application/dicom')
})

t.test('a whole file that ends too early is truncated', async t => {
  const begun: [string, Buffer, number][] = [
    ['DICOM', dicom(), 132],
    ['PNG', png(), 8],
    ['JPEG', jpeg(), 3],
    // As far as the count of the first directory: the rest is for those who look inside.
    ['TIFF', tiff({ little: true, big: false }).subarray(0, 10), 4],
    ['BigTIFF', tiff({ little: false, big: true }).subarray(0, 24), 4],
    ['PDF', pdf('1.7'), 5],
    ['age', ageFile().binary.subarray(0, 25), 22],
    ['armoured age', ageFile().armoured, 36]
  ]
  for (const [name, file, from] of begun) {
    t.match(typeOf(file), /\//, `${name} whole`)
    for (let end = from; end < file.length; end++) {
      t.equal(refusalOf(file.subarray(0, end)), 'file-truncated', `${name} cut at ${end}`)
    }
  }
})

t.test('a long text may end its head inside a character', async t => {
  const text = bytes(`${'a'.repeat(INSPECT_BYTES - 1)}µg and more`)
  t.equal(typeOf(text), 'text/plain')
  const broken = Buffer.concat([text.subarray(0, INSPECT_BYTES), bytes('g')])
  t.equal(typeOf(broken), 'text/plain', 'what follows is not looked at')
  t.equal(refusalOf(text.subarray(0, INSPECT_BYTES)), 'file-type-refused', 'unless it is the end')
})
