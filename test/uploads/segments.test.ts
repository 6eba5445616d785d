import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { asc, eq } from '../../schemas/drizzle.ts'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { dataPaths } from '../../src/open-data.ts'
import { assertFaults } from '../faults/soundness.ts'
import { createCase, isSound, numberedText, sha256, startExchange } from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { runScript } from '../scripts/run-script.ts'
import { beginDraft, beginUpload, complete, sendInPieces } from './tus.ts'

const FILE = numberedText(4_000_000).bytes
/** Each more than a small segment, so that four are left. */
const PIECES = [1_100_000, 1_100_000, 1_100_000, 700_000]

/** One service for all tests of this file, and in it two records of one object in four segments each. */
const x = await startExchange(t)
const clinician = x.client('clinician')
const { id: caseId } = await createCase(clinician)
const [one, two] = [await makeRecord(), await makeRecord()]
const [blobs, others] = [await blobsOf(one.object), await blobsOf(two.object)]

async function makeRecord() {
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, FILE.length, { draft })
  await sendInPieces(clinician, path, FILE, PIECES)
  const { objects } = await complete(clinician, draft)
  return { record: draft, object: String(objects[0]?.id) }
}

async function blobsOf(object: string): Promise<string[]> {
  const { objectSegments } = x.exchange.database.read.tables
  const rows = await x.exchange.database.read
    .select()
    .from(objectSegments)
    .where(eq(objectSegments.objectId, object))
    .orderBy(asc(objectSegments.place))
  return rows.map(({ blob }) => join(dataPaths(x.directory).blobs, 'blobs', blob.slice(0, 2), blob))
}

t.test('a segment that is not the right one gives out no byte of its own', async t => {
  const [first = '', second = '', third = '', last = ''] = blobs
  const content = `/v1/records/${one.record}/content`
  const keep = join(t.testdir(), 'keep')
  const damages: [string, file: string, () => void][] = [
    ['cut short', second, () => truncateSync(second, 500_000)],
    ['without its last chunk', second, () => truncateSync(second, 56 + 16_400 * 60 + 100)],
    ['missing', second, () => rmSync(second)],
    ['empty', second, () => truncateSync(second, 0)],
    ['the one before it', second, () => copyFileSync(first, second)],
    ['the one after it', second, () => copyFileSync(third, second)],
    ['of another object, at the same place', second, () => copyFileSync(others[1] ?? '', second)],
    ['damaged in its salt', second, () => flip(second, 3)],
    ['damaged in its first chunk', second, () => flip(second, 100)],
    ['of an earlier time', last, () => copyFileSync(others[3] ?? '', last)]
  ]
  for (const [what, file, damage] of damages) {
    copyFileSync(file, keep)
    damage()
    const before = PIECES.slice(0, blobs.indexOf(file)).reduce((sum, bytes) => sum + bytes, 0)
    const at = await clinician.send('GET', content, undefined, { range: `bytes=${before}-` })
    t.match(at, { status: 500, json: { code: 'object-damaged' } }, `${what}: from its first byte`)
    const call = await x.raw('clinician', `GET ${content}`)
    const head = await call.head()
    const body = await call.rest()
    t.equal(head.headers['content-length'], String(FILE.length))
    t.ok(body.equals(FILE.subarray(0, body.length)), `${what}: no wrong byte`)
    t.ok(body.length <= before, `${what}: ${body.length} bytes, none of the segment`)
    const right = await clinician.send('GET', content, undefined, { range: 'bytes=0-99' })
    t.equal(right.status, 206, `${what}: others are as they were`)
    renameSync(keep, file)
  }
  await isSound(t, x, 'and whole again')
})

