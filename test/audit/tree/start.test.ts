import { generateKeyPairSync } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { signCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { noteSigner } from '../../../src/audit/tlog/note.ts'
import { openLogTree } from '../../../src/audit/tree/log-tree.ts'
import { treeSize } from '../../../src/audit/tree/queries.ts'
import { openLogKeys } from '../../../src/audit/tree/signing-keys.ts'
import { openSqlite } from '../../../src/database/sqlite.ts'
import { dataPaths } from '../../../src/open-data.ts'
import { spawnService, startRealService } from '../../faults/real-service.ts'
import { append, assertTree, leavesOf, opened, rootOf, tamper, treeStage } from './scene.ts'

/** More than one tile of leaves, so that the last is not the only one. */
const EVENTS = 300

/** A signed log that nobody has open, and what opening it comes to. */
async function signedLog(t: Test) {
  const stage = await treeStage(t)
  const { data, databasePath, copyPath, keysPath } = stage
  await append(data, EVENTS)
  const first = await stage.open()
  const signed = await first.settle()
  await first.close()
  const { origin } = first.keys
  const reopen = async () => {
    const database = openSqlite(databasePath)
    t.teardown(() => database.close())
    const keys = await openLogKeys(keysPath)
    const parts = { audit: data.audit, keys, copyPath, clock: data.clock, onFailure: () => {} }
    const tree = await openLogTree({ ...parts, database })
    t.teardown(() => tree.close())
    return { tree, database }
  }
  /** A stranger's signature under whatever they like. */
  const forged = (size: number, root: Buffer) =>
    signCheckpoint({ origin, size, root }, [
      noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
    ])
  return { ...stage, signed, reopen, forged }
}

type SignedLog = Awaited<ReturnType<typeof signedLog>>

const flip = (table: string, column: string, where: string) =>
  `UPDATE ${table} SET ${column} = CAST(substr(${column}, 1, 10) ||
    CASE substr(${column}, 11, 1) WHEN x'00' THEN x'01' ELSE x'00' END ||
    substr(${column}, 12) AS BLOB) WHERE ${where}`

/** What was done to the log while it was closed, and how the next start tells it. */
const refused: Record<string, [spoil: (log: SignedLog) => void, told: RegExp]> = {
  'a head that is smaller than the checkpoint': [
    log => tamper(log.databasePath, 'UPDATE audit_head SET size = size - 1'),
    /has 299 events in its tree, and a checkpoint was signed for 300/
  ],
  'events that were removed from the end': [
    log => tamper(log.databasePath, 'DELETE FROM audit_events WHERE idx >= 298'),
    /has 298 events, and its tree has 300/
  ],
  'an event that was removed from the last tile': [
    log => tamper(log.databasePath, 'DELETE FROM audit_events WHERE idx = 290'),
    /Events from 256 to 299 of the access log are not those signed/
  ],
  'a leaf of the last tile that was changed': [
    log => tamper(log.databasePath, flip('audit_events', 'leaf', 'idx = 257')),
    /Events from 256 to 299 of the access log are not those signed/
  ],
  'a tile of hashes that was changed': [
    log => tamper(log.databasePath, flip('audit_tiles', 'hashes', 'level = 0 AND idx = 1')),
    /The first 300 events of the access log are not those signed/
  ],
  'a tile higher up that was changed': [
    log => tamper(log.databasePath, flip('audit_tiles', 'hashes', 'level = 1')),
    /The first 300 events of the access log are not those signed/
  ],
  'a leaf and its hash that were changed together': [
    log => {
      const database = new Sqlite(log.databasePath)
      const leaf = Buffer.from('{"v":1}')
      const tile = database.prepare('SELECT hashes FROM audit_tiles WHERE level = 0 AND idx = 1')
      const { hashes } = tile.get() as { hashes: Buffer }
      rootOf([leaf]).copy(hashes, 32 * 43)
      database.close()
      tamper(
        log.databasePath,
        `UPDATE audit_events SET leaf = x'${leaf.toString('hex')}' WHERE idx = 299`,
        `UPDATE audit_tiles SET hashes = x'${hashes.toString('hex')}' WHERE level = 0 AND idx = 1`
      )
    },
    /The first 300 events of the access log are not those signed/
  ],
  'a tile that was removed': [
    log => tamper(log.databasePath, 'DELETE FROM audit_tiles WHERE level = 0 AND idx = 1'),
    /Tile 1 of level 0 is missing or too short/
  ],
  'a checkpoint of a key that is not the log’s': [
    log => {
      const note = log.forged(300, rootOf([]))
      const database = new Sqlite(log.databasePath)
      database.prepare('UPDATE audit_checkpoint SET note = ?').run(note)
      database.close()
    },
    /damaged, or not signed by a key of this log/
  ],
  'a copy of the checkpoint by a key that is not the log’s': [
    log => writeFileSync(log.copyPath, log.forged(300, rootOf([]))),
    /damaged, or not signed by a key of this log/
  ],
  'a copy of the checkpoint that is cut short': [
    log => writeFileSync(log.copyPath, log.signed.note.slice(0, 60)),
    /damaged, or not signed by a key of this log/
  ],
  'a database that knows of no checkpoint': [
    log => tamper(log.databasePath, 'DELETE FROM audit_checkpoint'),
    /A checkpoint was signed, and the database knows of none/
  ],
  'the same, and no copy either': [
    log => {
      rmSync(log.copyPath)
      tamper(log.databasePath, 'DELETE FROM audit_checkpoint')
    },
    /A checkpoint was signed, and the database knows of none/
  ]
}

for (const [what, [spoil, told]] of Object.entries(refused)) {
  t.test(`no start with ${what}`, async t => {
    const log = await signedLog(t)
    spoil(log)
    await t.rejects(log.reopen(), { name: 'LogFault', message: told })
    const copy = existsSync(log.copyPath) && readFileSync(log.copyPath, 'utf8')
    await t.rejects(log.reopen(), { name: 'LogFault', message: told }, 'nor again')
    t.equal(
      existsSync(log.copyPath) && readFileSync(log.copyPath, 'utf8'),
      copy,
      'nothing is signed'
    )
  })
}

t.test('no start with an older database that was put back', async t => {
  const log = await signedLog(t)
  const backup = `${log.databasePath}.backup`
  const database = new Sqlite(log.databasePath)
  await database.backup(backup)
  database.close()
  await append(log.data, 10)
  const { tree } = await log.reopen()
  t.equal((await tree.settle()).size, EVENTS + 10)
  await tree.close()
  await log.data.database.close()

  for (const end of ['', '-wal', '-shm']) rmSync(log.databasePath + end, { force: true })
  copyFileSync(backup, log.databasePath)
  await t.rejects(log.reopen(), /has 300 events in its tree, and a checkpoint was signed for 310/)

  // Nor once the older database has grown past the checkpoint with other events.
  const other = openSqlite(log.databasePath)
  t.teardown(() => other.close())
  await append({ database: other, audit: log.data.audit }, 20)
  const elsewhere = `${log.copyPath}-elsewhere`
  const keys = await openLogKeys(log.keysPath)
  const parts = { audit: log.data.audit, keys, clock: log.data.clock, onFailure: () => {} }
  const fork = await openLogTree({ ...parts, database: other, copyPath: elsewhere })
  await fork.close()
  await t.rejects(log.reopen(), /The first 310 events of the access log are not those signed/)
})

t.test('a start goes on from whatever a crash can leave', async t => {
  const log = await signedLog(t)
  const older = readFileSync(log.copyPath, 'utf8')
  const grow = async (size: number, what: string) => {
    const { tree, database } = await log.reopen()
    await tree.settle()
    t.comment(what)
    await assertTree(t, database, tree, size)
    await tree.close()
    t.equal(readFileSync(log.copyPath, 'utf8'), tree.checkpoint()?.note, 'the copy is renewed')
  }
  await append(log.data, 7)
  await grow(EVENTS + 7, 'events that are not in the tree yet')

  writeFileSync(log.copyPath, older)
  await append(log.data, 1)
  await grow(EVENTS + 8, 'killed between the checkpoint and its copy')

  rmSync(log.copyPath)
  await append(log.data, 1)
  await grow(EVENTS + 9, 'no copy')

  const unfinished = `${log.copyPath}.0123456789abcdef.tmp`
  writeFileSync(unfinished, older.slice(0, 20))
  await append(log.data, 1)
  await grow(EVENTS + 10, 'killed while the copy was written')
  t.notOk(existsSync(unfinished), 'what was left of it is removed')
})

t.test('the process ends and says what to do', async t => {
  const service = await startRealService(t)
  t.equal(await service.stop(), 0)
  const paths = dataPaths(service.config.dataDirectory)
  const size = await service.look(({ database }) => treeSize(database.read))
  const leaves = await service.look(({ database }) => leavesOf(t, database))
  const vkeys = (await openLogKeys(paths.logKeys)).keys.map(({ vkey }) => vkey)
  const signed = opened(readFileSync(paths.checkpoint, 'utf8'), vkeys)
  t.match(signed, { size: leaves.length, root: rootOf(leaves) }, 'a stop signs the last event')
  tamper(paths.database, `DELETE FROM audit_events WHERE idx = ${size - 1}`)

  const child = spawnService({ CONSILIUM_DATA: paths.directory, CONSILIUM_PORT: '0' })
  let told = ''
  child.stderr?.on('data', text => {
    told += text
  })
  const code = await new Promise(resolve => child.once('exit', resolve))
  t.equal(code, 1)
  t.match(
    told,
    /Consilium cannot start:\n {2}- The access log has \d+ events, and its tree has \d+/
  )
  t.match(told, /An older database was put back, or somebody changed it: see docs\/audit-log\.md/)
  t.notMatch(told, /\n\s+at /, 'without a stack')
})
