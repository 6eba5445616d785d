import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { openCheckpoint, signCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { noteSigner, noteVerifier, verifierKeyOf } from '../../../src/audit/tlog/note.ts'
import {
  formatProofFile,
  PROOF_FILE_BYTES_MAX,
  type ProofFile,
  parseProofFile
} from '../../../src/audit/tlog/proof-file.ts'
import { leafHash, verifyInclusion } from '../../../src/audit/tlog/tree.ts'
import { bitFlips, codeOf, leavesOf, naiveTree } from './naive.ts'

const RUNS = process.env.SLOW === '1' ? 5000 : 500
const ORIGIN = 'example.com/fancylog'
const { privateKey } = generateKeyPairSync('ed25519')
const signer = noteSigner(ORIGIN, privateKey)
const logKey = noteVerifier(verifierKeyOf(ORIGIN, privateKey))

const size = 11
const index = 6
const tree = naiveTree(leavesOf(size))
const entry = Buffer.from(`entry ${index}`)
const checkpoint = signCheckpoint({ origin: ORIGIN, size, root: tree.root(size) }, [signer])
const file = formatProofFile({
  extra: entry,
  index,
  proof: tree.inclusion(index, size),
  checkpoint
})

/** What whoever is given the file does with it. */
function entryOf(text: string | Uint8Array): string {
  const { extra = Buffer.alloc(0), index, proof, checkpoint } = parseProofFile(text)
  const { size, root } = openCheckpoint(checkpoint, ORIGIN, [logKey])
  return verifyInclusion(leafHash(extra), index, size, proof, root) ? extra.toString() : 'unproven'
}
const parsing = (input: string | Uint8Array) => codeOf(() => parseProofFile(input))
const formatting = (file: ProofFile) => codeOf(() => formatProofFile(file))

t.test('the file is laid out as the specification shows', async t => {
  const hashes = tree.inclusion(index, size).map(hash => `${hash.toString('base64')}\n`)
  t.equal(
    file,
    `c2sp.org/tlog-proof@v1\nextra ZW50cnkgNg==\nindex 6\n${hashes.join('')}\n${checkpoint}`
  )
  const bare = formatProofFile({ index: 0, proof: [], checkpoint })
  t.equal(bare, `c2sp.org/tlog-proof@v1\nindex 0\n\n${checkpoint}`)
  t.same(parseProofFile(bare), { index: 0, proof: [], checkpoint })
})

t.test("the specification's own example is read", async t => {
  const example = `c2sp.org/tlog-proof@v1
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

${checkpoint}`
  const parsed = parseProofFile(example)
  t.equal(parsed.index, 73_894)
  t.equal(parsed.proof.length, 5)
  t.equal(formatProofFile(parsed), example)
})

t.test('the file stands alone, and no bit of it can be changed', async t => {
  t.equal(entryOf(file), 'entry 6')
  t.equal(entryOf(Buffer.from(file)), 'entry 6', 'bytes or text')
  const accepted: string[] = []
  for (const changed of bitFlips(Buffer.from(file))) {
    const code = codeOf(() => {
      if (entryOf(changed) !== 'unproven') accepted.push(changed.toString('latin1'))
    })
    if (!/^(none|proof|note|checkpoint)/.test(code)) t.fail(code)
  }
  t.same(accepted, [])
})

t.test('any other spelling is refused', async t => {
  const head = 'c2sp.org/tlog-proof@v1\n'
  const hash = Buffer.alloc(32, 7).toString('base64')
  const rest = `\n${checkpoint}`
  const refused: [string, string | Buffer][] = [
    ['nothing', ''],
    ['the first line alone', head],
    ['no first line', `index 0\n${rest}`],
    ['another version', `c2sp.org/tlog-proof@v2\nindex 0\n${rest}`],
    ['a space before', ` ${head}index 0\n${rest}`],
    ['a newline before', `\n${head}index 0\n${rest}`],
    ['a byte order mark', `\ufeff${head}index 0\n${rest}`],
    ['no index', `${head}${rest}`],
    ['no index but a hash', `${head}${hash}\n${rest}`],
    ['index before extra', `${head}index 0\nextra YQ==\n${rest}`],
    ['two extras', `${head}extra YQ==\nextra YQ==\nindex 0\n${rest}`],
    ['an empty extra', `${head}extra \nindex 0\n${rest}`],
    ['an extra without a space', `${head}extra\nindex 0\n${rest}`],
    ['an extra without padding', `${head}extra YQ\nindex 0\n${rest}`],
    ['an extra with bits left over', `${head}extra YR==\nindex 0\n${rest}`],
    [
      'an extra too long',
      `${head}extra ${Buffer.alloc(65_536).toString('base64')}\nindex 0\n${rest}`
    ],
    ['an empty index', `${head}index \n${rest}`],
    ['leading zeros', `${head}index 00\n${rest}`],
    ['a sign', `${head}index -1\n${rest}`],
    ['two spaces', `${head}index  1\n${rest}`],
    ['an index too large', `${head}index 9007199254740992\n${rest}`],
    ['a short hash', `${head}index 0\n${hash.slice(4)}\n${rest}`],
    ['a long hash', `${head}index 0\n${Buffer.alloc(33).toString('base64')}\n${rest}`],
    ['a space after a hash', `${head}index 0\n${hash} \n${rest}`],
    ['54 hashes', `${head}index 0\n${`${hash}\n`.repeat(54)}${rest}`],
    ['CRLF', file.replaceAll('\n', '\r\n')],
    ['no UTF-8', Buffer.concat([Buffer.from(file), Buffer.of(0xff)])]
  ]
  for (const [what, text] of refused) {
    t.equal(parsing(text), 'proof-malformed', what)
  }
  t.equal(parsing(`${head}index 0\n${`${hash}\n`.repeat(53)}${rest}`), 'none')
  t.equal(parsing(`${head}index 0\n\n`), 'note-malformed')
  t.equal(parsing(`${head}index 0\n\n\n${checkpoint}x`), 'note-malformed')
  t.equal(parsing(file.trimEnd()), 'note-malformed')
  t.equal(parsing('x'.repeat(PROOF_FILE_BYTES_MAX + 1)), 'proof-too-long')
})

t.test('what could not be read again is not written', async t => {
  const good = { index: 0, proof: [], checkpoint }
  for (const part of [
    { index: -1 },
    { index: 0.5 },
    { index: 2 ** 53 },
    { extra: Buffer.alloc(0) },
    { extra: Buffer.alloc(65_536) },
    { proof: [Buffer.alloc(31)] },
    { proof: [Buffer.alloc(0)] },
    { proof: Array.from({ length: 54 }, () => Buffer.alloc(32)) }
  ]) {
    t.equal(formatting({ ...good, ...part }), 'proof-malformed')
  }
  t.equal(formatting({ ...good, checkpoint: '' }), 'note-malformed')
})

t.test('any proof is read as it was written, anything else is refused with a code', async t => {
  const bytes = (length: number, most = length) =>
    fc.uint8Array({ minLength: length, maxLength: most }).map(array => Buffer.from(array))
  const anyFile = fc.record(
    { extra: bytes(1, 200), index: fc.maxSafeNat(), proof: fc.array(bytes(32), { maxLength: 53 }) },
    { requiredKeys: ['index', 'proof'] }
  )
  const same = fc.property(anyFile, parts => {
    t.same(parseProofFile(formatProofFile({ ...parts, checkpoint })), { ...parts, checkpoint })
  })
  t.doesNotThrow(() => fc.assert(same, { numRuns: RUNS / 5 }))

  const piece = fc.constantFrom(...file.split(/(?<=\n)/), 'index 1\n', 'extra YQ==\n', '\n')
  const anything = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join('')),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 80 })
  )
  const coded = fc.property(anything, input => {
    const code = parsing(input)
    if (code === 'none') t.equal(formatProofFile(parseProofFile(input)), String(input))
    return /^(none|(proof|note|checkpoint)-malformed)$/.test(code)
  })
  t.doesNotThrow(() => fc.assert(coded, { numRuns: RUNS }))
})