t.test('the checker finds what is wrong with segments and their rows', async t => {
  const [first = '', second = ''] = blobs
  renameSync(first, `${first}.x`)
  renameSync(second, first)
  renameSync(`${first}.x`, second)
  const faults = await checkExchange(x.exchange)
  assertFaults(t, faults, [new RegExp(`^Object ${one.object}: sealed-`)])
  t.notMatch(faults.join(), two.object)
  renameSync(first, `${first}.x`)
  renameSync(second, first)
  renameSync(`${first}.x`, second)
  const intruder = await intrude(t, x.config)
  await intruder.run(`UPDATE object_segments SET bytes = bytes + 1 WHERE place = 2`)
  assertFaults(t, await checkExchange(x.exchange), [
    new RegExp(`^Object ${one.object}: Error: its segments are not those`),
    new RegExp(`^Object ${two.object}: Error: its segments are not those`)
  ])
  await intruder.run(`UPDATE object_segments SET bytes = bytes - 1 WHERE place = 2`)
  await isSound(t, x, 'and whole again')
})

t.test('an object in segments opens without the service and its database', async t => {
  const { records, objects } = x.exchange.database.read.tables
  const { read } = x.exchange.database
  const [record] = await read.select().from(records).where(eq(records.id, one.record))
  const [object] = await read.select().from(objects).where(eq(objects.id, one.object))
  if (!record || !object?.layoutSealed) throw new Error('Nothing is stored.')
  const layout = join(t.testdir(), 'layout')
  writeFileSync(layout, `${object.layoutSealed.toString('hex')}\n`)
  const paths = dataPaths(x.directory)
  const options: Record<string, string> = {
    layout,
    blobs: join(paths.blobs, 'blobs'),
    keyring: paths.keyring,
    'wrapped-key': record.wrappedKey.toString('hex'),
    organisation: x.people.clinician.organisationId,
    record: one.record,
    object: one.object
  }
  const run = (out: string, change: Record<string, string> = {}) =>
    runScript(
      'open-object',
      {},
      ...Object.entries({ ...options, out, ...change }).flatMap(([k, v]) => [`--${k}`, v])
    )
  const out = join(t.testdirName, 'out')
  t.match(await run(out), { exit: 0, out: `${sha256(FILE)}  ${out}` })
  t.ok(readFileSync(out).equals(FILE))
  t.match(await run(`${out}2`, { object: one.record }), { exit: 1 }, 'as another object')
  t.match(await run(`${out}2`, { blob: blobs[0] ?? '' }), { exit: 2 }, 'both ways at once')
  const page = readFileSync(new URL('../../docs/sealed-object.md', import.meta.url), 'utf8')
  const script = join(t.testdirName, 'open-sealed.mjs')
  writeFileSync(script, /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '')
  const { organisation = '', keyring = '', blobs: at = '' } = options
  const wrapped = record.wrappedKey.toString('hex')
  const ids = [organisation, one.record, one.object]
  const plain = execFileSync(
    process.execPath,
    [script, keyring, wrapped, ...ids, at, object.layoutSealed.toString('hex')],
    { maxBuffer: 2 * FILE.length }
  )
  t.ok(plain.equals(FILE), 'and by the script of the page')
  truncateSync(blobs[3] ?? '', 1000)
  t.match(await run(`${out}2`), { exit: 1 })
  t.notOk(existsSync(`${out}2`), 'nothing that could be taken for the whole')
})

t.test('rows of segments that are changed change nothing that is read', async t => {
  await (await intrude(t, x.config)).run(
    `UPDATE object_segments SET place = place + 10 WHERE object_id = '${two.object}'`
  )
  const content = await clinician.send('GET', `/v1/records/${two.record}/content`)
  t.ok(content.bytes.equals(FILE))
  const intruder = await intrude(t, x.config)
  await intruder.passTriggers()
  await intruder.run(
    `UPDATE objects SET layout_sealed = (SELECT layout_sealed FROM objects WHERE id = '${one.object}') WHERE id = '${two.object}'`
  )
  await intruder.restoreTriggers()
  const swapped = await clinician.send('GET', `/v1/records/${two.record}/content`)
  t.match(swapped, { status: 500, json: { code: 'object-damaged' } }, 'a layout of another object')
})

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = Number(bytes[at]) ^ 1
  writeFileSync(file, bytes)
}
