import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import t from 'tap'
import { createIdentity } from '../../src/backup/age.ts'
import { BackupError } from '../../src/backup/backup-error.ts'
import { blobFiles } from '../faults/soundness.ts'
import { backupScene, restoreHere } from './scene.ts'

t.test('a file that is not a whole backup is refused, and leaves nothing', async t => {
  const { service, path, backup, restore } = await backupScene(t)
  t.match(await backup('--to', path('one.age'), '--new-identity', path('id.txt')), { exit: 0 })
  const refuse = async (what: string, from: string, identity: string, err: RegExp) => {
    const answer = await restore(path(from), path(identity), path('to'))
    t.match(answer, { exit: 1, out: '', err }, what)
    t.notOk(existsSync(path('to')), `${what}: nothing is left`)
  }
  const refuseHere = async (what: string, from: string, message: RegExp) => {
    const restored = restoreHere(path(from), path('id.txt'), path('to'))
    await t.rejects(restored, { constructor: BackupError, message }, what)
    t.notOk(existsSync(path('to')), `${what}: nothing is left`)
  }

  await createIdentity(path('other.txt'), Date.now())
  await refuse('another identity', 'one.age', 'other.txt', /^None of the identities opens/)
  copyFileSync(path('id.txt'), path('open.txt'))
  chmodSync(path('open.txt'), 0o644)
  await refuse('an identity others can read', 'one.age', 'open.txt', /chmod 600/)
  await refuse('no identity', 'one.age', 'one.age', /be small/)

  writeFileSync(path('text'), 'Consilium\n'.repeat(1000))
  await refuse('a text', 'text', 'id.txt', /not an age file/)

  const { size } = statSync(path('one.age'))
  const wrong = /damaged|cut off|None of the identities/
  for (const at of [30, 1500, 3000, 70_000, Math.floor(size / 2), size - 1]) {
    const bytes = readFileSync(path('one.age'))
    bytes[at] = Number(bytes[at]) ^ 4
    writeFileSync(path('bad.age'), bytes)
    await refuseHere(`a bit of byte ${at}`, 'bad.age', wrong)
  }
  for (const left of [10, 2000, 65_536 * 3, size - 65_552, size - 1]) {
    copyFileSync(path('one.age'), path('short.age'))
    truncateSync(path('short.age'), left)
    await refuseHere(`${left} bytes of it`, 'short.age', /damaged|cut off/)
  }
  await refuse('a part of it', 'short.age', 'id.txt', /damaged|cut off/)

  mkdirSync(path('full'))
  writeFileSync(`${path('full')}/mine`, 'x')
  const full = await restore(path('one.age'), path('id.txt'), path('full'))
  t.match(full, { exit: 1, out: '', err: /not empty/ })
  t.strictSame(readdirSync(path('full')), ['mine'], 'which is not touched')
  const live = await restore(path('one.age'), path('id.txt'), service.config.dataDirectory)
  t.match(live, { exit: 1, out: '', err: /not empty/ })
  await service.stop()
  const ended = await restore(path('one.age'), path('id.txt'), service.config.dataDirectory)
  t.match(ended, { exit: 1, out: '', err: /not empty/ })
})

t.test('no backup is made where it would not be safe, or to a mixture of recipients', async t => {
  const { service, path, backup } = await backupScene(t)
  const pq = await createIdentity(path('id.txt'), Date.now())
  const classic = await identityToRecipient(await generateX25519Identity())
  const to = (name: string, ...recipients: string[]) =>
    backup('--to', path(name), ...recipients.flatMap(recipient => ['--recipient', recipient]))

  writeFileSync(path('there'), 'x')
  t.match(await to('there', pq), { exit: 1, err: /never takes the place/ })
  t.match(await to('data/keys/in.age', pq), { exit: 1, err: /within the data directory/ })
  t.match(await to('none/x.age', pq), { exit: 1, err: /is not there/ })
  mkdirSync(path('open'))
  chmodSync(path('open'), 0o777)
  t.match(await to('open/x.age', pq), { exit: 1, err: /Everybody may write/ })
  t.match(await to('x.age', pq, classic), { exit: 1, err: /cannot be mixed/ })
  const secret = readFileSync(path('id.txt'), 'utf8').trim().split('\n').at(-1) ?? ''
  const slip = await to('x.age', secret)
  t.match(slip, { exit: 1, err: /not an age recipient/ })
  t.notMatch(slip.err, /AGE-SECRET-KEY/i, 'an identity given by mistake is not shown')
  t.match(await backup('--to', path('x.age')), { exit: 2, err: /npm run backup/ })
  t.match(
    await backup('--to', path('x.age'), '--recipient', classic, '--new-identity', path('new')),
    { exit: 1, err: /cannot be mixed/ }
  )
  t.notOk(existsSync(path('x.age')))
  t.notOk(existsSync(path('new')))
  t.match(await to('classic.age', classic), { exit: 0, err: /Notice: .*classic/ })
  t.strictSame(
    (await service.events({ action: 'data.backup' })).map(event => event.details),
    [
      { by: 'operator console', stage: 'begun', recipients: 1 },
      {
        by: 'operator console',
        stage: 'complete',
        objects: 3,
        bytes: statSync(path('classic.age')).size,
        faults: 0
      }
    ],
    'the log has the backup that was made, with counts alone'
  )
})

t.test('what the store has lost is named, and the rest is saved', async t => {
  const { service, path, backup, restore } = await backupScene(t)
  const [lost = '', short = ''] = blobFiles(service.config.dataDirectory)
  rmSync(lost)
  truncateSync(short, statSync(short).size - 1)
  const rows = await service.look(({ database }) =>
    database.read.select().from(database.read.tables.objects)
  )
  const idOf = (file: string) => rows.find(row => file.endsWith(String(row.blob)))?.id
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.equal(saved.exit, 1)
  t.match(saved.out, `FAULT: Object ${idOf(lost)} is not in the store.`)
  t.match(saved.out, `FAULT: Object ${idOf(short)} has not the length`)
  t.match(saved.out, '2 faults.')
  const restored = await restore(path('one.age'), path('id.txt'), path('to'))
  t.equal(restored.exit, 1)
  t.match(restored.out, 'Notice: 2 objects were missing')
  t.match(restored.out, `FAULT: Object ${idOf(lost)}: blob-missing.`)
  t.match(restored.out, '2 faults.')
})

t.test('the key files that others can read are not saved', async t => {
  const { service, path, backup } = await backupScene(t)
  chmodSync(`${service.config.dataDirectory}/keys/links.jwks.json`, 0o644)
  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.equal(saved.exit, 1)
  t.notOk(existsSync(path('one.age')))
  t.equal(spawnSync('ls', [t.testdirName]).stdout.toString().includes('.tmp'), false)
})
