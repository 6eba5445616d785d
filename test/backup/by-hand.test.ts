import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import t from 'tap'
import { checkAtRest } from '../faults/soundness.ts'
import { goPeer } from '../peers/go.ts'
import { backupScene } from './scene.ts'

t.test('a backup opens with age, tar and sha256sum alone', async t => {
  const age = goPeer(t, 'age')
  if (age === undefined) return
  const { service, path, backup } = await backupScene(t)
  t.match(await backup('--to', path('one.age'), '--new-identity', path('id.txt')), { exit: 0 })
  await service.stop()

  mkdirSync(path('by-hand'), { mode: 0o700 })
  execFileSync(age, ['--decrypt', '-i', path('id.txt'), '-o', path('one.tar'), path('one.age')])
  const inside = execFileSync('tar', ['tf', path('one.tar')])
    .toString()
    .trim()
    .split('\n')
  t.equal(inside[0], 'consilium-backup.json')
  t.equal(inside.at(-1), 'consilium-backup-end.json')
  execFileSync('tar', ['xf', path('one.tar'), '-C', path('by-hand')])
  const lists = readdirSync(path('by-hand/digests')).map(name => `digests/${name}`)
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', ...lists], { cwd: path('by-hand') })

  const config = { ...service.config, dataDirectory: path('by-hand') }
  t.strictSame(await checkAtRest(config), [], 'what is unpacked is a data directory')
})
