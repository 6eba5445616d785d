import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { newBlobName } from '../../src/blobs/blobs.ts'
import { readConfig } from '../../src/config.ts'
import { openBlobs } from '../../src/open-data.ts'
import { blobFiles, filesBelow } from '../faults/soundness.ts'
import { asAdmin } from '../helpers/databases.ts'
import { createCase, numberedText, uploadRecord } from '../helpers/exchange.ts'
import { faultProxy } from '../helpers/fault-proxy.ts'
import { runScript } from '../scripts/run-script.ts'
import { move, moveHere, movingScene } from './scene.ts'

t.test('a place that is not empty is refused and left as it was', async t => {
  const scene = await movingScene(t)
  if (scene === undefined) return
  const { service, old } = scene
  await service.stop()
  const both = { postgres: true, s3: true }

  const full = await scene.newPlace(both, 'full')
  mkdirSync(full.directory)
  writeFileSync(join(full.directory, 'mine'), 'x')
  await t.rejects(moveHere(old, full), { message: /CONSILIUM_DATA is not empty/ })
  t.same(filesBelow(full.directory), [join(full.directory, 'mine')])

  const used = await scene.newPlace(both, 'used')
  await asAdmin(
    used.database?.adminUrl ?? '',
    "INSERT INTO service_keys VALUES ('directory', '\\x00', 0)"
  )
  await t.rejects(moveHere(old, used), { message: /The database is not empty/ })
  const bare = await scene.newPlace(both, 'bare')
  await asAdmin(bare.database?.adminUrl ?? '', "UPDATE migrations SET sha256 = 'x'")
  await t.rejects(moveHere(old, bare), { message: /migrate-database/ })

  // Whoever has the bucket already: what another move has put there.
  const first = await scene.newPlace(both, 'first')
  t.match(await moveHere(old, first, 'objects'), { objects: 2, faults: 0 })
  const second = await scene.newPlace(both, 'second')
  const { CONSILIUM_S3_PREFIX = '' } = first.settings
  Object.assign(second.settings, { CONSILIUM_S3_PREFIX })
  await t.rejects(moveHere(old, second), { message: /The store holds objects already/ })
  await t.rejects(moveHere(old, second), { message: /The store holds objects already/ }, 'again')

  const { CONSILIUM_S3_BUCKET: _, DATABASE_URL: __, ...nowhere } = second.settings
  const kept = Object.entries(nowhere).filter(([name]) => !name.startsWith('CONSILIUM_S3'))
  const none = { ...second, settings: Object.fromEntries(kept) }
  await t.rejects(moveHere(old, none), { message: /name neither/ })
  const same = { ...first, settings: { ...first.settings, CONSILIUM_DATA: old } }
  await t.rejects(moveHere(old, same), { message: /another directory/ })
  await t.rejects(moveHere(join(old, 'keys'), first), { message: /no consilium.db/ })
  t.match(await move(old, first, '--objects', '--dry-run'), { exit: 2, err: /npm run migrate/ })
  const { DATABASE_OWNER_URL: ___, ...unowned } = first.settings
  t.match(await move(old, { ...first, settings: unowned }), { exit: 1, err: /OWNER_URL/ })

  t.notOk(existsSync(join(old, 'moved.json')))
  await service.start()
})

t.test('a log that was tampered with is not moved', async t => {
  const scene = await movingScene(t)
  if (scene === undefined) return
  await scene.service.stop()
  const lite = new Sqlite(join(scene.old, 'consilium.db'))
  const trigger = lite
    .prepare<[], string>("SELECT sql FROM sqlite_schema WHERE name = 'audit_events_no_update'")
    .pluck()
    .get()
  lite.exec('DROP TRIGGER audit_events_no_update')
  lite.exec("UPDATE audit_events SET outcome = 'refused' WHERE idx = 3")
  lite.exec(trigger ?? '')
  lite.close()
  const place = await scene.newPlace({ postgres: true, s3: true })
  const refused = await move(scene.old, place)
  t.match(refused, { exit: 1, out: /FAULT/, err: /not the one that was signed/ })
  await t.rejects(moveHere(scene.old, place, 'look'), { message: /not the one that was signed/ })
  t.notOk(existsSync(place.directory))
})

