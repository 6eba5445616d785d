import t, { type Test } from 'tap'
import { verifiedCosignatures } from '../../src/audit/tlog/cosignature.ts'
import { parseNote, parseSignatures, parseVerifierKey } from '../../src/audit/tlog/note.ts'
import { type StaticLog, staticLog } from './static-log.ts'
import { startWitness, type Witness } from './witness.ts'

// A witness of others cosigns what our code writes, and our code knows its cosignatures.

const origin = 'exchange.example/v1/audit'
const log = staticLog(origin)
const witness = await startWitness(t, log.vkey)
if (witness !== undefined) {
  t.test('a log that grows is cosigned', t => cosigns(t, witness))
  t.test('whatever does not extend it is refused', t => refuses(t, witness))
}

async function cosigns(t: Test, witness: Witness): Promise<void> {
  const begun = Math.floor(Date.now() / 1000)
  for (const [from, to] of [
    [0, 1],
    [1, 256],
    [256, 300],
    [300, 70_000],
    [70_000, 70_000]
  ] as const) {
    log.growTo(to)
    const answer = await addCheckpoint(witness, log, from)
    t.equal(answer.status, 200, `from ${from} to ${to}`)

    // Then the answer is a signature over the checkpoint that was sent.
    const signatures = parseSignatures(await answer.text())
    const { text } = parseNote(log.checkpoint())
    const key = parseVerifierKey(witness.vkey)
    const [cosignature, ...others] = verifiedCosignatures({ text, signatures }, [key])
    t.equal(cosignature?.name, key.name)
    t.ok(Number(cosignature?.seconds) >= begun, 'by its clock')
    t.same(others, [])
    t.throws(
      () => verifiedCosignatures({ text: `${text}x\n`, signatures }, [key]),
      { code: 'note-signature-wrong' },
      'and over no other'
    )
  }
}

async function refuses(t: Test, witness: Witness): Promise<void> {
  // Given a witness that has seen 70,000 entries.
  const behind = await addCheckpoint(witness, log, 300)
  t.equal(behind.status, 409, 'it has seen more')
  t.equal(behind.headers.get('content-type'), 'text/x.tlog.size')
  t.equal(await behind.text(), '70000\n')

  log.growTo(70_001)
  const proof = await log.proveSince(70_000)
  const short = await addCheckpoint(witness, log, 70_000, proof.slice(1))
  t.equal(short.status, 422, 'the proof does not fit')
  const ahead = await addCheckpoint(witness, log, 70_002, proof)
  t.equal(ahead.status, 400, 'it would shrink')

  const stranger = staticLog(origin)
  stranger.growTo(70_001)
  const unsigned = await addCheckpoint(witness, stranger, 70_000, proof)
  t.equal(unsigned.status, 403, 'it is signed by another key')
  const unknown = await addCheckpoint(witness, staticLog('other.example/log'), 0)
  t.equal(unknown.status, 404, 'it is of another log')

  const extended = await addCheckpoint(witness, log, 70_000, proof)
  t.equal(extended.status, 200, 'none of this has changed what it has seen')
}

/** Asks for a cosignature of the log's checkpoint, as C2SP tlog-witness says. */
async function addCheckpoint(
  { url }: Witness,
  log: StaticLog,
  from: number,
  proof?: Buffer[]
): Promise<Response> {
  const hashes = proof ?? (await log.proveSince(from))
  const lines = hashes.map(hash => `${hash.toString('base64')}\n`).join('')
  const body = `old ${from}\n${lines}\n${log.checkpoint()}`
  return fetch(`${url}/add-checkpoint`, { method: 'POST', body })
}
