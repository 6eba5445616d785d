import { readFileSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parseNote, parseVerifierKey } from '../../../src/audit/tlog/note.ts'
import { parseProofFile } from '../../../src/audit/tlog/proof-file.ts'
import { leafHash, verifyInclusion } from '../../../src/audit/tlog/tree.ts'
import { addLogKey, createLogKeys, openLogKeys } from '../../../src/audit/tree/signing-keys.ts'
import { dataPaths, lockRotation } from '../../../src/open-data.ts'
import { startExchange, type TestExchange } from '../../helpers/exchange.ts'
import { runScript } from '../../scripts/run-script.ts'
import { liveliness } from '../scene.ts'
import { append, opened, treeStage } from './scene.ts'

const rotate = (exchange: TestExchange, ...args: string[]) =>
  runScript('rotate-log-key', exchange.settings, ...args)

const text = async (exchange: TestExchange, path: string) =>
  (await exchange.client().send('GET', `/v1/audit/${path}`)).text

/** Key ids of the signatures on a checkpoint. */
const signers = (note: string) => parseNote(note).signatures.map(({ id }) => id)
const keyId = (vkey: string) => vkey.split('+')[1]

function assertProves(t: { ok(value: boolean, what: string): void }, proof: string, vkey: string) {
  const { extra = Buffer.alloc(0), index, proof: hashes, checkpoint } = parseProofFile(proof)
  const { size, root } = opened(checkpoint, [vkey])
  t.ok(verifyInclusion(leafHash(extra), index, size, hashes, root), 'the proof holds')
}

t.test('a key is added, used beside the old one, and the old one retired', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  await exchange.exchange.tree.settle()
  const [first = '', ...none] = (await text(exchange, 'keys')).trimEnd().split('\n')
  t.same(none, [])
  const [event] = await exchange.auditEvents({ action: 'case.create' })
  const proof = await text(exchange, `events/${event?.id}/proof`)
  assertProves(t, proof, first)

  // When a key is added beside the running service.
  const added = await rotate(exchange)
  t.match(added, { exit: 0, err: /Publish this verifier key.*restart the service/s })
  const second = added.out
  t.equal(parseVerifierKey(second).name, parseVerifierKey(first).name, 'of the same log')
  t.not(second, first)
  t.match(await exchange.auditEvents({ action: 'log.key' }), [
    { outcome: 'success', details: { by: 'operator console', added: second } }
  ])
  const { tree } = exchange.exchange
  t.same(signers((await tree.settle()).note), [keyId(first)], 'it signs from the next start on')
  await exchange.restart()
  t.equal(await text(exchange, 'keys'), `${first}\n${second}\n`)
  await append(exchange.exchange, 1)
  const both = (await exchange.exchange.tree.settle()).note
  t.same(signers(both), [keyId(first), keyId(second)])
  for (const vkey of [first, second]) t.ok(opened(both, [vkey]), 'whichever key somebody knows')

  // When the old one is retired.
  const retired = await rotate(exchange, '--retire')
  t.match(retired, { exit: 0, out: first, err: /once it is restarted.*Keep these verifier keys/s })
  t.match((await exchange.auditEvents({ action: 'log.key' })).at(-1), {
    details: { retired: [first] }
  })
  await exchange.restart()
  await append(exchange.exchange, 1)
  t.same(signers((await exchange.exchange.tree.settle()).note), [keyId(second)])
  t.equal(await text(exchange, 'keys'), `${first}\n${second}\n`, 'both are listed for ever')
  const file = readFileSync(dataPaths(exchange.directory).logKeys, 'utf8')
  t.equal(JSON.parse(file).keys[0].privateKey, undefined, 'its private half is gone')
  t.ok(JSON.parse(file).keys[0].until)
  t.equal(statSync(dataPaths(exchange.directory).logKeys).mode & 0o777, 0o600)

  // Then what it signed is as good as ever, and the event is proven by the new key too.
  assertProves(t, proof, first)
  assertProves(t, await text(exchange, `events/${event?.id}/proof`), second)
  t.throws(() => opened(parseProofFile(proof).checkpoint, [second]), { code: 'note-unsigned' })

  t.match(await rotate(exchange, '--retire'), { exit: 1, out: '', err: /one key alone/ })
  t.equal((await exchange.auditEvents({ action: 'log.key' })).length, 2, 'which is no event')
  t.match(await rotate(exchange, '--retire=yes'), { exit: 2, out: '', err: /npm run rotate/ })
  t.match(await rotate(exchange, 'retire'), { exit: 2, out: '' })
})

t.test('while keys are being rotated or moved, no key of the log is added or retired', async t => {
  const exchange = await startExchange(t)
  const { logKeys } = dataPaths(exchange.directory)
  const before = readFileSync(logKeys, 'utf8')
  const lock = lockRotation(exchange)
  for (const args of [[], ['--retire']]) {
    const refused = await rotate(exchange, ...args)
    t.match(refused, { exit: 1, out: '', err: /Another rotation of keys/ })
  }
  lock.release()
  t.equal(readFileSync(logKeys, 'utf8'), before)
  t.same(await exchange.auditEvents({ action: 'log.key' }), [])
  t.match(await rotate(exchange), { exit: 0 })
})

t.test('without its event a key is neither added nor retired', async t => {
  const { keysPath } = await treeStage(t)
  const before = readFileSync(keysPath, 'utf8')
  const fails = async () => {
    throw new Error('the log is full')
  }
  await t.rejects(addLogKey(keysPath, 'now', fails), /the log is full/)
  t.equal(readFileSync(keysPath, 'utf8'), before)
})

t.test('a key file that does not fit is refused', async t => {
  const { keysPath } = await treeStage(t)
  const whole = JSON.parse(readFileSync(keysPath, 'utf8'))
  const strangers = `${keysPath}-other`
  await createLogKeys(strangers, whole.origin, '2026-11-22T00:00:00.000Z')
  const stranger = JSON.parse(readFileSync(strangers, 'utf8'))
  const [key] = whole.keys
  const spoilt = {
    'no JSON': '{',
    'no keys': { ...whole, keys: [] },
    'another origin': { ...whole, origin: 'elsewhere' },
    'a private half of another key': {
      ...whole,
      keys: [{ ...key, privateKey: stranger.keys[0].privateKey }]
    },
    'no private half of the newest': { ...whole, keys: [{ ...key, privateKey: undefined }] },
    'a verifier key that is cut short': {
      ...whole,
      keys: [{ ...key, vkey: key.vkey.slice(0, -4) }]
    }
  }
  for (const [what, file] of Object.entries(spoilt)) {
    writeFileSync(keysPath, typeof file === 'string' ? file : JSON.stringify(file))
    const err = await openLogKeys(keysPath).catch(err => err)
    t.match(err, { name: 'SealError', code: 'keyring-damaged' }, what)
    t.notMatch(err.message, key.privateKey.d, 'and tells no key')
  }
})
