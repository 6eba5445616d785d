import { generateKeyPairSync, sign } from 'node:crypto'
import t from 'tap'
import {
  COSIGNATURE_TYPE,
  cosignatureSigner,
  cosignatureVerifier,
  verifiedCosignatures
} from '../../../src/audit/tlog/cosignature.ts'
import {
  formatNote,
  formatVerifierKey,
  keyIdOf,
  noteSigner,
  openNote,
  parseNote,
  parseSignatures,
  parseVerifierKey,
  signNote,
  verifierKeyOf
} from '../../../src/audit/tlog/note.ts'
import { bitFlips, codeOf } from './naive.ts'

const BODY = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
/** The example of the specification. Nobody published its key. */
const SPEC_LINE =
  '— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n'
const SECONDS = 1_679_315_147
const NAME = 'witness.example.com/w1'

const { privateKey } = generateKeyPairSync('ed25519')
const key = verifierKeyOf(NAME, privateKey, COSIGNATURE_TYPE)
const cosigner = cosignatureSigner(NAME, privateKey, SECONDS)

t.test('the line is framed as in the example of the specification', async t => {
  const [example] = parseSignatures(SPEC_LINE)
  const [ours] = parseNote(signNote(BODY, [cosigner])).signatures
  t.equal(example?.id, '8d66cf3f')
  t.equal(example?.signature.byteLength, 72)
  t.equal(ours?.signature.byteLength, 72)
  t.same(ours?.signature.subarray(0, 8), example?.signature.subarray(0, 8), 'the same second')
})

t.test('what is signed is the text of the specification', async t => {
  const message = `cosignature/v1\ntime 1679315147\n${BODY}`
  const signature = sign(null, Buffer.from(message), privateKey)
  const [ours] = parseNote(signNote(BODY, [cosigner])).signatures
  t.same(ours?.signature.subarray(8), signature, 'Ed25519 gives the same bytes each time')
})

t.test('cosignatures of witnesses are found among other lines', async t => {
  const other = generateKeyPairSync('ed25519')
  const log = noteSigner('example.com/behind-the-sofa', other.privateKey)
  const stranger = cosignatureSigner(NAME, other.privateKey, 1)
  const later = cosignatureSigner(NAME, privateKey, SECONDS + 9)
  const note = parseNote(signNote(BODY, [log, stranger, cosigner, later]))
  t.same(
    verifiedCosignatures(note, [key]),
    [{ name: NAME, id: keyIdOf(key), seconds: SECONDS }],
    'each witness once'
  )
  const second = verifierKeyOf(NAME, other.privateKey, COSIGNATURE_TYPE)
  t.same(
    verifiedCosignatures(note, [key, second]).map(({ seconds }) => seconds),
    [1, SECONDS]
  )
  t.same(verifiedCosignatures(parseNote(signNote(BODY, [log])), [key]), [])
})

t.test('the answer of a witness is checked against the text that was sent', async t => {
  const answer = signNote(BODY, [cosigner]).slice(BODY.length + 1)
  const signatures = parseSignatures(answer)
  t.equal(verifiedCosignatures({ text: BODY, signatures }, [key]).length, 1)
  const text = BODY.replace('20852163', '20852164')
  t.equal(
    codeOf(() => verifiedCosignatures({ text, signatures }, [key])),
    'note-signature-wrong'
  )
})

t.test('a cosignature and a signature by one key are not taken for each other', async t => {
  const plain = verifierKeyOf(NAME, privateKey)
  t.not(keyIdOf(plain), keyIdOf(key))
  t.equal(
    codeOf(() => cosignatureVerifier(plain)),
    'key-type-unknown'
  )
  const [line] = parseNote(signNote(BODY, [noteSigner(NAME, privateKey)])).signatures
  const disguised = { name: NAME, id: keyIdOf(key), signature: line!.signature }
  const note = formatNote({ text: BODY, signatures: [disguised] })
  t.equal(
    codeOf(() => openNote(note, [cosignatureVerifier(key)])),
    'note-signature-wrong'
  )
  t.same(parseVerifierKey(formatVerifierKey(key)), key)
})

t.test('no bit can be changed, the time included', async t => {
  const [line] = parseNote(signNote(BODY, [cosigner])).signatures
  const refused = [...bitFlips(line!.signature)].filter(signature => {
    const note = { text: BODY, signatures: [{ ...line!, signature }] }
    return codeOf(() => verifiedCosignatures(note, [key])) === 'note-signature-wrong'
  })
  t.equal(refused.length, 72 * 8)
})

t.test('signatures that are too short, or of no time that is, are refused', async t => {
  const verifier = cosignatureVerifier(key)
  const text = Buffer.from(BODY)
  const good = cosigner.sign(text)
  t.ok(verifier.verify(text, good))
  for (const bytes of [0, 1, 7, 8, 71]) {
    t.notOk(verifier.verify(text, good.subarray(0, bytes)), `${bytes} bytes`)
  }
  t.notOk(verifier.verify(text, Buffer.concat([good, Buffer.alloc(1)])), '73 bytes')

  // Signed rightly, but at a second that a number cannot hold.
  const far = 2n ** 53n
  const message = Buffer.from(`cosignature/v1\ntime ${far}\n${BODY}`)
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(far)
  t.notOk(verifier.verify(text, Buffer.concat([time, sign(null, message, privateKey)])))
  for (const seconds of [-1, 0.5, 2 ** 53, Number.NaN]) {
    t.throws(() => cosignatureSigner(NAME, privateKey, seconds), RangeError)
  }
  const zero = cosignatureSigner(NAME, privateKey, 0).sign(text)
  t.ok(verifier.verify(text, zero), 'whether a time is recent is for the caller to say')
})
