import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import {
  formatNote,
  formatVerifierKey,
  keyIdOf,
  NOTE_BYTES_MAX,
  noteSigner,
  noteVerifier,
  openNote,
  parseNote,
  parseSignatures,
  parseVerifierKey,
  signNote,
  verifierKeyOf
} from '../../../src/audit/tlog/note.ts'
import { bitFlips, codeOf } from './naive.ts'

const RUNS = process.env.SLOW === '1' ? 5000 : 500

// The examples of the specification and of Go's golang.org/x/mod/sumdb/note, signed by others.
const SPEC_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
const SPEC_LINE =
  '— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n'
const SPEC_NOTE = `This is an example message.\n\n${SPEC_LINE}`
const POEM =
  'Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n'
const POEM_NOTE = `${POEM}\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n`
const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
/** The private key that Go's documentation publishes: type byte and seed. */
const GO_PRIVATE = 'AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'
const GO_TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
const GO_LINE =
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'

const verifierOf = (vkey: string) => noteVerifier(parseVerifierKey(vkey))
const { privateKey } = generateKeyPairSync('ed25519')
const signer = noteSigner('example.com/log', privateKey)
const verifier = noteVerifier(verifierKeyOf('example.com/log', privateKey))
const parsing = (input: string | Uint8Array) => codeOf(() => parseNote(input))
const keyParsing = (text: string) => codeOf(() => parseVerifierKey(text))

t.test('the example of the specification opens', async t => {
  const key = parseVerifierKey(SPEC_KEY)
  t.equal(key.name, 'example.com/foo')
  t.equal(keyIdOf(key), '530d903a')
  t.equal(formatVerifierKey(key), SPEC_KEY)
  const note = openNote(SPEC_NOTE, [noteVerifier(key)])
  t.equal(note.text, 'This is an example message.\n')
  t.equal(note.signatures.length, 1)
  t.equal(formatNote(note), SPEC_NOTE, 'and is written again as it was')
  t.same(openNote(Buffer.from(SPEC_NOTE), [noteVerifier(key)]), note, 'bytes or text')
})

t.test('a text with an empty line of its own ends at the last one', async t => {
  const note = parseNote(POEM_NOTE)
  t.equal(note.text, POEM)
  t.equal(note.signatures[0]?.name, 'quasimodo.example/salvatore')
  t.equal(note.signatures[0]?.id, '367ba04b')
  t.equal(formatNote(note), POEM_NOTE)
})

t.test("signing gives the bytes Go's documentation shows", async t => {
  const seed = Buffer.from(GO_PRIVATE, 'base64').subarray(1)
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  t.equal(formatVerifierKey(verifierKeyOf('PeterNeumann', key)), GO_KEY)
  t.equal(formatVerifierKey(verifierKeyOf('PeterNeumann', createPublicKey(key))), GO_KEY)
  const note = signNote(GO_TEXT, [noteSigner('PeterNeumann', key)])
  t.equal(note, `${GO_TEXT}\n${GO_LINE}`)
  t.equal(openNote(note, [verifierOf(GO_KEY)]).text, GO_TEXT)
})

t.test('what was signed opens, with the lines of strangers passed over', async t => {
  const other = noteSigner('example.com/log', generateKeyPairSync('ed25519').privateKey)
  const renamed = noteSigner('example.com/other', privateKey)
  const note = signNote('text\n', [other, renamed, signer, signer])
  const { signatures } = openNote(note, [verifier])
  t.same(
    signatures.map(({ name, id }) => ({ name, id })),
    [{ name: signer.name, id: signer.id }],
    'once, though it signed twice'
  )
  t.equal(parseNote(note).signatures.length, 4)
  t.equal(
    codeOf(() => openNote(signNote('text\n', [other, renamed]), [verifier])),
    'note-unsigned'
  )
  t.equal(
    codeOf(() => openNote(note, [])),
    'note-unsigned'
  )
})

t.test('a wrong signature under a known key spoils the note', async t => {
  const right = parseNote(signNote('text\n', [signer]))
  const wrong = parseNote(signNote('texts\n', [signer]))
  for (const signatures of [
    wrong.signatures,
    [...wrong.signatures, ...right.signatures],
    [...right.signatures, ...wrong.signatures],
    right.signatures.map(line => ({ ...line, signature: line.signature.subarray(0, 63) })),
    right.signatures.map(line => ({ ...line, signature: Buffer.alloc(64) }))
  ]) {
    const note = formatNote({ text: 'text\n', signatures })
    t.equal(
      codeOf(() => openNote(note, [verifier])),
      'note-signature-wrong'
    )
  }
})

