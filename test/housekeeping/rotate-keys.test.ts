import { createSecretKey, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import { caseKeyContext } from '../../src/cases/case.ts'
import {
  addCurrentKek,
  keysOutside,
  keysUnder,
  retireKek,
  rewrapKeys
} from '../../src/housekeeping/rotate-keys.ts'
import { dataPaths } from '../../src/open-data.ts'
import type { Keyring } from '../../src/sealing/keyrings/keyring.ts'
import { newKey, wrapKey, wrappedPrefix } from '../../src/sealing/keys.ts'
import { SealError } from '../../src/sealing/seal-error.ts'
import { ownerDatabase } from '../helpers/databases.ts'
import { ctSlice } from '../helpers/dicom.ts'
import {
  type CaseView,
  createCase,
  isSound,
  numberedText,
  sharedRecord,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { sharedPath } from '../helpers/story.ts'
import { runScript } from '../scripts/run-script.ts'

const rotate = (x: TestExchange, ...args: string[]) => runScript('rotate-keys', x.settings, ...args)
const ringOf = (x: TestExchange) => JSON.parse(readFileSync(dataPaths(x.directory).keyring, 'utf8'))
const silent = () => {}

/** With the rights of whoever rotates: on PostgreSQL the service may not. */
const partsOf = async (t: Test, x: TestExchange) => ({
  ...x.exchange,
  database: await ownerDatabase(t, { database: x.exchange.database, settings: x.settings })
})

/** As if the rotation had been a day ago. */
function ageRotation(x: TestExchange): void {
  const ring = ringOf(x)
  for (const key of ring.keys) if (key.replacedAt) key.replacedAt -= 86_400_000
  writeFileSync(dataPaths(x.directory).keyring, JSON.stringify(ring))
}

t.test('everything is read under the new KEK once the old one is destroyed', async t => {
  const x = await startExchange(t)
  const files = [numberedText(300_000), numberedText(10, 'b.txt')]
  const shared = await sharedRecord(x, files)
  const clinician = x.client('clinician')
  const old = ringOf(x).current
  const read = async () => ({
    record: await clinician.json('GET', `/v1/records/${shared.record.id}`),
    // What the specialist reads here is news of the case itself.
    case: {
      ...(await clinician.json<CaseView>('GET', `/v1/cases/${shared.caseId}`)),
      lastEventAt: undefined
    },
    bytes: await Promise.all(
      shared.record.objects.map(({ id }) =>
        content(x, sharedPath(shared.share.id, shared.record.id, id))
      )
    )
  })
  const before = await read()
  t.same(
    before.bytes,
    files.map(file => file.bytes)
  )

  const { exit, out } = await rotate(x)
  t.equal(exit, 0)
  const { current, keys } = ringOf(x)
  t.not(current, old)
  t.equal(keys.length, 2)
  t.match(out, new RegExp(`Wrapped under ${current}: 5 keys\\.`))
  t.match(out, `Nothing uses ${old} any more.`)
  t.same(await read(), before, 'the running service reads on')
  const made = await createCase(clinician)
  t.equal(await keysUnder(x.exchange, old), 0, 'and wraps under the new KEK without a restart')
  t.equal(await keysUnder(x.exchange, current), 6)

  t.match(await rotate(x, '--retire', current), { exit: 1, err: /current KEK/ })
  t.match(await rotate(x, '--retire', old), { exit: 1, err: /Try again in 10 minutes/ })
  ageRotation(x)
  t.match(await rotate(x, '--retire', old), { exit: 0, out: `Removed ${old}` })
  t.match(await rotate(x, '--retire', old), { exit: 1, err: /has no such KEK/ })
  t.same(
    ringOf(x).keys.map((key: { id: string }) => key.id),
    [current]
  )
  await x.restart()
  t.same(await read(), before, 'byte for byte')
  t.match(await clinician.json('GET', `/v1/cases/${made.id}`), { id: made.id })
  await isSound(t, x)

  const events = async (action: string) =>
    (await x.auditEvents()).filter(event => event.action === action).map(event => event.details)
  t.match(await events('keys.rotate'), [{ by: 'operator console', to: current }])
  t.same(await events('keys.rewrap'), [
    { by: 'operator console', to: current, serviceKeys: 3 },
    { by: 'operator console', to: current, cases: 1 },
    { by: 'operator console', to: current, records: 1 }
  ])
  t.match(await events('keys.retire'), [{ kek: old }])
})

t.test('a case that is made while keys are rotated is not missed', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const old = ringOf(x).current
  let rotating = true
  const made: string[] = []
  const busy = async () => {
    while (rotating) made.push((await createCase(clinician)).id)
  }
  const clients = [busy(), busy(), busy()]
  const rotation = await rotate(x)
  rotating = false
  await Promise.all(clients)
  t.equal(rotation.exit, 0)
  t.ok(made.length > 0, `${made.length} cases, none refused`)
  t.equal(await keysUnder(x.exchange, old), 0)
  t.equal(await keysOutside(x.exchange, ringOf(x).current), 0)
  for (const id of made) t.match(await clinician.json('GET', `/v1/cases/${id}`), { id })
})

t.test('what comes where it has looked already is found by another pass', async t => {
  const x = await startExchange(t)
  await sharedRecord(x, [numberedText(10)])
  const exchange = await partsOf(t, x)
  const { database, keyring } = exchange
  const [old = ''] = await keyring.kekIds()
  const to = await addCurrentKek(exchange, dataPaths(x.directory).keyring)
  const [row] = await database.read.select().from(database.read.tables.cases)
  if (row === undefined) throw new Error('There is no case.')
  const late = { ...row, id: '00000000-0000-7000-8000-000000000000' }
  const behind: Keyring = { ...keyring, currentId: async () => old }
  let looked = 0
  const wrap: Keyring['wrap'] = async (kekId, context, key) => {
    // Three service keys and the case are done, so this is the record, after all cases.
    if ((await keysUnder(exchange, to)) === 4 && looked++ === 0) {
      late.wrappedKey = await wrapKey(behind, caseKeyContext(late), newKey())
      await database.write(tx => tx.insert(tx.tables.cases).values(late))
    }
    return keyring.wrap(kekId, context, key)
  }
  t.match(await rewrapKeys({ ...exchange, keyring: { ...keyring, wrap } }, silent), { count: 6 })
  t.equal(looked, 1)
  t.equal(await keysUnder(exchange, old), 0)
})

t.test('what came after a last look is found by another', async t => {
  const x = await startExchange(t)
  await rotate(x)
  const [{ id: oldest }] = ringOf(x).keys
  const { exchange } = x
  const parts = await partsOf(t, x)
  // A process that has not noticed the new KEK yet.
  const behind: Keyring = { ...exchange.keyring, currentId: async () => oldest }
  const { keyring } = exchange
  exchange.keyring = behind
  const late: string[] = []
  const rewrapped = await rewrapKeys(parts, silent)
  t.equal(rewrapped.count, 0)
  for (let n = 0; n < 3; n += 1) late.push((await createCase(x.client('clinician'))).id)
  exchange.keyring = keyring
  t.equal(await keysUnder(exchange, oldest), 3)
  await t.rejects(retireKek(parts, dataPaths(x.directory).keyring, oldest), /Try again/)
  ageRotation(x)
  await t.rejects(
    retireKek(parts, dataPaths(x.directory).keyring, oldest),
    /3 keys in the database are still wrapped under it/
  )
  t.match(await rewrapKeys(parts, silent), { count: 3, failed: [] })
  await retireKek(parts, dataPaths(x.directory).keyring, oldest)
  for (const id of late) t.match(await x.client('clinician').json('GET', `/v1/cases/${id}`), { id })
})

t.test('a key that is damaged stays as it is and keeps no rotation waiting', async t => {
  const x = await startExchange(t)
  const { id } = await createCase(x.client('clinician'))
  await createCase(x.client('clinician'))
  const { cases } = x.exchange.database.read.tables
  const spoilt = Buffer.from([1, 3, 0x61, 0x62, 0x63, 9, 9, 9])
  const { database } = await partsOf(t, x)
  await database.write(tx => tx.update(cases).set({ wrappedKey: spoilt }).where(eq(cases.id, id)))
  for (const keks of [2, 3]) {
    const { exit, out } = await rotate(x)
    t.equal(exit, 1)
    t.match(out, `Left as it was: cases ${id} (key-missing).`)
    t.match(out, /: 4 keys\./)
    t.equal(ringOf(x).keys.length, keks, 'a new KEK each time')
  }
  const [row] = await x.exchange.database.read.select().from(cases).where(eq(cases.id, id))
  t.ok(row?.wrappedKey.equals(spoilt))
})

t.test('a key ring that cannot be asked, or lies, changes nothing', async t => {
  const x = await startExchange(t)
  await createCase(x.client('clinician'))
  const exchange = await partsOf(t, x)
  await rotate(x, '--resume')
  t.equal(ringOf(x).keys.length, 1, 'to resume makes no KEK')
  const before = await exchange.database.read.select().from(exchange.database.read.tables.cases)
  const { keyring } = exchange
  const to = 'kek-other'
  const gone = async () => {
    throw new SealError('keys-unavailable', 'gone')
  }
  const other: Keyring = { ...keyring, currentId: async () => to }
  await t.rejects(rewrapKeys({ ...exchange, keyring: { ...other, wrap: gone } }, silent), {
    code: 'keys-unavailable'
  })
  const liar: Keyring = {
    ...other,
    wrap: async () => Buffer.alloc(61),
    unwrap: async (kekId, ...rest) =>
      kekId === to ? createSecretKey(randomBytes(32)) : keyring.unwrap(kekId, ...rest)
  }
  await t.rejects(rewrapKeys({ ...exchange, keyring: liar }, silent), {
    message: /does not unwrap what it wraps/
  })
  const after = await exchange.database.read.select().from(exchange.database.read.tables.cases)
  t.same(after, before)
})

async function content(x: TestExchange, path: string): Promise<Buffer> {
  const { status, bytes } = await x.client('specialistGb').send('GET', path)
  if (status !== 200) throw new Error(`${path}: ${status}`)
  return bytes
}

t.test('copies that were being made while it was rotated are under the new KEK', async t => {
  let rotated: string | undefined
  let isSharing = false
  const x: TestExchange = await startExchange(t, {
    wrapBlobs: blobs => ({
      ...blobs,
      async sync(names) {
        if (isSharing) rotated ??= await addCurrentKek(x.exchange, dataPaths(x.directory).keyring)
        await blobs.sync(names)
      }
    })
  })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const files = [{ name: 'slice.dcm', bytes: ctSlice([]) }]
  const scan = await uploadRecord(clinician, caseId, { kind: 'scan', files })
  isSharing = true
  await shareRecords(x, caseId, [scan.id], { pseudonymise: true })
  const { read } = x.exchange.database
  const { records } = read.tables
  const [copy] = await read.select().from(records).where(eq(records.copyOf, scan.id))
  const prefix = wrappedPrefix(String(rotated))
  // The one before goes ten minutes later, and a large share may take longer.
  t.same(copy?.wrappedKey.subarray(0, prefix.length), prefix)
})
