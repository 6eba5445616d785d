import fc from 'fast-check'
import t from 'tap'
import {
  contentDisposition,
  extensionOf,
  FILE_NAME_BYTES_MAX,
  safeFileName
} from '../../../src/records/inspect/file-name.ts'

t.test('what a name may hold stays, the rest goes', async t => {
  const names: [string | undefined, string][] = [
    ['letter.pdf', 'letter.pdf'],
    ['Überweisung – Łódź 2026.pdf', 'Überweisung – Łódź 2026.pdf'],
    ['e\u0301te\u0301.pdf', 'été.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\scan.dcm', 'scan.dcm'],
    ['/', 'record'],
    ['..', 'record'],
    ['', 'record'],
    ['  ', 'record'],
    [undefined, 'record'],
    ['.htaccess', 'htaccess'],
    ['. . .hidden', 'hidden'],
    ['letter.exe. . ', 'letter.exe'],
    ['a\0b\r\nc\x7f\x9f.txt', 'abc.txt'],
    ['letter\u202efdp.exe', 'letterfdp.exe'],
    ['le\u200bt\u2066t\ufeffer\u00ad.txt', 'letter.txt'],
    ['line\u2028break.txt', 'linebreak.txt'],
    ['a:b*c?d"e<f>g|h.txt', 'abcdefgh.txt'],
    ['letter.txt:stream.exe', 'letter.txtstream.exe'],
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['console.txt', 'console.txt'],
    ['half \ud83d', 'half \ufffd'],
    ['می\u200cخواهم.txt', 'می\u200cخواهم.txt']
  ]
  for (const [name, safe] of names) t.equal(safeFileName(name, 'record'), safe)
})

t.test('a long name keeps its beginning and its extension', async t => {
  const long = safeFileName(`${'ä'.repeat(300)}.pdf`, 'record')
  t.equal(long, `${'ä'.repeat(73)}.pdf`)
  t.equal(Buffer.byteLength(long), FILE_NAME_BYTES_MAX)
  t.equal(safeFileName(`a.${'b'.repeat(300)}`, 'record').length, FILE_NAME_BYTES_MAX)
  t.equal(safeFileName(`${'😀'.repeat(100)}.txt`, 'record'), `${'😀'.repeat(36)}.txt`)
  t.equal(
    safeFileName(`${'a'.repeat(145)} ... ${'a'.repeat(50)}.txt`, 'x'),
    `${'a'.repeat(145)}.txt`
  )
})

t.test('the extension is what the receiver will see', async t => {
  t.equal(extensionOf('Letter.PDF'), 'pdf')
  t.equal(extensionOf('scan.dcm.exe'), 'exe')
  t.equal(extensionOf('letter.exe . '), 'exe')
  for (const none of ['letter', '.htaccess', 'Dr. B. Sample, Department of Neurosurgery', '']) {
    t.equal(extensionOf(none), '')
  }
})

t.test('content disposition, by the examples', async t => {
  t.equal(
    contentDisposition('letter.pdf'),
    `attachment; filename="letter.pdf"; filename*=UTF-8''letter.pdf`
  )
  t.equal(
    contentDisposition('Café (1) 100% £ and €.txt'),
    `attachment; filename="Cafe (1) 100_ _ and _.txt"; ` +
      `filename*=UTF-8''Caf%C3%A9%20%281%29%20100%25%20%C2%A3%20and%20%E2%82%AC.txt`
  )
  t.match(
    contentDisposition('x"; evil="\r\nSet-Cookie: a=b.txt'),
    /filename="x; evil=Set-Cookie a=b.txt"/
  )
  t.match(contentDisposition('\uff0e\uff0e\uff0f\uff02x.txt'), /filename="__x.txt"/)
  t.match(contentDisposition('..'), /filename="record"/)
})

const anyName = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.string({ maxLength: 300 }),
  fc
    .array(
      fc.constantFrom(
        '.',
        ' ',
        '/',
        '\\',
        'a',
        '\u0301',
        '\u202e',
        '<',
        '\u0338',
        'con',
        '.txt',
        '\ud800',
        'ß'
      )
    )
    .map(parts => parts.join(''))
)

t.test('any string becomes a name that is safe, and stays as it is from then on', async () => {
  fc.assert(
    fc.property(anyName, name => {
      const safe = safeFileName(name, 'record')
      if (Buffer.byteLength(safe) > FILE_NAME_BYTES_MAX || safe === '') throw new Error('length')
      if (/[\\/:*?"<>|\p{Cc}\u202e]|^[.\s]|[.\s]$/u.test(safe)) throw new Error('characters')
      if (safe !== safe.normalize('NFC')) throw new Error('normal form')
      if (safe !== safeFileName(safe, 'other')) throw new Error('not stable')
    }),
    { numRuns: 3000 }
  )
})

t.test('any string becomes one header value that reads back as its safe name', async () => {
  const grammar =
    /^attachment; filename="([\x20-\x7e]+)"; filename\*=UTF-8''((?:[\w!#$&+.^`|~-]|%[0-9A-F]{2})+)$/
  fc.assert(
    fc.property(anyName, name => {
      const [, plain = '"', extended = ''] = grammar.exec(contentDisposition(name)) ?? []
      if (/["\\%/]/.test(plain)) throw new Error('plain form')
      if (decodeURIComponent(extended) !== safeFileName(name, 'record')) throw new Error('extended')
    }),
    { numRuns: 3000 }
  )
})
