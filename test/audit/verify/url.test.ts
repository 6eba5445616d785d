import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { type Leaf, leafBytes } from '../../../src/audit/entry.ts'
import type { Known } from '../../../src/audit/verify/directory.ts'
import { tellFindings } from '../../../src/audit/verify/findings.ts'
import { verifyUrl } from '../../../src/audit/verify/url.ts'
import { dataPaths } from '../../../src/open-data.ts'
import { assertFaults } from '../../faults/soundness.ts'
import { startExchange } from '../../helpers/exchange.ts'
import { serveFiles } from '../../peers/static-log.ts'
import { liveliness } from '../scene.ts'
import { makeLeaf, publishedLog } from './leaf-log.ts'
import { editLeaf } from './stage.ts'

const BEGAN = Date.parse('2026-11-22T08:00:00Z')

async function verify(url: string, known: Partial<Known> = {}) {
  const faults: string[] = []
  const notices: string[] = []
  const findings = tellFindings({
    fault: sentence => void faults.push(sentence),
    notice: sentence => void notices.push(sentence)
  })
  const all = { vkeys: [], older: [], ...known }
  const summary = await verifyUrl(url, all, findings, () => {})
  return { faults, notices, summary }
}

t.test('a running service is verified through what it publishes', async t => {
  const exchange = await startExchange(t)
  const { database, audit, tree } = exchange.exchange
  await database.write(async tx => {
    for (let n = 0; n < 300; n += 1) {
      await audit.append(tx, { action: 'case.list', outcome: 'success', details: { n } })
    }
  })
  const { note: older } = await tree.settle()
  await liveliness(exchange)
  const { size } = await tree.settle()
  const vkey = tree.keys.keys[0]?.vkey ?? ''
  const known = { vkeys: [vkey], older: [{ name: 'Mine', note: older }] }
  const clean = await verify(exchange.url, known)
  t.match(clean, { faults: [], notices: [], summary: { events: size, signed: { size } } })
  t.match(await verify(`${exchange.url}/v1/audit/`), {
    faults: [],
    notices: [`Key taken from the server: compare it with the one you were given: ${vkey}`]
  })

  // The database is changed under it.
  const raw = new Sqlite(dataPaths(exchange.directory).database)
  t.teardown(() => raw.close())
  raw.exec('DROP TRIGGER audit_events_no_update; DROP TRIGGER audit_events_no_delete')
  editLeaf(raw, 100, { outcome: 'refused' })
  assertFaults(t, (await verify(exchange.url, known)).faults, [
    /^Event 100: its leaf is not the one in the tree/,
    /^The checkpoint served: the first \d+ events are not those that were signed; the tiles are/,
    /^Mine: the first 336 events are not those that were signed; the tiles are/
  ])
})

t.test('a service that bounds its readers is waited for', async t => {
  const limits = { logRequestsPerSecondMax: 3, logRequestsBurstMax: 1 }
  const exchange = await startExchange(t, { limits })
  await exchange.exchange.tree.settle()
  t.same((await verify(exchange.url)).faults, [])
})

t.test('a disclosure that is under way is no fault', async t => {
  const exchange = await startExchange(t)
  const open = await exchange.exchange.disclosures.grant(async () => ({
    action: 'content.read',
    outcome: 'granted',
    details: {}
  }))
  await exchange.exchange.tree.settle()
  const { faults, notices } = await verify(exchange.url)
  t.same(faults, [])
  t.match(notices[1], /^Event \d+: what it grants is still under way\.$/)
  await open.complete('complete', 0)
})

t.test('what is served wrongly is named, and what cannot be read is said', async t => {
  const log = servedLeaves(600)
  const url = await serveFiles(t, log.files)
  const known = { vkeys: [log.vkey] }
  t.match(await verify(url, known), { faults: [], summary: { events: 600 } })

  const files = new Map(log.files)
  const withFile = async (t: Test, path: string, content: Buffer | undefined, told: RegExp[]) => {
    if (content === undefined) log.files.delete(path)
    else log.files.set(path, content)
    assertFaults(t, (await verify(url, known)).faults, told)
    log.files.set(path, files.get(path) ?? Buffer.alloc(0))
  }
  const tile = files.get('tile/0/001') ?? Buffer.alloc(0)
  const bundle = files.get('tile/entries/001') ?? Buffer.alloc(0)
  await withFile(t, 'tile/0/001', undefined, [/^Tile 1 of level 0 is missing\.$/])
  await withFile(t, 'tile/0/001', tile.subarray(32), [
    /^Tile 1 of level 0 has not the 256 hashes/,
    /^Event (25[6-9]|2[6-9].|[3-9]..): its leaf is not the one in the tree/
  ])
  await withFile(t, 'tile/1/000.p/2', Buffer.alloc(64), [
    /^Tile 0 of level 1: hash [01] is not that of tile [01] of level 0\.$/
  ])
  await withFile(t, 'tile/entries/001', undefined, [/^Events 256 to 511 are missing\.$/])
  await withFile(t, 'tile/entries/001', bundle.subarray(0, -1), [
    /^The bundle from event 256 on: A bundle does not consist/,
    /^The bundle from event 256 on has not 256 events\.$/,
    /^Events 256 to 511 are missing\.$/
  ])
  await withFile(t, 'checkpoint', Buffer.from('none'), [/^The checkpoint served: /])

  const other = log.sign({ origin: 'another.example/audit', size: 600, root: Buffer.alloc(32) })
  await withFile(t, 'checkpoint', other, [/^The checkpoint served: .* is that of another log\.$/])

  log.files.delete('checkpoint')
  await t.rejects(verify(url, known), /no checkpoint at this address/)
  log.files.set('checkpoint', Buffer.alloc(600_000, 'x'))
  await t.rejects(verify(url, known), /checkpoint: the answer is too long/)
  await t.rejects(verify(url), /no verifier key: give --key/, 'it publishes none')
  await t.rejects(verify('ftp://127.0.0.1/'), /no http or https address/)
  await t.rejects(verify('http://127.0.0.1:1/', known), /checkpoint: no answer/)
})