t.test('no bit of a note can be changed', async t => {
  const note = Buffer.from(signNote('example.com/log\n17\n', [signer]))
  const codes = new Map<string, number>()
  for (const changed of bitFlips(note)) {
    const code = codeOf(() => openNote(changed, [verifier]))
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  const expected = ['note-malformed', 'note-signature-wrong', 'note-unsigned']
  t.same([...codes.keys()].sort(), expected, 'each bit is noticed')
})

t.test('malformed notes are refused', async t => {
  const line = SPEC_LINE
  const [, name, base64] = line.trim().split(' ')
  const malformed: [string, string | Buffer][] = [
    ['nothing', ''],
    ['no empty line', `text\n${line}`],
    ['no text', line],
    ['no signature', 'text\n\n'],
    ['no last newline', `text\n\n${line.trimEnd()}`],
    ['an empty line after', `text\n\n${line}\n`],
    ['a hyphen', `text\n\n${line.replace('—', '-')}`],
    ['an en dash', `text\n\n${line.replace('—', '–')}`],
    ['no dash', `text\n\n${line.slice(2)}`],
    ['a leading space', `text\n\n ${line}`],
    ['two spaces', `text\n\n— ${name}  ${base64}\n`],
    ['a space after', `text\n\n— ${name} ${base64} \n`],
    ['no name', `text\n\n—  ${base64}\n`],
    ['a plus in the name', `text\n\n— a+b ${base64}\n`],
    ['a no-break space in the name', `text\n\n— a\u00a0b ${base64}\n`],
    ['a next-line in the name', `text\n\n— a\u0085b ${base64}\n`],
    ['no padding', `text\n\n— ${name} ${base64?.replace('=', '')}\n`],
    ['bits after the last byte', `text\n\n— ${name} ${base64?.replace('M=', 'N=')}\n`],
    ['the alphabet of URLs', POEM_NOTE.replace('Z/i', 'Z_i')],
    ['a key id alone', `text\n\n— ${name} Uw2QOg==\n`],
    ['CRLF', SPEC_NOTE.replaceAll('\n', '\r\n')],
    ['a tab', `te\txt\n\n${line}`],
    ['a null', `te\0xt\n\n${line}`],
    ['half a pair', `\ud800\n\n${line}`],
    ['bytes that are no UTF-8', Buffer.concat([Buffer.of(0xff), Buffer.from(SPEC_NOTE)])],
    ['an overlong byte', Buffer.concat([Buffer.of(0xc0, 0x80), Buffer.from(SPEC_NOTE)])]
  ]
  for (const [what, note] of malformed) t.equal(parsing(note), 'note-malformed', what)
  t.equal(parsing(`\n\n${line}`), 'none', 'the shortest text is a newline')
  const marked = Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(SPEC_NOTE)])
  const verifiers = [verifierOf(SPEC_KEY)]
  t.equal(
    codeOf(() => openNote(marked, verifiers)),
    'note-signature-wrong',
    'a mark is not lost'
  )
})

t.test('a note has at most 100 signatures and 512 KiB', async t => {
  const lines = (count: number) => `text\n\n${SPEC_LINE.repeat(count)}`
  t.equal(parseNote(lines(100)).signatures.length, 100)
  t.equal(parsing(lines(101)), 'note-too-long')
  const padded = (bytes: number) => `${'x'.repeat(bytes - Buffer.byteLength(SPEC_LINE) - 2)}\n\n`
  t.equal(parsing(padded(NOTE_BYTES_MAX) + SPEC_LINE), 'none')
  t.equal(parsing(padded(NOTE_BYTES_MAX + 1) + SPEC_LINE), 'note-too-long')
  t.equal(parsing(Buffer.alloc(NOTE_BYTES_MAX + 1)), 'note-too-long')
  t.equal(
    codeOf(() => parseSignatures('x'.repeat(NOTE_BYTES_MAX + 1))),
    'note-too-long'
  )
  const postQuantum = `— w ${Buffer.alloc(2432, 7).toString('base64')}\n`
  const many = signNote('text\n', [signer]) + postQuantum.repeat(99)
  t.equal(openNote(many, [verifier]).signatures.length, 1, 'long lines of strangers fit')
})

