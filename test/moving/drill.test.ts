import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Client } from 'pg'
import t from 'tap'
import { spawnService, startBeside } from '../faults/real-service.ts'
import { filesBelow, readableIn, unexpectedFiles } from '../faults/soundness.ts'
import { hasPostgres } from '../helpers/databases.ts'
import { numberedText, openShare, PATIENT_NAME, uploadRecord } from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import { beginDraft, beginUpload, sendPatch, TUS } from '../uploads/tus.ts'
import { move, moveHere, movingScene } from './scene.ts'

/** Every file with its digest, but for locks and marks. */
function digests(directory: string): Record<string, string> {
  const files = filesBelow(directory).filter(path => !/\.lock|-wal$|-shm$|moved\.json$/.test(path))
  return Object.fromEntries(
    files.map(path => [path, createHash('sha256').update(readFileSync(path)).digest('hex')])
  )
}

for (const kinds of [
  { postgres: true, s3: true },
  { postgres: true, s3: false },
  { postgres: false, s3: true }
]) {
  const title = [kinds.postgres && 'PostgreSQL', kinds.s3 && 'S3'].filter(Boolean).join(' and ')
  t.test(`an exchange is moved to ${title}, and its log goes on`, async t => {
    const scene = await movingScene(t, [numberedText(3_000_000), numberedText(70_000)])
    if (scene === undefined) return
    const { service, caseId, content, path, old } = scene
    const before = await scene.keepCheckpoint('before')
    const read = async (at: typeof service | Awaited<ReturnType<typeof startBeside>>) =>
      (await at.client('specialistGb').send('GET', content)).bytes
    const original = await read(service)
    const place = await scene.newPlace(kinds)

    // Nothing but a look, and then the objects, while the service goes on.
    if (kinds.postgres && kinds.s3) {
      const looked = await move(old, place, '--dry-run')
      t.match(looked, { exit: 0, out: /^To move: 3 objects .*All is well\.$/s }, looked.err)
      t.same(await service.events({ action: 'data.move' }), [], 'nothing was written')
      t.match(await move(old, place), { exit: 1, err: /A service, .* runs there/ })
      t.match(await move(old, place, '--objects'), { exit: 0, out: /^Copied: 3 objects/ })
    }
    const later = await uploadRecord(service.client('clinician'), caseId, {
      files: [numberedText(50_000)]
    })
    const { id: draft } = await beginDraft(service.client('clinician'), caseId)
    const half = await beginUpload(service.client('clinician'), 100_000, { draft })
    await sendPatch(service.client('clinician'), half, 0, numberedText(30_000).bytes)
    t.equal(await service.stop(), 0)

    const sealed = digests(join(old, 'objects'))
    const moved = await move(old, place)
    t.match(moved, { exit: 0, out: /^Moved: 4 objects .*All is well\.$/s }, moved.err + moved.out)
    t.match(moved.out, /^Left out: 1 drafts, 30000 bytes of them have come/m)
    t.same(digests(join(old, 'objects')), sealed, 'what was left is as it was')
    t.same(unexpectedFiles(old), ['moved.json'])
    if (kinds.s3) t.notOk(readdirSync(place.directory).includes('objects'))

    // The old place is closed, to services and to scripts.
    const [code, told] = await endOf(spawnService(service.settings))
    t.equal(code, 1)
    t.match(told, /were moved elsewhere/)
    await t.rejects(moveHere(old, place), { message: /CONSILIUM_DATA is not empty/ })
    const another = await scene.newPlace(kinds, 'another')
    await t.rejects(moveHere(old, another), { message: /moved already/ })

    const verify = () =>
      runScript(
        'verify-audit',
        place.settings,
        ...['--data', place.directory, '--checkpoint', path('before')]
      )
    t.match(await verify(), { exit: 0, out: /All is well/ })
    const there = await startBeside(t, service, place.settings)
    t.ok((await read(there)).equals(original), 'every byte is there')
    const found = await there.client('clinician').send('GET', `/v1/records/${later.id}`)
    t.equal(found.status, 200, 'and what came after the objects')
    t.ok((await openShare(there.client('specialistGb'), scene.share.link)).openings > 1)
    t.equal((await there.client('clinician').send('HEAD', half, undefined, TUS)).status, 404)
    const after = await there.client().send('GET', '/v1/audit/checkpoint')
    const [origin, size] = after.text.split('\n')
    t.equal(origin, before.split('\n')[0], 'the same log')
    t.ok(Number(size) > Number(before.split('\n')[1]), 'which goes on')
    await there.stop()
    t.match(await runScript('check-exchange', place.settings), { exit: 0, out: 'All is well.' })
    t.match(await verify(), { exit: 0, out: /All is well/ })
    t.strictSame(readableIn(t.testdirName, [PATIENT_NAME, '0000000011\n0000000022']), [])
  })
}

async function endOf(child: ReturnType<typeof spawnService>): Promise<[number | null, string]> {
  let told = ''
  child.stderr?.on('data', text => {
    told += text
  })
  const code = await new Promise<number | null>(resolve => child.on('exit', resolve))
  return [code, told]
}

t.test('every row of every table is the same on the other side', async t => {
  if (!hasPostgres(t)) return
  const scene = await movingScene(t)
  if (scene === undefined) return
  // Its row comes before that of the share which replaced it.
  const path = `/v1/shares/${scene.share.id}/more-time`
  await scene.service.client('specialistGb').json('POST', path)
  await scene.service.client('clinician').json('POST', `${path}/approve`, { lifeHours: 100 })
  await scene.service.stop()
  const place = await scene.newPlace({ postgres: true, s3: false })
  t.match(await move(scene.old, place), { exit: 0 })

  const lite = new Sqlite(join(scene.old, 'consilium.db'), { readonly: true })
  const tables = lite
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'migrations'"
    )
    .pluck()
    .all()
  const client = new Client({ connectionString: place.database?.ownerUrl })
  await client.connect()
  t.teardown(() => client.end())
  t.ok(tables.length >= 19)
  const filled: string[] = []
  for (const table of tables) {
    const here = lite.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table}`).all()
    const { rows } = await client.query(`SELECT * FROM ${table}`)
    const there = new Set(rows.map(row => plain(row)))
    if (here.length > 0) filled.push(table)
    // The check at the end is on the log, and the tree has not grown yet.
    const missing = here.filter(row => !there.has(plain(row)))
    t.same(missing, [], `${table}: ${here.length} rows`)
    if (!/^audit_|^open_/.test(table)) t.equal(rows.length, here.length, table)
  }
  t.ok(filled.length > 14, 'most tables had rows')
  lite.close()
})

/** A row as one text, whichever driver it came from. */
function plain(row: Record<string, unknown>): string {
  const values = Object.entries(row).map(([name, value]) => {
    if (Buffer.isBuffer(value)) return [name, value.toString('hex')]
    return [
      name,
      value === null ? null : String(typeof value === 'boolean' ? Number(value) : value)
    ]
  })
  return JSON.stringify(values.sort())
}
