import { writeFileSync } from 'node:fs'
import t from 'tap'
import type { ErasureReceipt, ErasureView } from '../../schemas/retention.ts'
import { keysOutside, rewrapKeys } from '../../src/housekeeping/rotate-keys.ts'
import { backupScene } from '../backup/scene.ts'
import { checkAtRest } from '../faults/soundness.ts'
import { ownerDatabase } from '../helpers/databases.ts'
import { createCase, numberedText, startExchange, uploadRecord } from '../helpers/exchange.ts'
import { moveHere, movingScene } from '../moving/scene.ts'
import { erase, newCase, ORDER } from './stage.ts'

t.test('a backup has nothing of what was erased but its tombstones', async t => {
  const { service, path, backup, restore, caseId } = await backupScene(t)
  const clinician = service.client('clinician')
  const { id: kept } = await createCase(clinician)
  await uploadRecord(clinician, kept, { files: [numberedText(10)] })
  const administrator = service.client('administrator')
  const order = `/v1/cases/${caseId}/erasure`
  const erasure = await administrator.json<ErasureView>('POST', order, ORDER)
  t.match(erasure, { records: 2, objects: 3, files: { state: 'removed' } })
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.match(saved, { exit: 0, out: /^Saved: 1 objects.*\nAll is well\.$/ }, saved.err)
  const to = path('elsewhere')
  t.match(await restore(path('one.age'), path('id.txt'), to), { exit: 0, out: /All is well/ })
  t.strictSame(await checkAtRest({ ...service.config, dataDirectory: to }), [])
  const { receipt } = await administrator.json<ErasureReceipt>('GET', `/v1/erasures/${erasure.id}`)
  t.match(receipt, /^[\w-]+\.[\w-]+\.[\w-]+$/)
})

t.test('a restore tells which cases must be erased again, by their receipts', async t => {
  const { service, path, backup, restore, caseId } = await backupScene(t)
  const clinician = service.client('clinician')
  const administrator = service.client('administrator')
  const { id: before } = await createCase(clinician)
  await uploadRecord(clinician, before, { files: [numberedText(10)] })
  const receiptOf = async (id: string) => {
    const order = `/v1/cases/${id}/erasure`
    const erasure = await administrator.json<ErasureView>('POST', order, ORDER)
    return await administrator.json<ErasureReceipt>('GET', `/v1/erasures/${erasure.id}`)
  }
  const known = await receiptOf(before)
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.match(saved, { exit: 0 }, saved.err)
  const lost = await receiptOf(caseId)
  const { id: unknown } = await createCase(clinician)
  await uploadRecord(clinician, unknown, { files: [numberedText(10)] })
  const all = [known, lost, await receiptOf(unknown)]
  writeFileSync(path('receipts'), all.map(receipt => `${JSON.stringify(receipt)}\n`).join(''))

  const from = [path('one.age'), path('id.txt')] as const
  const told = await restore(...from, path('there'), '--receipts', path('receipts'))
  t.match(told, { exit: 0, out: /All is well/ }, told.err)
  const named = [...told.out.matchAll(/ERASE AGAIN, before clients.*: case (\S+)/g)]
  t.same(
    named.map(([, id]) => id),
    [caseId],
    'neither what the backup knows as erased, nor what it never had'
  )
  t.match(told.out, `/v1/cases/${caseId}/erasure, as by erasure ${lost.erasure.id} of`)
  t.notMatch(told.out, /No key of the backup/)
  writeFileSync(path('receipts'), 'Dear Sirs\n')
  const wrong = await restore(...from, path('nowhere'), '--receipts', path('receipts'))
  t.match(wrong, { exit: 1, err: /Line 1 of the receipts is no answer/ })
  t.match(await restore(...from, path('silent')), { exit: 0, out: /--receipts tells them/ })
})

t.test('a move takes the tombstones along', async t => {
  const scene = await movingScene(t)
  if (scene === undefined) return
  const { service, old } = scene
  const clinician = service.client('clinician')
  const { id } = await createCase(clinician)
  await uploadRecord(clinician, id, { files: [numberedText(10), numberedText(20)] })
  const administrator = service.client('administrator')
  await administrator.json('POST', `/v1/cases/${id}/holds`, { reason: 'Moved with a hold' })
  await administrator.json('POST', `/v1/cases/${scene.caseId}/erasure`, ORDER)
  t.equal(await service.stop(), 0)
  const place = await scene.newPlace({ postgres: true, s3: true })
  const moved = await moveHere(old, place)
  t.equal(moved.objects, 2, 'the files of the other case')
  t.same(moved.checked?.faults, [])
})

t.test('a rotation has nothing to wrap of what has no key', async t => {
  const x = await startExchange(t)
  const erased = await newCase(x)
  await newCase(x)
  await erase(x, erased.id)
  const database = await ownerDatabase(t, { database: x.exchange.database, settings: x.settings })
  const other = 'another-kek-that-nothing-is-under'
  const before = await keysOutside({ database }, other)
  const { records, cases, serviceKeys } = database.read.tables
  const rows = async (table: typeof records | typeof cases | typeof serviceKeys) =>
    (await database.read.select().from(table)).length
  const all = (await rows(records)) + (await rows(cases)) + (await rows(serviceKeys))
  t.equal(before, all - 2, 'all but those of the erased case and its record')
  const { count, failed } = await rewrapKeys({ ...x.exchange, database }, () => {})
  t.same([count, failed], [0, []], 'and all are under the current one')
})
