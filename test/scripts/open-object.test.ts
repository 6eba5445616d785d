import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import { dataPaths } from '../../src/open-data.ts'
import { createKeyringFile } from '../../src/sealing/keyrings/file.ts'
import {
  createCase,
  numberedText,
  sha256,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { runScript } from './run-script.ts'

t.test('a sealed object opens without the service and its database', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const file = numberedText(700_000)
  const { id } = await uploadRecord(clinician, caseId, { files: [file] })
  const { records, objects } = x.exchange.database.read.tables
  const [record] = await x.exchange.database.read.select().from(records).where(eq(records.id, id))
  const [object] = await x.exchange.database.read.select().from(objects)
  if (record === undefined || object === undefined) throw new Error('Nothing is stored.')
  const paths = dataPaths(x.directory)
  const name = String(object.blob)
  const blob = join(paths.blobs, 'blobs', name.slice(0, 2), name)
  const right: Record<string, string> = {
    blob,
    keyring: paths.keyring,
    'wrapped-key': record.wrappedKey.toString('hex'),
    organisation: x.people.clinician.organisationId,
    record: id,
    object: object.id
  }
  let count = 0
  const run = async (change: Record<string, string> = {}) => {
    const out = join(t.testdirName, `out-${++count}`)
    const options = Object.entries({ ...right, out, ...change })
    const ran = await runScript('open-object', {}, ...options.flatMap(([k, v]) => [`--${k}`, v]))
    return { ...ran, path: out }
  }

  const opened = await run()
  t.equal(opened.exit, 0)
  t.ok(readFileSync(opened.path).equals(file.bytes), 'byte for byte')
  t.equal(opened.out, `${sha256(file.bytes)}  ${opened.path}`)
  t.equal(statSync(opened.path).mode & 0o777, 0o600)

  const taken = join(t.testdirName, 'taken')
  writeFileSync(taken, 'something else')
  t.equal((await run({ out: taken })).exit, 1, 'a file that exists')
  t.equal(readFileSync(taken, 'utf8'), 'something else', 'is not overwritten')

  const keyring = join(t.testdirName, 'other.json')
  await createKeyringFile(keyring)
  for (const [what, change] of Object.entries({
    'another key ring': { keyring },
    'another object': { object: id },
    'a key that is no key': { 'wrapped-key': '00ff' }
  })) {
    const refused = await run(change)
    t.match(refused, { exit: 1, out: '' }, what)
    t.notMatch(refused.err, /\bat .*\.ts:/, 'told in words')
    t.notOk(existsSync(refused.path), 'and no file is made')
  }

  const sealed = readFileSync(blob)
  const at = sealed.length - 20
  const damaged = openSync(blob, 'r+')
  writeSync(damaged, Buffer.from([Number(sealed[at]) ^ 1]), 0, 1, at)
  closeSync(damaged)
  const cut = await run()
  t.match(cut, { exit: 1, out: '' }, 'a blob damaged near its end')
  t.notOk(existsSync(cut.path), 'leaves no part that could be taken for the whole')

  const none = await runScript('open-object', {})
  t.match(none, { exit: 2, out: '', err: /Missing: --wrapped-key/ })
})
