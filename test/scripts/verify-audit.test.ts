import { generateKeyPairSync } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatVerifierKey, verifierKeyOf } from '../../src/audit/tlog/note.ts'
import { FAULTS_TOLD_MAX } from '../../src/audit/verify/findings.ts'
import { dataPaths, openData } from '../../src/open-data.ts'
import { liveliness } from '../audit/scene.ts'
import { sqliteOnly, TEST_DATABASE } from '../helpers/databases.ts'
import { sha256, startExchange, type TestExchange } from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { runScript } from './run-script.ts'

const verify = (...args: string[]) => runScript('verify-audit', {}, ...args)

/** The same with the settings of an exchange, which say where its database is. */
const verifyOf =
  ({ settings }: TestExchange) =>
  (...args: string[]) =>
    runScript('verify-audit', settings, ...args)

/** What the verifier says before anything else. */
const FROM_POSTGRES = ['Notice: The database is the one of DATABASE_URL.']
const begins = TEST_DATABASE === 'postgres' ? FROM_POSTGRES : []

t.test('a log is verified in all three ways, while its service runs', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const { tree } = exchange.exchange
  const { size, note } = await tree.settle()
  const vkey = tree.keys.keys[0]?.vkey ?? ''
  const older = join(t.testdirName, 'older')
  writeFileSync(older, note)
  const known = ['--key', vkey, '--checkpoint', older]
  const verify = verifyOf(exchange)

  const data = await verify('--data', exchange.directory, ...known)
  t.match(data, { exit: 0, err: '' })
  t.match(data.out.split('\n'), [
    ...begins,
    `Log: ${tree.keys.origin}`,
    new RegExp(`^Signed: ${size} events, root [\\w/+]{43}=, by key [0-9a-f]{8}$`),
    `Looked at: ${size} events, 0 of them not signed yet`,
    `Details: ${size} compared with their commitments, 0 erased`,
    'All is well.'
  ])
  t.match(await verify('--url', exchange.url, ...known), { exit: 0, out: /All is well\.$/ })

  const answer = await exchange
    .client('auditor')
    .send('GET', '/v1/audit/events/export?format=proof')
  const file = join(t.testdirName, 'export')
  writeFileSync(file, answer.text)
  t.match(await verify('--export', file, '--key', vkey), { exit: 0, out: /All is well\.$/ })
  writeFileSync(file, answer.text.slice(0, -2))
  const cut = await verify('--export', file, '--key', vkey)
  t.match(cut, { exit: 1, out: /^FAULT: The last line is missing: the file was cut off\.$/m })
  t.match(cut.out, /2 faults\.$/)
})

t.test('a copy is only read, and the key ring is not needed', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  await exchange.app.stop()
  const verify = verifyOf(exchange)
  const copy = join(t.testdirName, 'copy')
  cpSync(exchange.directory, copy, { recursive: true })
  const digests = () =>
    readdirSync(copy, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && !/-(wal|shm)$/.test(entry.name))
      .map(({ parentPath, name }) => `${name} ${sha256(readFileSync(join(parentPath, name)))}`)
      .sort()
  const before = digests()
  t.match(await verify('--data', copy), { exit: 0, out: /^Notice: Key taken from the data: /m })
  t.same(digests(), before)

  const { keyring, logKeys } = dataPaths(copy)
  chmodSync(keyring, 0o644)
  t.match(await verify('--data', copy), {
    exit: 1,
    out: /FAULT: Details were not compared .*: keyring-unsafe\.$/m
  })
  rmSync(keyring)
  const without = await verify('--data', copy)
  t.match(without, {
    exit: 0,
    out: /Details were not compared .*: there is no keys\/keyring\.json\.$/m
  })
  t.match(without.out, /^Details: 0 compared with their commitments, 0 erased$/m)
  rmSync(logKeys)
  t.match(await verify('--data', copy), { exit: 2, err: /no keys\/audit-log\.json: give --key/ })
  const vkey = exchange.exchange.tree.keys.keys[0]?.vkey ?? ''
  t.match(await verify('--data', copy, '--key', vkey), { exit: 0 })
})

