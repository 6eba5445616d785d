import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import t from 'tap'
import { openAuditLog } from '../../../src/audit/log.ts'
import { lastCheckpoint, replaceCheckpoint, treeSize } from '../../../src/audit/tree/queries.ts'
import { openLogKeys } from '../../../src/audit/tree/signing-keys.ts'
import { postgresOnly } from '../../helpers/databases.ts'
import { eventually } from '../../helpers/exchange.ts'
import { append, assertTree, type TreeStage, treeStage } from './scene.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

/** A clock that stands still until it is moved. */
function stoppedClock() {
  let now = Date.parse('2026-11-22T12:00:00Z')
  return {
    now: () => now,
    move: (milliseconds: number) => {
      now += milliseconds
    }
  }
}

const inTree = ({ data }: TreeStage, size: number) =>
  eventually(`${size} events are in the tree`, async () =>
    (await treeSize(data.database.read)) === size ? true : undefined
  )

t.test('a tree that grows is signed once a second, and not more often', async t => {
  const clock = stoppedClock()
  const stage = await treeStage(t, clock.now)
  const tree = await stage.open()
  const sizes: number[] = []
  tree.onCheckpoint(({ size }) => sizes.push(size))

  // When the tree has grown within the second, several times.
  for (const size of [1, 2, 3]) {
    await append(stage.data, 1)
    await inTree(stage, size)
    clock.move(333)
  }
  t.same(sizes, [], 'nothing is signed')
  t.equal(tree.checkpoint()?.size, 0)

  clock.move(1)
  await eventually('it is signed', () => (tree.checkpoint()?.size === 3 ? true : undefined))
  await append(stage.data, 1)
  await inTree(stage, 4)
  t.same(sizes, [3], 'once')
  clock.move(SECOND)
  await eventually('and again', () => (tree.checkpoint()?.size === 4 ? true : undefined))
})

t.test('a tree at rest is signed every five minutes', async t => {
  const clock = stoppedClock()
  const { data, open, copyPath } = await treeStage(t, clock.now)
  await append(data, 3)
  const tree = await open()
  const first = await tree.settle()
  let signed = 0
  tree.onCheckpoint(() => {
    signed += 1
  })
  rmSync(copyPath)

  clock.move(5 * MINUTE - 1)
  // Longer than it takes to look.
  await new Promise(resolve => setTimeout(resolve, 1500))
  t.equal(signed, 0, 'not before')
  clock.move(1)
  await eventually('it is signed', () => (signed === 1 ? true : undefined))
  t.match(tree.checkpoint(), { size: 3, note: first.note, signedAt: clock.now() })
  t.equal(readFileSync(copyPath, 'utf8'), first.note, 'and its copy renewed')
})

t.test('a clock that was ahead and is put right does not keep the log unsigned', async t => {
  const clock = stoppedClock()
  const stage = await treeStage(t, clock.now)
  clock.move(24 * 60 * MINUTE)
  const tree = await stage.open()
  await append(stage.data, 1)
  await tree.settle()
  clock.move(-24 * 60 * MINUTE)
  await append(stage.data, 1)
  await eventually('it is signed', () => (tree.checkpoint()?.size === 2 ? true : undefined))
  t.equal(tree.checkpoint()?.signedAt, clock.now())
})

t.test('a checkpoint only ever takes the place of the one its signer knew', async t => {
  const { data, open } = await treeStage(t)
  const tree = await open()
  await append(data, 2)
  const first = await tree.settle()
  const next = { ...first, size: 3, note: 'three' }
  const replaced = await data.database.write(async tx => [
    await replaceCheckpoint(tx, undefined, next),
    await replaceCheckpoint(tx, { ...first, note: 'other' }, next),
    await replaceCheckpoint(tx, { ...first, size: 1 }, next),
    await replaceCheckpoint(tx, first, next),
    await replaceCheckpoint(tx, first, { ...next, note: 'another three' })
  ])
  t.same(replaced, [false, false, false, true, false])
  t.match(await lastCheckpoint(data.database.read), next)
})

t.test('nobody sees a checkpoint before its copy is written', async t => {
  const { data, open, copyPath, failures } = await treeStage(t)
  const tree = await open()
  // Given a folder where the copy is to be.
  rmSync(copyPath)
  mkdirSync(copyPath)
  await append(data, 5)
  await t.rejects(tree.settle(), { code: 'EISDIR' })
  t.equal(tree.checkpoint()?.size, 0, 'the last that is whole is told')
  t.match(failures, [{ code: 'EISDIR' }])
  t.equal(tree.fault(), undefined, 'the log itself is in order')
  t.same(
    readdirSync(data.directory).filter(name => name.endsWith('.tmp')),
    [],
    'no temporary file is left'
  )

  rmdirSync(copyPath)
  await eventually('it is tried again', () => (tree.checkpoint()?.size === 5 ? true : undefined))
  t.equal(readFileSync(copyPath, 'utf8'), tree.checkpoint()?.note)
  await assertTree(t, data.database, tree, 5)
})

t.test('what a request has caught up with is not taken back', { skip: postgresOnly }, async t => {
  // Given a process whose checkpoint of one event is slow to be shown
  const { data, open, openAnother, copyPath, keysPath } = await treeStage(t)
  const slow = await openLogKeys(keysPath)
  const tree = await open({ keys: slow })
  const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  slow.noteBegun = async () => {
    slow.noteBegun = async () => {}
    reached.resolve()
    await gate.promise
  }
  await append(data, 1)
  const settled = tree.settle()
  await reached.promise
  // When another process signs a second one, and a request asks this one
  const database = await openAnother()
  const audit = openAuditLog(data.database, data.serviceKeys.audit, data.clock)
  const other = await open({ database, audit, copyPath: `${copyPath}-2` })
  await append({ database, audit }, 1)
  await other.settle()
  const shown: number[] = []
  tree.onCheckpoint(({ size }) => void shown.push(size))
  const caughtUp = tree.catchUp()
  await Promise.race([caughtUp, new Promise(resolve => setTimeout(resolve, 500))])
  gate.resolve()
  await Promise.all([settled, caughtUp])
  // Then it goes on from there, and nobody is shown the first after the second
  t.equal(tree.checkpoint()?.size, 2)
  t.same(shown, [1, 2])
  t.equal(readFileSync(copyPath, 'utf8'), tree.checkpoint()?.note)
})
