import { readFileSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { startBeside } from '../faults/real-service.ts'
import { checkAtRest, readableIn, unexpectedFiles } from '../faults/soundness.ts'
import { eventually, numberedText, PATIENT_NAME, uploadRecord } from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import { backupScene, settingsAt, waysIn } from './scene.ts'

t.test('what was saved while uploads went on is whole on another machine', async t => {
  const scene = await backupScene(t)
  const { service, caseId, recordIds, path, backup, restore } = scene
  const ways = await waysIn(scene)
  const clinician = service.client('clinician')
  const contentOf = async (client: typeof clinician, id: string) =>
    (await client.send('GET', `/v1/records/${id}/content`)).bytes

  t.same(await ways.triedAt(service.url), [200, 200])
  const before = await eventually('the log is signed', async () => {
    const { status, bytes } = await service.client().send('GET', '/v1/audit/checkpoint')
    return status === 200 ? bytes : undefined
  })
  writeFileSync(path('before'), before)

  let uploading = true
  const later: string[] = []
  const uploads = (async () => {
    while (uploading) {
      later.push((await uploadRecord(clinician, caseId, { files: [numberedText(40_000)] })).id)
    }
  })()
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  uploading = false
  await uploads
  t.match(saved, { exit: 0, out: /^Saved: \d+ objects.*\nAll is well\.$/ })
  t.ok(later.length > 0, 'uploads went on meanwhile')
  for (const name of ['one.age', 'id.txt']) {
    t.equal(statSync(path(name)).mode & 0o777, 0o600, `nobody else may read ${name}`)
  }
  const identity = readFileSync(path('id.txt'), 'utf8')
  t.match(identity, /^AGE-SECRET-KEY-PQ-1/m, 'a new identity is post-quantum')
  t.notMatch(saved.out + saved.err, /AGE-SECRET-KEY/)
  t.strictSame(unexpectedFiles(service.config.dataDirectory), [], 'no copy of the database is left')
  const to = path('elsewhere')
  const restored = await restore(path('one.age'), path('id.txt'), to)
  t.match(
    restored,
    { exit: 0, out: /^Restored: .*All is well\.\nWhat was done after/s },
    restored.err
  )
  t.notMatch(restored.out, /FAULT/)
  t.strictSame(unexpectedFiles(to), [])
  t.strictSame(await checkAtRest({ ...service.config, dataDirectory: to }), [])
  const verified = await runScript(
    'verify-audit',
    settingsAt(service, to),
    '--data',
    to,
    '--checkpoint',
    path('before')
  )
  t.match(verified, { exit: 0, out: /All is well/ })

  const other = await startBeside(t, service, { CONSILIUM_DATA: to })
  const there = other.client('clinician')
  for (const id of recordIds) {
    t.ok((await contentOf(clinician, id)).equals(await contentOf(there, id)), 'every byte is there')
  }
  t.same(
    await ways.triedAt(other.url),
    [401, 403],
    'who was signed in, or had a code, is not let in'
  )
  await other.stop()
  t.strictSame(readableIn(t.testdirName, [PATIENT_NAME, '0000000011\n0000000022']), [])
})