t.test('a key that was spoilt in the database hides nothing', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  await exchange.app.stop()
  const verify = verifyOf(exchange)
  const intruder = await intrude(t, exchange.config)
  const spoil = (statement: string, ...values: Buffer[]) => intruder.run(statement, ...values)
  await spoil(
    "UPDATE service_keys SET wrapped_key = ? WHERE purpose = 'audit'",
    Buffer.alloc(120, 7)
  )
  const spoilt = await verify('--data', exchange.directory)
  t.match(spoilt, { exit: 1, out: /^FAULT: Details were not compared .*: key-damaged\.$/m })
  await spoil("DELETE FROM service_keys WHERE purpose = 'audit'")
  const lost = await verify('--data', exchange.directory)
  t.match(lost, { exit: 1, out: /^FAULT: Details were not compared .*: key-missing\.$/m })
  await t.rejects(openData(exchange.config), /has lost its audit key/, 'and no new one is made')
  await spoil("DELETE FROM service_keys WHERE purpose = 'lookup'")
  await t.rejects(openData(exchange.config), /has lost its lookup key/)
})

t.test('verifying leaves a directory as it was', { skip: sqliteOnly }, async t => {
  const exchange = await startExchange(t)
  await exchange.exchange.tree.settle()
  await exchange.app.stop()
  const listing = () =>
    readdirSync(exchange.directory)
      .sort()
      .map(name => {
        const path = join(exchange.directory, name)
        const { mtimeMs, size } = statSync(path)
        return [name, mtimeMs, size, statSync(path).isFile() && sha256(readFileSync(path))]
      })
  const before = listing()
  t.match(await verify('--data', exchange.directory), { exit: 0 })
  t.same(listing(), before)

  // A copy of a running service has a write-ahead log with events that are nowhere else.
  await exchange.restart()
  const copy = join(exchange.directory, '..', 'copied-while-running')
  cpSync(exchange.directory, copy, { recursive: true })
  rmSync(join(copy, 'consilium.db-shm'))
  const log = readFileSync(join(copy, 'consilium.db-wal'))
  const database = readFileSync(join(copy, 'consilium.db'))
  t.ok(log.length > 0)
  t.match(await verify('--data', copy), { exit: 0 })
  t.ok(readFileSync(join(copy, 'consilium.db-wal')).equals(log), 'they are left in it')
  t.ok(readFileSync(join(copy, 'consilium.db')).equals(database))
})

t.test('more faults than anyone reads are counted', async t => {
  const exchange = await startExchange(t)
  const { database, audit, tree } = exchange.exchange
  await database.write(async tx => {
    for (let n = 0; n < FAULTS_TOLD_MAX + 50; n += 1) {
      await audit.append(tx, { action: 'case.list', outcome: 'success', details: { n } })
    }
  })
  await tree.settle()
  await exchange.app.stop()
  const intruder = await intrude(t, exchange.config)
  await intruder.passTriggers()
  await intruder.run("UPDATE audit_events SET outcome = 'granted'")
  await intruder.restoreTriggers()
  const [{ changes } = {}] = await intruder.run('SELECT count(*) AS changes FROM audit_events')
  const ran = await verifyOf(exchange)('--data', exchange.directory)
  t.equal(ran.exit, 1)
  t.equal(ran.out.match(/^FAULT: /gm)?.length, FAULTS_TOLD_MAX)
  t.match(ran.out, new RegExp(`\n${changes} faults\\.$`))
})

t.test('what cannot be read is neither clean nor faulty', async t => {
  const directory = t.testdir({ none: {}, broken: { 'consilium.db': 'not a database' } })
  const calls: [args: string[], err: RegExp][] = [
    [[], /One of --data, --url and --export is needed\./],
    [['--data', 'a', '--url', 'b'], /One of --data, --url and --export is needed\./],
    [['--data', join(directory, 'none')], /There is no database: consilium\.db\./],
    [['--data', join(directory, 'broken')], /no keys\/audit-log\.json: give --key/],
    [['--export', join(directory, 'none.ndjson')], /It cannot be read: ENOENT/],
    [['--url', 'http://127.0.0.1:1'], /keys: no answer\./],
    [['--data', directory, '--checkpoint', join(directory, 'x')], /There is no file .*x\./]
  ]
  for (const [args, err] of calls) {
    t.match(await verify(...args), { exit: 2, out: '', err }, args.join(' '))
  }
  const vkey = formatVerifierKey(
    verifierKeyOf('exchange.example/audit', generateKeyPairSync('ed25519').publicKey)
  )
  const broken = await verify('--data', join(directory, 'broken'), '--key', vkey)
  t.match(broken, { exit: 2, out: '', err: /It cannot be read: file is not a database/ })
  t.match(await verify('--help'), { exit: 0, out: /^Checks the access log/ })
})