t.test('objects that are missing or damaged are named, and moved only when told so', async t => {
  const scene = await movingScene(t)
  if (scene === undefined) return
  const { old, service } = scene
  await service.stop()
  const [lost = '', spoilt = ''] = blobFiles(old).sort(
    (a, b) => readFileSync(a).length - readFileSync(b).length
  )
  rmSync(lost)
  const bytes = readFileSync(spoilt)
  bytes[1000] = Number(bytes[1000]) ^ 1
  writeFileSync(spoilt, bytes)
  const place = await scene.newPlace({ postgres: true, s3: true })
  const refused = await move(old, place)
  t.match(refused, { exit: 1, err: /2 objects are missing or damaged/ })
  t.match(refused.out, /FAULT: Object .*: blob-missing/)
  t.match(refused.out, /FAULT: Object .*: sealed-damaged/)
  t.notOk(existsSync(join(old, 'moved.json')), 'the old place can still be used')
  const moved = await move(old, place, '--with-faults')
  t.match(moved, { exit: 1, out: /Moved: 2 objects.*4 faults\.$/s })
  t.ok(existsSync(join(old, 'moved.json')))
  const checked = await runScript('check-exchange', place.settings)
  t.match(checked, { exit: 1, out: /2 faults/ })
})

t.test('a target that fails leaves nothing lost, and the move goes on afterwards', async t => {
  const scene = await movingScene(t)
  if (scene === undefined) return
  const { old, service } = scene
  await service.stop()
  const place = await scene.newPlace({ postgres: true, s3: true })
  const { CONSILIUM_S3_ENDPOINT: endpoint = '' } = place.settings
  const proxy = await faultProxy(t, endpoint)
  const through = {
    ...place,
    settings: { ...place.settings, CONSILIUM_S3_ENDPOINT: proxy.url }
  }
  // The probe of the start is a put too, so only blobs fail.
  proxy.fail(
    ({ method, url }) => method === 'PUT' && /\/[0-9a-f]{2}\/[0-9a-f]{32}/.test(url),
    { answer: 403, code: 'AccessDenied' },
    1000
  )
  t.match(await move(old, through), { exit: 1, err: /The blob store could not/ })
  t.ok(proxy.struck() > 0)
  t.notOk(existsSync(join(old, 'moved.json')))
  proxy.heal()

  // The database refuses a row in the middle: then it has none.
  const admin = place.database?.adminUrl ?? ''
  await asAdmin(admin, 'ALTER TABLE shares ADD CONSTRAINT no CHECK (openings < 0)')
  t.equal((await move(old, through)).exit, 1)
  await asAdmin(admin, 'ALTER TABLE shares DROP CONSTRAINT no')
  t.ok(existsSync(join(old, 'moved.json')), 'from the fence on it is closed')

  // Somebody spoils an object at the target, in its length: the check keeps the target closed.
  const spoil = await scene.newPlace({ postgres: true, s3: false }, 'spoilt')
  t.match(await move(old, spoil), { exit: 1, err: /another place has begun/ })
  const ended = await move(old, through)
  t.match(ended, { exit: 0, out: /All is well/ }, ended.err)
})

t.test('what is damaged at the target keeps it closed until it is mended', async t => {
  const scene = await movingScene(t)
  if (scene === undefined) return
  const { old, service } = scene
  await service.stop()
  const place = await scene.newPlace({ postgres: true, s3: false })
  t.match(await move(old, place, '--objects'), { exit: 0 })
  const [spoilt = ''] = blobFiles(place.directory)
  const bytes = readFileSync(spoilt)
  bytes[60] = Number(bytes[60]) ^ 1
  writeFileSync(spoilt, bytes)
  const found = await move(old, place)
  t.match(found, { exit: 1, out: /FAULT: Object .*: sealed-damaged.*1 faults\.$/s }, found.err)
  t.match(await runScript('check-exchange', place.settings), { exit: 1, err: /has not ended/ })
  truncateSync(spoilt, 10)
  const mended = await move(old, place)
  t.match(mended, { exit: 0, out: /All is well/ }, mended.err)
  t.match(await runScript('check-exchange', place.settings), { exit: 0 })
})

t.test('what is erased between two runs goes from the target too, and stops no move', async t => {
  const scene = await movingScene(t)
  if (scene === undefined) return
  const { service, old } = scene
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  await uploadRecord(clinician, caseId, { files: [numberedText(40)] })
  const place = await scene.newPlace({ postgres: true, s3: true })
  t.match(await moveHere(old, place, 'objects'), { objects: 3, faults: 0 })

  const reason = 'The patient withdrew by telephone'
  await service.client('administrator').json('POST', `/v1/cases/${caseId}/erasure`, { reason })
  t.match(await moveHere(old, place, 'objects'), { objects: 2, faults: 0 })
  const blobs = await openBlobs(readConfig(place.settings))
  const left: string[] = []
  for await (const { name } of blobs.list()) left.push(name)
  const another = await blobs.create(newBlobName())
  await another.write(Buffer.from('x'))
  await another.commit()
  t.equal(left.length, 2)
  await t.rejects(moveHere(old, place, 'objects'), { message: /holds 1 objects that are not/ })
  await blobs.remove(another.name)
  await blobs.close()

  await service.stop()
  t.match(await moveHere(old, place), { objects: 2, checked: { faults: [] } })
  t.notOk(existsSync(join(place.directory, 'brought.txt')), 'its names are needed no more')
})
