import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { dataPaths, openData } from '../../src/open-data.ts'
import {
  createCase,
  isSound,
  numberedText,
  sha256,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { transitServer } from '../helpers/keyrings.ts'
import { runScript } from './run-script.ts'

// What the scripts do with data whose keys are in a key service.

t.test('objects open and the log is verified by asking the key service', async t => {
  const server = await transitServer(t)
  if (server === undefined) return
  const settings = {
    CONSILIUM_KEYRING: 'transit',
    ...server.env({ first: await server.makeKey() })
  }
  const x = await startExchange(t, { env: settings })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const file = numberedText(100_000)
  const { id } = await uploadRecord(clinician, caseId, { files: [file] })
  const { records, objects } = x.exchange.database.read.tables
  const [record] = await x.exchange.database.read.select().from(records)
  const [object] = await x.exchange.database.read.select().from(objects)
  if (record === undefined || object === undefined) throw new Error('Nothing is stored.')
  const name = String(object.blob)
  const out = join(t.testdirName, 'out')
  const options = {
    blob: join(dataPaths(x.directory).blobs, 'blobs', name.slice(0, 2), name),
    'wrapped-key': record.wrappedKey.toString('hex'),
    organisation: x.people.clinician.organisationId,
    record: id,
    object: object.id,
    out
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  t.match(await runScript('open-object', {}, ...args), { exit: 1, err: /--keyring/ })
  t.match(await runScript('open-object', settings, ...args), { exit: 0 })
  t.equal(sha256(readFileSync(out)), sha256(file.bytes))

  const verify = (env: Record<string, string>) =>
    runScript('verify-audit', { ...x.settings, ...env }, '--data', x.directory)
  t.match(await verify({}), { exit: 0, out: /Details: 0 compared/ })
  t.match(await verify(settings), { exit: 0, out: /Details: [1-9]\d* compared/ })
  const nobody = { ...settings, CONSILIUM_TRANSIT_KEYS: 'other=consilium-other' }
  t.match(await verify(nobody), { exit: 1, out: /FAULT: Details were not compared.*key-missing/ })
  await isSound(t, x)

  const open = (env: Record<string, string>) => openData(readConfig({ ...x.settings, ...env }))
  await t.rejects(open(nobody), /A key that the data need is not in the key ring/)
  await t.rejects(open({}), /keyring\.json is missing/)
})
