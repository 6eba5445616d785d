import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { lock } from '../../src/sender/lock.ts'

t.test('one run has it, and lets go of it', async t => {
  const path = join(t.testdir(), 'lock')
  const release = await lock(path, 'x')
  await t.rejects(lock(path, 'x'), { ending: 'usage', message: /Another run is under way/ })
  await release()
  t.notOk(existsSync(path))
  await (await lock(path, 'x'))()
})

t.test('a run that was killed is no obstacle, even one that had not written its name', async t => {
  const path = join(t.testdir(), 'lock')
  const { pid } = spawnSync('true')
  // As the first process of a container has one number, run after run.
  const ofBefore = `${process.pid} ${hostname()}\n`
  for (const left of [`${pid} ${hostname()}\n`, '', ofBefore]) {
    writeFileSync(path, left)
    const release = await lock(path, 'x')
    t.match(readFileSync(path, 'utf8'), `${process.pid} `)
    await release()
  }
})

t.test('of two that find the lock of a run that was killed, one has it', async t => {
  const path = join(t.testdir(), 'lock')
  const { pid: gone } = spawnSync('true')
  const other = spawn('sleep', ['60'])
  t.teardown(() => other.kill())
  writeFileSync(path, `${gone} ${hostname()}\n`)
  const kill = process.kill
  t.teardown(() => Object.assign(process, { kill }))
  process.kill = (...args) => {
    // The other takes it over between our look and what we do about it.
    if (args[0] === gone) {
      unlinkSync(path)
      writeFileSync(path, `${other.pid} ${hostname()}\n`)
    }
    return kill.call(process, ...args)
  }
  await t.rejects(lock(path, 'x'), { message: `of process ${other.pid} ` })
  t.same(readdirSync(join(path, '..')), ['lock'], 'which is left to the other')
})

t.test(
  'nor is one that was killed and that nobody has collected',
  { skip: process.platform !== 'linux' },
  async t => {
    const path = join(t.testdir(), 'lock')
    // The shell becomes another program, which never asks after the child that the shell had begun.
    const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'])
    t.teardown(() => parent.kill())
    const [pid] = await once(parent.stdout, 'data')
    writeFileSync(path, `${String(pid).trim()} ${hostname()}\n`)
    const release = await lock(path, 'x')
    await release()
  }
)

t.test('what runs on another machine cannot be looked at, and is told', async t => {
  const path = join(t.testdir(), 'lock')
  writeFileSync(path, '1 elsewhere\n')
  await t.rejects(lock(path, 'x'), { message: `of process 1 elsewhere. If it has ended, remove ` })
  await t.rejects(lock(join(path, 'below'), 'give another place'), {
    ending: 'usage',
    message: /ENOTDIR\): give another place/
  })
})
