import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { keysUnder, REWRAP_BATCH_MAX } from '../../src/housekeeping/rotate-keys.ts'
import { dataPaths } from '../../src/open-data.ts'
import { plainEnvironment, plainNode } from '../helpers/own-process.ts'
import { createCase } from '../helpers/story.ts'
import { runScript } from '../scripts/run-script.ts'
import { startRealService } from './real-service.ts'
import { assertSoundAtRest } from './soundness.ts'

const CASES = 3 * REWRAP_BATCH_MAX

t.test('a rotation killed half-way goes on where it was', async t => {
  const service = await startRealService(t)
  const { dataDirectory } = service.config
  const paths = dataPaths(dataDirectory)
  const ring = () => JSON.parse(readFileSync(paths.keyring, 'utf8'))
  const clinician = service.client('clinician')
  const first = await createCase(clinician)
  const eighth = Array.from({ length: CASES / 8 })
  const someCases = async () => {
    for (const _ of eighth) await createCase(clinician)
  }
  await Promise.all(Array.from({ length: 8 }, someCases))
  const [{ id: old }] = ring().keys

  const script = new URL('../../scripts/rotate-keys.ts', import.meta.url).pathname
  const env = { ...plainEnvironment(), CONSILIUM_DATA: dataDirectory }
  const [node, ...args] = plainNode()
  const rotation = spawn(node, [...args, script], { env, stdio: 'ignore' })
  t.teardown(() => rotation.kill('SIGKILL'))
  // Held up in the middle by another writer, so that it is killed there however fast it is.
  const other = new Sqlite(paths.database, { timeout: 5000 })
  const moved = other.prepare<[], { n: number }>(
    "SELECT count(*) AS n FROM audit_events WHERE action = 'keys.rewrap'"
  )
  while ((moved.get()?.n ?? 0) < 2 && rotation.exitCode === null) {
    await new Promise(setImmediate)
  }
  other.exec('BEGIN IMMEDIATE')
  rotation.kill('SIGKILL')
  if (rotation.exitCode === null) await once(rotation, 'exit')
  other.exec('ROLLBACK')
  other.close()

  const current = ring().current
  t.not(current, old)
  const [before, after] = await service.look(data =>
    Promise.all([keysUnder(data, old), keysUnder(data, current)])
  )
  t.ok(before > 0 && after > 0, `killed with ${before} keys to go and ${after} done`)
  t.match(await clinician.json('GET', `/v1/cases/${first.id}`), { id: first.id }, 'all serves on')

  await service.kill()
  await service.start()
  const again = await runScript('rotate-keys', { CONSILIUM_DATA: dataDirectory })
  t.match(again, { exit: 0, err: /not finished: going on/ })
  t.match(again.out, `Wrapped under ${current}: ${before} keys.`)
  t.match(again.out, `Nothing uses ${old} any more.`)
  t.equal(ring().keys.length, 2, 'and no further KEK is made')
  const told = (await service.events({ action: 'keys.rewrap' })).map(({ details }) =>
    ['serviceKeys', 'cases', 'records'].reduce((sum, name) => sum + Number(details[name] ?? 0), 0)
  )
  t.equal(
    told.reduce((sum, n) => sum + n, 0),
    before + after,
    'the log has each of them once'
  )
  t.equal(await service.stop(), 0)
  await assertSoundAtRest(t, service.config, [])
})
