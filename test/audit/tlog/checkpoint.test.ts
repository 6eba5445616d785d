import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import {
  type Checkpoint,
  formatCheckpoint,
  ORIGIN_BYTES_MAX,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint
} from '../../../src/audit/tlog/checkpoint.ts'
import { cosignatureSigner, cosignatureVerifier } from '../../../src/audit/tlog/cosignature.ts'
import {
  noteSigner,
  noteVerifier,
  parseNote,
  signNote,
  verifierKeyOf
} from '../../../src/audit/tlog/note.ts'
import { emptyRoot } from '../../../src/audit/tlog/tree.ts'
import { bitFlips, codeOf } from './naive.ts'

const RUNS = process.env.SLOW === '1' ? 5000 : 500
const ORIGIN = 'example.com/behind-the-sofa'
const ROOT = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I='
/** The example of the specification. */
const BODY = `${ORIGIN}\n20852163\n${ROOT}\n`
const SPEC_NOTE = `${BODY}\n— ${ORIGIN} Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n`

const { privateKey } = generateKeyPairSync('ed25519')
const logKey = noteVerifier(verifierKeyOf(ORIGIN, privateKey))
const signer = noteSigner(ORIGIN, privateKey)
const parsing = (text: string) => codeOf(() => parseCheckpoint(text))
const formatting = (checkpoint: Checkpoint) => codeOf(() => formatCheckpoint(checkpoint))

t.test('the example of the specification is read and written', async t => {
  const checkpoint = parseCheckpoint(parseNote(SPEC_NOTE).text)
  t.same(checkpoint, { origin: ORIGIN, size: 20_852_163, root: Buffer.from(ROOT, 'base64') })
  t.equal(formatCheckpoint(checkpoint), BODY)
  const empty = { origin: 'log', size: 0, root: emptyRoot }
  t.equal(formatCheckpoint(empty), 'log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n')
  t.same(parseCheckpoint(formatCheckpoint(empty)), empty)
})

t.test('any other spelling is refused', async t => {
  const malformed: [string, string][] = [
    ['nothing', ''],
    ['no root', `${ORIGIN}\n1\n`],
    ['no last newline', BODY.trimEnd()],
    ['two last newlines', `${BODY}\n`],
    ['an extension line', `${BODY}extension\n`],
    ['an extension line not ended', `${BODY}extension`],
    ['no origin', `\n1\n${ROOT}\n`],
    ['a leading newline', `\n${BODY}`],
    ['CRLF', BODY.replaceAll('\n', '\r\n')],
    ['a tab in the origin', `a\tb\n1\n${ROOT}\n`],
    ['an origin too long', `${'x'.repeat(ORIGIN_BYTES_MAX + 1)}\n1\n${ROOT}\n`],
    ['an origin too long in bytes', `${'é'.repeat(128)}\n1\n${ROOT}\n`],
    ['a root of 31 bytes', `a\n1\n${Buffer.alloc(31).toString('base64')}\n`],
    ['a root of 33 bytes', `a\n1\n${Buffer.alloc(33).toString('base64')}\n`],
    ['no padding', `a\n1\n${ROOT.replace('=', '')}\n`],
    ['bits after the last byte', `a\n1\n${ROOT.replace('I=', 'J=')}\n`],
    ['a space after the root', `a\n1\n${ROOT} \n`],
    ['a root that no empty tree has', `a\n0\n${ROOT}\n`],
    ...[
      '',
      '01',
      '00',
      '+1',
      '-1',
      '1.0',
      '1e3',
      '0x10',
      ' 1',
      '1 ',
      '١',
      '1_0',
      '9007199254740992'
    ]
      .concat('99999999999999999999')
      .map((size): [string, string] => [`size "${size}"`, `a\n${size}\n${ROOT}\n`])
  ]
  for (const [what, text] of malformed) {
    t.equal(parsing(text), 'checkpoint-malformed', what)
  }
  t.equal(parseCheckpoint(`a\n9007199254740991\n${ROOT}\n`).size, Number.MAX_SAFE_INTEGER)
  t.equal(parsing(`${'x'.repeat(ORIGIN_BYTES_MAX)}\n1\n${ROOT}\n`), 'none')
})

t.test('what could not be read again is not written', async t => {
  const good = { origin: 'log', size: 1, root: Buffer.alloc(32) }
  t.equal(formatting(good), 'none')
  for (const part of [
    { origin: '' },
    { origin: 'a\nb' },
    { origin: '\ud800' },
    { size: -1 },
    { size: 1.5 },
    { size: 2 ** 53 },
    { size: 1e21 },
    { size: Number.NaN },
    { size: 0 },
    { root: Buffer.alloc(31) },
    { root: Buffer.alloc(0) }
  ]) {
    t.equal(formatting({ ...good, ...part }), 'checkpoint-malformed')
  }
})

t.test('any checkpoint survives signing and opening', async t => {
  const anyCheckpoint = fc.record({
    origin: fc.stringMatching(/^[ -~é]{1,120}$/),
    size: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    root: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes))
  })
  const survives = fc.property(anyCheckpoint, checkpoint => {
    const note = signCheckpoint(checkpoint, [signer])
    t.same(openCheckpoint(note, checkpoint.origin, [logKey]), checkpoint)
  })
  t.doesNotThrow(() => fc.assert(survives, { numRuns: RUNS / 5 }))
  const refused = fc.property(fc.string({ unit: 'binary' }), text =>
    ['checkpoint-malformed'].includes(parsing(text))
  )
  t.doesNotThrow(() => fc.assert(refused, { numRuns: RUNS }))
})

t.test('only a checkpoint of this log, signed by the log, opens', async t => {
  const checkpoint = { origin: ORIGIN, size: 7, root: Buffer.alloc(32, 1) }
  const witness = generateKeyPairSync('ed25519')
  const cosigner = cosignatureSigner('witness.example', witness.privateKey, 1_700_000_000)
  const note = signCheckpoint(checkpoint, [signer, cosigner])
  t.same(openCheckpoint(note, ORIGIN, [logKey]), checkpoint)
  const elsewhere = codeOf(() => openCheckpoint(note, 'example.com/other', [logKey]))
  t.equal(elsewhere, 'checkpoint-origin-wrong')
  const byWitness = signCheckpoint(checkpoint, [cosigner])
  t.equal(
    codeOf(() => openCheckpoint(byWitness, ORIGIN, [logKey])),
    'note-unsigned'
  )
  const text = signNote('another text\n', [signer])
  t.equal(
    codeOf(() => openCheckpoint(text, ORIGIN, [logKey])),
    'checkpoint-malformed'
  )
  const witnessKey = verifierKeyOf('witness.example', witness.publicKey, 4)
  t.equal(cosignatureVerifier(witnessKey).id, cosigner.id)
})

t.test('no bit of a signed checkpoint can be changed', async t => {
  const note = signCheckpoint({ origin: ORIGIN, size: 7, root: Buffer.alloc(32, 1) }, [signer])
  const opened = [...bitFlips(Buffer.from(note))].filter(
    changed => codeOf(() => openCheckpoint(changed, ORIGIN, [logKey])) === 'none'
  )
  t.same(opened, [])
})
