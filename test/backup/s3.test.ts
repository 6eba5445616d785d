import { copyFileSync, statSync, truncateSync } from 'node:fs'
import t from 'tap'
import { startBeside } from '../faults/real-service.ts'
import { readableIn } from '../faults/soundness.ts'
import { PATIENT_NAME } from '../helpers/exchange.ts'
import { newPrefix, s3Server } from '../helpers/s3.ts'
import { runScript } from '../scripts/run-script.ts'
import { backupScene } from './scene.ts'

t.test('objects in S3 are saved, and put back under another prefix', async t => {
  const server = await s3Server(t)
  if (server === undefined) return
  const env = { ...server.env(newPrefix()), ...server.credentials }
  const { service, recordIds, path, backup } = await backupScene(t, env)
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.match(saved, { exit: 0, out: /^Saved: 3 objects/ }, saved.err)

  const to = path('to')
  const args = ['--from', path('one.age'), '--identity', path('id.txt'), '--to-data', to]
  const taken = await runScript('restore', service.settings, ...args)
  t.match(taken, { exit: 1, err: /The store holds objects already/ })
  const settings = { ...service.settings, ...server.env(newPrefix()) }
  copyFileSync(path('one.age'), path('short.age'))
  truncateSync(path('short.age'), statSync(path('one.age')).size - 1)
  const short = ['--from', path('short.age'), ...args.slice(2)]
  t.match(await runScript('restore', settings, ...short), { exit: 1, err: /cut off/ })
  // That the prefix is empty again is shown by the next, which would refuse it otherwise.
  const restored = await runScript('restore', settings, ...args)
  t.match(restored, { exit: 0, out: /All is well/ }, restored.err + restored.out)

  const other = await startBeside(t, service, { ...settings, CONSILIUM_DATA: to })
  for (const id of recordIds) {
    const read = (client: typeof clinician) => client.send('GET', `/v1/records/${id}/content`)
    const clinician = service.client('clinician')
    const [here, there] = [await read(clinician), await read(other.client('clinician'))]
    t.ok(here.bytes.length > 1000 && here.bytes.equals(there.bytes))
  }
  t.strictSame(readableIn(t.testdirName, [PATIENT_NAME]), [])
})
