import t from 'tap'
import { openAuditLog } from '../../../src/audit/log.ts'
import { parseProofFile } from '../../../src/audit/tlog/proof-file.ts'
import { leafHash, verifyInclusion } from '../../../src/audit/tlog/tree.ts'
import { GROW_EVENTS_MAX } from '../../../src/audit/tree/grow-tree.ts'
import { proveEntry } from '../../../src/audit/tree/proofs.ts'
import { treeSize } from '../../../src/audit/tree/queries.ts'
import { eventually, startExchange } from '../../helpers/exchange.ts'
import { runScript } from '../../scripts/run-script.ts'
import { append, assertTree, leavesOf, opened, rootOf, treeStage } from './scene.ts'

t.test('batches of every size make the one tree', async t => {
  const { data, open } = await treeStage(t)
  const tree = await open()
  await assertTree(t, data.database, tree, 0)
  let size = 0
  for (const events of [1, 1, 253, 1, 1, 255, 512, 3]) {
    await append(data, events)
    size += events
    await tree.settle()
    await assertTree(t, data.database, tree, size)
  }
  // Then each event can be proven by itself.
  const leaves = await leavesOf(t, data.database)
  for (const idx of [0, 1, 255, 256, 511, size - 1]) {
    const leaf = leaves[idx] ?? Buffer.alloc(0)
    const checkpoint = await tree.settle()
    const { proof } = parseProofFile(await proveEntry(data.database, checkpoint, { idx, leaf }))
    const { root } = opened(
      checkpoint.note,
      tree.keys.keys.map(({ vkey }) => vkey)
    )
    t.ok(verifyInclusion(leafHash(leaf), idx, size, proof, root), `event ${idx}`)
  }
})

t.test('what gathered while the service was down is taken in as it starts', async t => {
  const { data, open } = await treeStage(t)
  const events = 2 * GROW_EVENTS_MAX + 1
  await append(data, events)
  const tree = await open()
  t.equal(await treeSize(data.database.read), events, 'all of it')
  await tree.settle()
  await assertTree(t, data.database, tree, events)
})

t.test('what was undone leaves no gap', async t => {
  const { data, open } = await treeStage(t)
  const tree = await open()
  await append(data, 3)
  const undone = data.database.write(async tx => {
    await data.audit.append(tx, { action: 'case.list', outcome: 'success', details: {} })
    throw new Error('not after all')
  })
  await t.rejects(undone, /not after all/)
  await append(data, 2)
  await tree.settle()
  await assertTree(t, data.database, tree, 5)
})

t.test('what another process writes is taken in by itself', async t => {
  const exchange = await startExchange(t)
  const { tree, database } = exchange.exchange
  const before = await tree.settle()
  const enrol = (name: string) =>
    runScript('add-organisation', exchange.settings, ...['--name', name, '--country', 'IE'])

  // When nothing else happens.
  t.match(await enrol('Quiet Clinic'), { exit: 0 })
  await eventually('the event is in the tree', async () => {
    return (await treeSize(database.read)) === before.size + 1 ? true : undefined
  })
  await eventually('and signed', () => {
    return tree.checkpoint()?.size === before.size + 1 ? true : undefined
  })

  // When the service is writing too.
  const [first, second] = await Promise.all([
    enrol('Busy Clinic'),
    enrol('Busier Clinic'),
    ...Array.from({ length: 300 }, () => append(exchange.exchange, 1))
  ])
  t.match([first, second], [{ exit: 0 }, { exit: 0 }])
  await tree.settle()
  await assertTree(t, database, tree, before.size + 303)
  t.equal(tree.fault(), undefined)
})

t.test('two trees over one database agree', async t => {
  const { data, open, openAnother, copyPath, failures } = await treeStage(t)
  const database = await openAnother()
  const audit = openAuditLog(data.database, data.serviceKeys.audit, data.clock)
  const trees = [await open(), await open({ database, audit, copyPath: `${copyPath}-2` })]
  const signed: string[] = []
  for (const tree of trees) tree.onCheckpoint(({ note }) => signed.push(note))

  for (let round = 0; round < 20; round += 1) {
    await Promise.all([
      append(data, 1 + round * 7),
      append({ database, audit }, 2 + round),
      ...trees.map(tree => tree.settle())
    ])
  }
  for (const tree of trees) await tree.settle()
  t.same(failures, [])
  t.ok(signed.length > 20, 'both have signed')

  const [tree] = trees
  if (tree === undefined) throw new Error('There are two.')
  const leaves = await leavesOf(t, database)
  await assertTree(t, database, tree, leaves.length)
  const vkeys = tree.keys.keys.map(({ vkey }) => vkey)
  const astray = signed.filter(note => {
    const { size, root } = opened(note, vkeys)
    return !rootOf(leaves, size).equals(root)
  })
  t.same(astray, [], 'every checkpoint is of the one log')
})
