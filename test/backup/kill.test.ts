import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { spawnService } from '../faults/real-service.ts'
import { filesBelow, unexpectedFiles } from '../faults/soundness.ts'
import { eventually, numberedText, uploadRecord } from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import { backupScene, settingsAt, startScript } from './scene.ts'

/** Long enough for both to be caught half-way. */
const BIG_BYTES = 60_000_000

t.test(
  'a backup and a restore that are killed half-way leave nothing that is taken for whole',
  async t => {
    const { service, caseId, path, backup, restore } = await backupScene(t)
    const files = [numberedText(BIG_BYTES), numberedText(10)]
    await uploadRecord(service.client('clinician'), caseId, { files })
    const directory = service.config.dataDirectory

    const args = ['--to', path('one.age'), '--new-identity', path('id.txt')]
    const saving = startScript('backup', service.settings, ...args)
    const unfinished = () => readdirSync(t.testdirName).filter(name => name.endsWith('.tmp'))
    await eventually('it has begun to write', () => {
      const [name] = unfinished()
      return name !== undefined && statSync(path(name)).size > 5_000_000 ? true : undefined
    })
    const gone = once(saving, 'exit')
    saving.kill('SIGKILL')
    t.strictSame(await gone, [null, 'SIGKILL'], 'it was killed half-way')
    t.notOk(existsSync(path('one.age')))
    t.equal(unfinished().length, 1)
    t.strictSame(unexpectedFiles(directory), ['backup.db'])

    const again = await backup('--to', path('one.age'), '--new-identity', path('id2.txt'))
    t.match(again, { exit: 0, out: /All is well/ }, again.err)
    t.strictSame(unfinished(), [], 'the next backup has removed what was left')
    t.strictSame(unexpectedFiles(directory), [])

    const to = path('to')
    const moments: [string, () => boolean][] = [
      ['objects', () => filesBelow(join(to, 'objects')).length > 2],
      ['keys', () => existsSync(join(to, 'keys'))],
      ['the mark', () => existsSync(join(to, 'restoring.json'))]
    ]
    for (const [what, isThere] of moments) {
      const restoring = startScript(
        'restore',
        settingsAt(service, to),
        ...['--from', path('one.age'), '--identity', path('id2.txt'), '--to-data', to]
      )
      await eventually(`${what} are there`, () => {
        try {
          return isThere() || undefined
        } catch {
          return undefined
        }
      })
      const killed = once(restoring, 'exit')
      restoring.kill('SIGKILL')
      t.strictSame(await killed, [null, 'SIGKILL'], what)
      t.notOk(existsSync(join(to, 'consilium.db')))
      const started = spawnService(settingsAt(service, to))
      let told = ''
      started.stderr?.on('data', text => {
        told += text
      })
      t.strictSame(await once(started, 'exit'), [1, null])
      t.match(told, /cut short. Begin it again/)
      t.match(await runScript('token', settingsAt(service, to), '--client', 'x'), { exit: 1 })
    }
    const whole = await restore(path('one.age'), path('id2.txt'), to)
    t.match(whole, { exit: 0, out: /All is well/ }, whole.err)
    t.strictSame(unexpectedFiles(to), [])
  }
)