t.test('a log that is signed and not served has an end', async t => {
  const log = servedLeaves(1)
  log.files.set('checkpoint', log.sign({ size: 1e9, root: Buffer.alloc(32) }))
  const url = await serveFiles(t, log.files)
  await t.rejects(verify(url, { vkeys: [log.vkey] }), /Entries up to 4096 are not served/)
})

t.test('leaves are read strictly, and must tell one story', async t => {
  const share = uuidv7()
  const granted = makeLeaf(BEGAN, { action: 'content.read', outcome: 'granted', share, n: 1 })
  const completes = { action: 'content.read', outcome: 'complete', grant: granted.id, bytes: 1 }
  const text = (change: (leaf: string) => string) =>
    Buffer.from(change(leafBytes(makeLeaf(BEGAN)).toString()))
  const leaves: [leaf: Leaf | Buffer, told: RegExp | undefined][] = [
    [granted, undefined],
    [makeLeaf(BEGAN, { ...completes, share, n: 2 }), undefined],
    [makeLeaf(BEGAN, { ...completes, share, n: 3 }), /: it completes .* is complete already\.$/],
    [makeLeaf(BEGAN, { share, n: 6 }), /: before it, number 4 to 5 of share .* is missing\.$/],
    [makeLeaf(BEGAN, { share, n: 6 }), /: number 6 of share .* comes again after 6\.$/],
    [makeLeaf(BEGAN, { share, n: 2 }), /: number 2 of share .* comes again after 6\.$/],
    [makeLeaf(BEGAN, { share }), /: its leaf has a share or its number, not both\.$/],
    [makeLeaf(BEGAN, { n: 1 }), /: its leaf has a share or its number, not both\.$/],
    [makeLeaf(BEGAN, { share, n: 0.5 }), /: its leaf has no number for its share\.$/],
    [makeLeaf(BEGAN, { share: 'x', n: 1 }), /: its leaf names a share by what is no id\.$/],
    [makeLeaf(BEGAN, { grant: 'x' }), /: its leaf completes what is no id\.$/],
    [
      makeLeaf(BEGAN, { ...completes, outcome: 'granted' }),
      /: its leaf both grants and completes\.$/
    ],
    [makeLeaf(BEGAN, { bytes: -1 }), /: its leaf has no number for its bytes\.$/],
    [makeLeaf(BEGAN, { d: 'AAAA' }), /: its leaf has no commitment to details\.$/],
    [makeLeaf(BEGAN, { id: uuidv7({ msecs: BEGAN + 1 }) }), /has another time than its id\.$/],
    [makeLeaf(BEGAN, { id: 'x' }), /: its leaf has no id\.$/],
    [makeLeaf(BEGAN, { at: '2026-11-22T08:00:00Z' }), /: its leaf has no time\.$/],
    [makeLeaf(BEGAN, { action: 'Case' }), /: its leaf names no action\.$/],
    [makeLeaf(BEGAN, { outcome: '' }), /: its leaf names no outcome\.$/],
    [
      text(leaf => leaf.replace(/"d":"[^"]+"/, '"d":5')),
      /: its leaf has no commitment to details\.$/
    ],
    [text(leaf => leaf.replace(/"at":"[^"]+"/, '"at":5')), /: its leaf has no time\.$/],
    [text(leaf => leaf.replace('"v":1', '"v":2')), /: its leaf is of an unknown version\.$/],
    [text(leaf => leaf.replace('"v":1', '"v":1,"w":1')), /: its leaf is not in canonical form/],
    [text(leaf => leaf.replace(':', ': ')), /: its leaf is not in canonical form/],
    [text(leaf => leaf.replace('{', '{"v":1,')), /: its leaf is not in canonical form/],
    [text(() => 'null'), /: its leaf is not an object\.$/],
    [text(leaf => leaf.slice(1)), /: its leaf is not JSON\.$/],
    [Buffer.alloc(1024, ' '), /: its leaf is not JSON\.$/]
  ]
  const log = publishedLog(leaves.map(([leaf]) => leaf))
  const { faults } = await verify(await serveFiles(t, log.files), { vkeys: [log.vkey] })
  for (const [index, [, told]] of leaves.entries()) {
    const ofEvent = faults.filter(text => text.startsWith(`Event ${index}:`))
    if (told === undefined) t.same(ofEvent, [])
    else t.match(ofEvent, [told], `event ${index}`)
  }
})

t.test('a disclosure of one share is not completed for another', async t => {
  const one = { share: uuidv7(), n: 1 }
  const granted = makeLeaf(BEGAN, { outcome: 'granted', ...one })
  const other = { share: uuidv7(), n: 1 }
  const log = publishedLog([
    granted,
    makeLeaf(BEGAN, { outcome: 'complete', grant: granted.id, ...other })
  ])
  const { faults } = await verify(await serveFiles(t, log.files), { vkeys: [log.vkey] })
  t.same(faults, ['Event 1: it completes event 0 of another share.'])
})

/** A log of quiet events. */
function servedLeaves(size: number) {
  return publishedLog(Array.from({ length: size }, (_, n) => makeLeaf(BEGAN + n)))
}
