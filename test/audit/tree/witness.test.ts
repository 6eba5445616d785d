import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { COSIGNATURE_TYPE, cosignatureSigner } from '../../../src/audit/tlog/cosignature.ts'
import {
  formatNote,
  formatVerifierKey,
  parseNote,
  verifierKeyOf
} from '../../../src/audit/tlog/note.ts'
import { verifyConsistency } from '../../../src/audit/tlog/tree.ts'
import { showToWitnesses, withCosignatures } from '../../../src/audit/tree/witness.ts'
import { eventually } from '../../helpers/exchange.ts'
import { append, leavesOf, opened, rootOf, treeStage } from './scene.ts'

interface Request {
  old: number
  proof: Buffer[]
  note: string
}

interface Reply {
  status: number
  type?: string
  text: string
}

/** A witness that answers as it is told to. */
async function witnessDouble(t: Test, name = 'witness.example/double') {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const requests: Request[] = []
  const signer = cosignatureSigner(name, privateKey, 1_795_000_000)
  /** The lines a good witness answers with. */
  const sign = (note: string): string => {
    const { text } = parseNote(note)
    const signature = signer.sign(Buffer.from(text))
    const whole = formatNote({ text, signatures: [{ name, id: signer.id, signature }] })
    return whole.slice(text.length + 1)
  }
  const double = {
    vkey: formatVerifierKey(verifierKeyOf(name, publicKey, COSIGNATURE_TYPE)),
    url: '',
    requests,
    sign,
    answer: (request: Request): Reply | Promise<Reply> => ({
      status: 200,
      text: sign(request.note)
    })
  }
  const server = createServer(async (incoming, response) => {
    let body = ''
    for await (const part of incoming) body += part
    const end = body.indexOf('\n\n')
    const [first = '', ...hashes] = body.slice(0, end).split('\n')
    const request = {
      old: Number(/^old (\d+)$/.exec(first)?.[1]),
      proof: hashes.map(line => Buffer.from(line, 'base64')),
      note: body.slice(end + 2)
    }
    requests.push(request)
    const { status, type = 'text/plain', text } = await double.answer(request)
    response.writeHead(status, { 'content-type': type, location: '/elsewhere' }).end(text)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return double
}

type Double = Awaited<ReturnType<typeof witnessDouble>>

/** A log that is shown to these witnesses. */
async function shownLog(t: Test, doubles: Double[]) {
  const { data, open } = await treeStage(t)
  const tree = await open()
  const failures: string[] = []
  /** As each process on this database does. */
  const show = () => {
    const shown = showToWitnesses({
      database: data.database,
      tree,
      witnesses: doubles.map(({ vkey, url }) => ({ vkey, url })),
      clock: data.clock,
      onFailure: err => void failures.push(String(err))
    })
    t.teardown(() => shown.stop())
    return shown
  }
  const shown = show()
  const grow = async (events: number) => {
    await append(data, events)
    const { size } = await tree.settle()
    return size
  }
  const served = async () => {
    const checkpoint = await tree.settle()
    return withCosignatures(data.database, checkpoint)
  }
  const names = async () => parseNote(await served()).signatures.map(({ name }) => name)
  return { data, tree, failures, show, shown, grow, served, names }
}

t.test('each checkpoint is shown with a proof from the one before', async t => {
  const double = await witnessDouble(t)
  const { data, grow, names, tree, failures } = await shownLog(t, [double])
  const sizes = [3, 260, 261]
  for (const [n, size] of sizes.entries()) {
    await grow(size - (sizes[n - 1] ?? 0))
    await eventually('it is cosigned', async () =>
      (await names()).length === 2 ? true : undefined
    )
  }
  const leaves = await leavesOf(t, data.database)
  const vkeys = tree.keys.keys.map(({ vkey }) => vkey)
  t.same(
    double.requests.map(({ old }) => old),
    [0, 3, 260]
  )
  for (const { old, proof, note } of double.requests) {
    const { size, root } = opened(note, vkeys)
    if (old === 0) t.same(proof, [], 'no proof from nothing')
    else t.ok(verifyConsistency(old, rootOf(leaves, old), size, root, proof), `from ${old}`)
  }
  t.same(failures, [])
})

t.test('a witness that knows another size is believed as to that, within reason', async t => {
  const double = await witnessDouble(t)
  const { grow, names, failures } = await shownLog(t, [double])
  // It has seen 5, for instance before a crash here, and answers as the specification says.
  double.answer = ({ old, note }) =>
    old === 5
      ? { status: 200, text: double.sign(note) }
      : { status: 409, type: 'text/x.tlog.size', text: '5\n' }
  await grow(8)
  await eventually('it is cosigned', async () => ((await names()).length === 2 ? true : undefined))
  t.same(
    double.requests.map(({ old }) => old),
    [0, 5]
  )
  t.equal(double.requests[1]?.proof.length, 4, 'with the proof from there')

  // What it cannot have seen is a fault, whichever side is wrong.
  for (const [text, told] of [
    ['1000\n', /seen a larger log than this one: 1000/],
    ['', /does not say which size/],
    ['-1\n', /does not say which size/],
    ['1e1\n', /does not say which size/],
    ['many\n', /does not say which size/]
  ] as const) {
    double.answer = () => ({ status: 409, type: 'text/x.tlog.size', text })
    await grow(1)
    t.match(await eventually('it is told', () => failures.pop()), told)
    t.same((await names()).length, 1, 'and nothing of it is published')
  }

  // And it is asked no third time.
  double.answer = () => ({ status: 409, type: 'text/x.tlog.size', text: '2\n' })
  const before = double.requests.length
  await grow(1)
  t.match(await eventually('it is told', () => failures.pop()), /answered 409/)
  t.equal(double.requests.length, before + 2)
})

t.test('only the witness’s own signature is passed on', async t => {
  const double = await witnessDouble(t)
  const stranger = await witnessDouble(t, 'stranger.example/w')
  const { grow, names, failures, served } = await shownLog(t, [double])
  const bad: Record<string, (request: Request) => Reply> = {
    'no signature': () => ({ status: 200, text: '' }),
    garbage: () => ({ status: 200, text: '<html>It works!</html>\n' }),
    'a stranger’s signature': ({ note }) => ({ status: 200, text: stranger.sign(note) }),
    'a signature of another checkpoint': ({ note }) => ({
      status: 200,
      text: double.sign(note.replace(/\n\d+\n/, '\n1000000\n'))
    }),
    'too much': () => ({ status: 200, text: 'x'.repeat(1_000_000) }),
    'a redirect': () => ({ status: 307, text: '' }),
    refusal: () => ({ status: 403, text: 'unknown key' }),
    trouble: () => ({ status: 500, text: '' })
  }
  for (const [what, answer] of Object.entries(bad)) {
    double.answer = answer
    await grow(1)
    t.ok(await eventually('it is told', () => failures.pop()), what)
    t.equal((await names()).length, 1, `${what}: nothing is published`)
  }

  // Its own line, among a hundred others, is taken out.
  double.answer = ({ note }) => ({
    status: 200,
    text: stranger.sign(note).repeat(60) + double.sign(note)
  })
  await grow(1)
  await eventually('it is cosigned', async () => ((await names()).length === 2 ? true : undefined))
  t.match(await names(), [/./, 'witness.example/double'])
  t.notMatch(await served(), 'stranger.example')
})

t.test('one witness that is down or slow does not keep the others back', async t => {
  const good = await witnessDouble(t, 'good.example/w')
  const slow = await witnessDouble(t, 'slow.example/w')
  const down = { ...(await witnessDouble(t, 'down.example/w')), url: 'http://127.0.0.1:1' }
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // It takes the connection and says nothing, ever.
  slow.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { grow, names, failures, shown } = await shownLog(t, [slow, down, good])
  for (let round = 0; round < 3; round += 1) {
    await grow(2)
    await eventually('the good one cosigns', async () =>
      (await names()).includes('good.example/w') ? true : undefined
    )
  }
  t.ok(failures.length >= 1 && failures.every(text => /fetch failed/.test(text)))

  // When everything ends, nobody is asked any more.
  await shown.stop()
  const before = good.requests.length
  await grow(1)
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(good.requests.length, before)
})

t.test('a late answer to one process does not undo what another was given', async t => {
  // Given two processes that show the same log to a witness, which keeps one of them waiting
  const double = await witnessDouble(t)
  const { show, grow, names, failures } = await shownLog(t, [double])
  show()
  const gate = Promise.withResolvers<void>()
  double.answer = async ({ note }) => {
    if (double.requests.length === 1) await gate.promise
    return { status: 200, text: double.sign(note) }
  }
  const isCosigned = async () => ((await names()).length === 2 ? true : undefined)
  await grow(3)
  await eventually('one has the signature', isCosigned)
  await grow(2)
  await eventually('and that of the next', isCosigned)
  // When the other has its answer to the first
  gate.resolve()
  await pause(300)
  // Then the signature of the last is still passed on
  t.equal(double.requests.length, 3)
  t.ok(await isCosigned())
  t.same(failures, [])
})

t.test('a process that comes late with an older checkpoint raises no alarm', async t => {
  // Given a witness to which another process has shown more than this one, which is behind, is told of
  const double = await witnessDouble(t)
  const { data, tree, grow, names, failures } = await shownLog(t, [double])
  let showLate: Parameters<typeof tree.onCheckpoint>[0] = () => {}
  const behind = showToWitnesses({
    database: data.database,
    tree: {
      ...tree,
      onCheckpoint(listener) {
        showLate = listener
      }
    },
    witnesses: [{ vkey: double.vkey, url: double.url }],
    clock: data.clock,
    onFailure: err => void failures.push(String(err))
  })
  const isCosigned = async () => ((await names()).length === 2 ? true : undefined)
  await grow(3)
  await eventually('it is cosigned', isCosigned)
  const older = await tree.settle()
  await grow(2)
  await eventually('it is cosigned again', isCosigned)
  const asked = double.requests.length
  // When it shows its own, before and after it can know what the witness has signed
  showLate(older)
  await pause(100)
  t.equal(double.requests.length, asked, 'there is nothing left to ask')
  await data.database.write(
    async tx => void (await tx.update(tx.tables.auditCosignatures).set({ size: 1 }))
  )
  double.answer = () => ({ status: 409, type: 'text/x.tlog.size', text: '5\n' })
  showLate(older)
  await eventually('it is asked', () => double.requests.length > asked || undefined)
  await pause(100)
  await behind.stop()
  // Then nobody is told that the log is shorter than it was
  t.same(failures, [])
})