t.test('only plain text that ends in a newline is signed', async t => {
  for (const text of ['', 'text', 'a\r\n', 'a\tb\n', '\ud800\n', 'a\n\nb']) {
    t.equal(
      codeOf(() => signNote(text, [signer])),
      'note-malformed',
      JSON.stringify(text)
    )
  }
  for (const text of ['\n', 'a\n\n', 'a\n\n\n', `a\n\n${SPEC_LINE}`, '— a\n', 'é\n']) {
    t.equal(openNote(signNote(text, [signer]), [verifier]).text, text, JSON.stringify(text))
  }
  t.equal(
    codeOf(() => signNote('text\n', [])),
    'note-malformed',
    'nor without a signature'
  )
  const signature = { name: 'a', id: 'AB', signature: Buffer.alloc(64) }
  t.equal(
    codeOf(() => formatNote({ text: 'a\n', signatures: [signature] })),
    'note-malformed'
  )
})

t.test('names of keys', async t => {
  const { publicKey } = generateKeyPairSync('ed25519')
  for (const name of [
    '',
    ' ',
    'a b',
    'a+b',
    'a\tb',
    'a\n',
    'a\u2003b',
    'a\u0085',
    'a\0',
    '\ud800'
  ]) {
    t.equal(
      codeOf(() => verifierKeyOf(name, publicKey)),
      'key-malformed',
      JSON.stringify(name)
    )
    t.equal(
      codeOf(() => noteSigner(name, privateKey)),
      'key-malformed'
    )
  }
  for (const name of ['a', 'example.com/log', 'Zürich', 'a=b', '—']) {
    const key = verifierKeyOf(name, publicKey)
    t.same(parseVerifierKey(formatVerifierKey(key)), key, name)
  }
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  t.throws(() => verifierKeyOf('a', rsa.publicKey), TypeError)
})

t.test('malformed verifier keys are refused', async t => {
  const [name, id, material = ''] = SPEC_KEY.split('+')
  const keyOf = (type: number, length: number) => {
    const publicKey = Buffer.alloc(length, 1)
    return formatVerifierKey({ name: 'a', type, publicKey })
  }
  const malformed = [
    ...['', '+', '++', 'a', 'a+b', `+${id}+${material}`, `${name}+${id}+`, `${name}+${id}`],
    ...[` ${SPEC_KEY}`, `${SPEC_KEY} `, `${SPEC_KEY}\n`, `a b+${id}+${material}`],
    ...[`${name}+530D903A+${material}`, `${name}+530d903b+${material}`, `x+${id}+${material}`],
    ...[
      `${name}+530d903+${material}`,
      `${name}+0530d903a+${material}`,
      `${name}+${id}+${material}=`
    ],
    ...[GO_KEY.replace('/', '_'), GO_KEY.replace('TW', 'TX'), keyOf(1, 31)],
    ...[keyOf(1, 33), keyOf(4, 0), keyOf(1, 0)]
  ]
  for (const text of malformed) t.equal(keyParsing(text), 'key-malformed', text)
  t.equal(keyParsing(keyOf(2, 32)), 'key-type-unknown')
  t.equal(keyParsing(keyOf(6, 1312)), 'key-type-unknown')
  const witness = parseVerifierKey(keyOf(4, 32))
  t.equal(
    codeOf(() => noteVerifier(witness)),
    'key-type-unknown'
  )
  const cut = { name: 'a', type: 1, publicKey: Buffer.alloc(31) }
  t.equal(
    codeOf(() => noteVerifier(cut)),
    'key-malformed'
  )
  for (const changed of bitFlips(Buffer.from(GO_KEY))) {
    const code = keyParsing(changed.toString('latin1'))
    if (code !== 'key-malformed' && code !== 'key-type-unknown') t.fail(`${changed}: ${code}`)
  }
})

t.test('any text or bytes either parse or are refused with a code', async t => {
  const piece = fc.constantFrom('\n', '\n\n', '— ', 'a', ' ', 'AAAAAAAA', '+', '\u2028', SPEC_LINE)
  const text = fc.array(fc.oneof(piece, fc.string({ unit: 'binary' })), { maxLength: 12 })
  const input = fc.oneof(
    text.map(parts => parts.join('')),
    fc.uint8Array({ maxLength: 60 })
  )
  const codes = ['none', 'note-malformed']
  const refused = fc.property(input, anything => {
    const code = parsing(anything)
    if (code === 'none') t.equal(formatNote(parseNote(anything)), Buffer.from(anything).toString())
    return codes.includes(code) && codes.includes(codeOf(() => parseSignatures(anything)))
  })
  t.doesNotThrow(() => fc.assert(refused, { numRuns: RUNS }))
  const key = fc.property(text, parts =>
    ['key-malformed', 'key-type-unknown'].includes(keyParsing(parts.join('+')))
  )
  t.doesNotThrow(() => fc.assert(key, { numRuns: RUNS }))
})
