import { existsSync } from 'node:fs'
import t from 'tap'
import { startBeside } from '../faults/real-service.ts'
import { asAdmin, freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { numberedText, uploadRecord } from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import { backupScene, waysIn } from './scene.ts'

t.test('PostgreSQL is saved beside its service, and put into another database', async t => {
  if (!hasPostgres(t)) return
  const from = await freshPostgres()
  const scene = await backupScene(t, { DATABASE_URL: from.url })
  const { service, caseId, recordIds, path, backup } = scene
  const ways = await waysIn(scene)
  const clinician = service.client('clinician')
  let uploading = true
  const uploads = (async () => {
    while (uploading) await uploadRecord(clinician, caseId, { files: [numberedText(4000)] })
  })()
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  uploading = false
  await uploads
  t.match(saved, { exit: 0, out: /^Saved: .*All is well\.$/s }, saved.err)

  const [to, target] = [path('to'), await freshPostgres()]
  const args = ['--from', path('one.age'), '--identity', path('id.txt'), '--to-data', to]
  const settings = { ...service.settings, CONSILIUM_DATA: to, DATABASE_URL: target.url }
  const { DATABASE_URL: _, ...sqlite } = settings
  t.match(await runScript('restore', sqlite, ...args), { exit: 1, err: /backup of PostgreSQL/ })
  t.match(await runScript('restore', settings, ...args), { exit: 1, err: /DATABASE_OWNER_URL/ })
  const used = { ...settings, DATABASE_URL: from.url, DATABASE_OWNER_URL: from.ownerUrl }
  t.match(await runScript('restore', used, ...args), { exit: 1, err: /database is not empty/ })

  await asAdmin(target.adminUrl, "UPDATE migrations SET sha256 = 'x' || sha256")
  const unlike = { ...settings, DATABASE_OWNER_URL: target.ownerUrl }
  t.match(await runScript('restore', unlike, ...args), { exit: 1, err: /not the tables of/ })
  t.notOk(existsSync(to), 'nothing was made')
  await asAdmin(target.adminUrl, 'UPDATE migrations SET sha256 = substr(sha256, 2)')

  const owner = { ...settings, DATABASE_OWNER_URL: target.ownerUrl }
  const restored = await runScript('restore', owner, ...args)
  t.match(restored, { exit: 0, out: /All is well/ }, restored.err + restored.out)

  const other = await startBeside(t, service, settings)
  const there = other.client('clinician')
  for (const id of recordIds) {
    const path = `/v1/records/${id}/content`
    const [a, b] = [await clinician.send('GET', path), await there.send('GET', path)]
    t.ok(a.bytes.length > 1000 && a.bytes.equals(b.bytes), 'every byte is there')
  }
  const record = { files: [numberedText(4000)] }
  t.ok((await uploadRecord(there, caseId, record)).id, 'and it goes on')
  t.same(
    await ways.triedAt(other.url),
    [401, 403],
    'who was signed in, or had a code, is not let in'
  )
  await other.stop()
  t.match(await runScript('check-exchange', settings), { exit: 0, out: 'All is well.' })
  const verified = await runScript(
    'verify-audit',
    settings,
    ...['--data', to, '--checkpoint', `${to}/checkpoint`]
  )
  t.match(verified, { exit: 0, out: /All is well/ })
})
