import { rmSync } from 'node:fs'
import t from 'tap'
import { blobFiles, checkAtRest } from '../faults/soundness.ts'
import { backupScene } from './scene.ts'

t.test('what was found infected is in no backup, and nothing misses it', async t => {
  const { service, path, backup, restore } = await backupScene(t)
  await service.look(({ database }) =>
    database.write(async tx => {
      const found = { scan: 'infected', scanSignature: 'Test.X', scanDue: null }
      await tx.update(tx.tables.objects).set(found)
    })
  )
  for (const name of blobFiles(service.config.dataDirectory)) rmSync(name)
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.match(saved, { exit: 0, out: /^Saved: 0 objects.*\nAll is well\.$/ }, saved.err)
  const to = path('elsewhere')
  t.match(await restore(path('one.age'), path('id.txt'), to), { exit: 0, out: /All is well/ })
  t.strictSame(await checkAtRest({ ...service.config, dataDirectory: to }), [])
})
