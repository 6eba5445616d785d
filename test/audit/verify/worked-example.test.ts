import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { canonicalJson } from '../../../src/audit/canonical.ts'
import { commitmentTo, leafBytes } from '../../../src/audit/entry.ts'
import { parseCheckpoint, signCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { formatVerifierKey, noteSigner, verifierKeyOf } from '../../../src/audit/tlog/note.ts'
import { parseProofFile } from '../../../src/audit/tlog/proof-file.ts'
import { leafHash, nodeHash } from '../../../src/audit/tlog/tree.ts'
import { readLeaf } from '../../../src/audit/verify/leaf.ts'

// The example of docs/audit-log.md, as somebody would check it who writes a second implementation.

const page = readFileSync(new URL('../../../docs/audit-log.md', import.meta.url), 'utf8')
const example = page.slice(page.indexOf('### Example'), page.indexOf('## The tree'))
const blocks = [...example.matchAll(/^```\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text)

t.test('the example in the documentation is true', async t => {
  const [first = '', leaves = '', hashes = '', key = '', file = ''] = blocks
  const [details = '', hex = ''] = first.split('\n')
  const salt = Buffer.from(hex, 'hex')
  t.equal(canonicalJson(JSON.parse(details)), details, 'the details are canonical')
  const texts = leaves.trimEnd().split('\n')
  const [granted, complete] = texts.map(text => JSON.parse(text))
  for (const text of texts) {
    t.type(readLeaf(Buffer.from(text)), 'object', 'the verifier takes the leaf')
    t.equal(leafBytes(JSON.parse(text)).toString(), text)
  }
  t.equal(granted.d, commitmentTo(Buffer.concat([salt, Buffer.from(details)])))
  t.equal(complete.d, commitmentTo(Buffer.concat([salt, Buffer.from('{"details":{}}')])))

  const [one, two] = texts.map(text => leafHash(Buffer.from(text)))
  if (one === undefined || two === undefined) throw new Error('There are two leaves.')
  const root = nodeHash(one, two)
  t.same(
    hashes.trimEnd().split('\n'),
    [one, two, root].map(hash => hash.toString('hex'))
  )

  const seed = Buffer.alloc(32, 1).toString('hex')
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex')
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const proof = parseProofFile(file)
  const { origin } = parseCheckpoint(
    proof.checkpoint.slice(0, proof.checkpoint.indexOf('\n\n') + 1)
  )
  t.equal(`${formatVerifierKey(verifierKeyOf(origin, privateKey))}\n`, key)
  t.equal(
    signCheckpoint({ origin, size: 2, root }, [noteSigner(origin, privateKey)]),
    proof.checkpoint
  )
  t.match(proof, { index: 1, proof: [one], extra: Buffer.from(texts[1] ?? '') })
})
