import { createHash } from 'node:crypto'
import t from 'tap'
import { createSealPool } from '../../src/sealing/seal-pool.ts'
import { SEGMENT_BYTES } from '../../src/uploads/arrival.ts'
import { assertSound } from '../faults/soundness.ts'
import {
  createCase,
  numberedText,
  sha256,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import {
  beginDraft,
  beginUpload,
  complete,
  metadata,
  readDraft,
  sendInPieces,
  sendPatch,
  TUS
} from './tus.ts'

// Requests that overtake each other at the one place where it matters.

const x: TestExchange = await startExchange(t)
const clinician = x.client('clinician')
const { id: caseId } = await createCase(clinician)
const newDraft = async () => (await beginDraft(clinician, caseId)).id
const FILE = numberedText(1_300_000).bytes
/** The first has two segments, because what came first is too much to be sealed anew. */
const CUT = 1_200_000
const FIRST = 1_100_000

const beginPart = (draft: string, bytes: number) =>
  beginUpload(clinician, bytes, { draft }, { 'upload-concat': 'partial' })

const join = (draft: string, parts: string[]) =>
  clinician.send('POST', '/v1/uploads', undefined, {
    ...TUS,
    'upload-concat': `final;${parts.join(' ')}`,
    'upload-metadata': metadata({ draft, filename: 'numbers.txt', filetype: 'text/plain' })
  })

async function draftRow(id: string) {
  const { read } = x.exchange.database
  const rows = await read.select().from(read.tables.drafts)
  return rows.find(row => row.id === id)
}

t.test('parts are joined as they are then, and not as they were when it was asked', async t => {
  const draft = await newDraft()
  const [one, two] = [await beginPart(draft, CUT), await beginPart(draft, FILE.length - CUT)]
  await sendPatch(clinician, one, 0, FILE.subarray(0, FIRST))
  await sendInPieces(clinician, two, FILE.subarray(CUT), [FILE.length])
  // The key is asked for once the parts were looked at. Meanwhile the rest of the first comes.
  const { keyring } = x.exchange
  const unwrap = keyring.unwrap.bind(keyring)
  keyring.unwrap = async (...asked) => {
    keyring.unwrap = unwrap
    t.equal((await sendPatch(clinician, one, FIRST, FILE.subarray(FIRST, CUT))).status, 204)
    return unwrap(...asked)
  }
  t.equal((await join(draft, [one, two])).status, 201)
  t.match((await readDraft(clinician, draft)).uploads, [
    { state: 'stored', sha256: sha256(FILE), bytes: FILE.length }
  ])
  await assertSound(t, x, [])
  const { objects } = await complete(clinician, draft)
  t.equal(objects[0]?.sha256, sha256(FILE))
})

t.test('a part that is joined while it is ended does not give its room back twice', async t => {
  const draft = await newDraft()
  const [one, two] = [await beginPart(draft, CUT), await beginPart(draft, FILE.length - CUT)]
  await sendInPieces(clinician, one, FILE.subarray(0, CUT), [CUT])
  await sendInPieces(clinician, two, FILE.subarray(CUT), [FILE.length])
  const { database } = x.exchange
  const { write, takePlace } = { ...database }
  // Between its look at the part and its transaction.
  database.takePlace = (...asked) => {
    database.takePlace = takePlace
    database.write = async work => {
      database.write = write
      t.equal((await join(draft, [one, two])).status, 201)
      return write(work)
    }
    return takePlace(...asked)
  }
  const { status } = await clinician.send('DELETE', one, undefined, TUS)
  t.ok([204, 423].includes(status), `${status}`)
  t.match(await draftRow(draft), { files: 1, bytes: FILE.length })
  const { objects } = await complete(clinician, draft)
  t.equal(objects[0]?.sha256, sha256(FILE))
  await assertSound(t, x, [])
})

t.test('a digest does not run on from bytes that another process took anew', async t => {
  const bytes = numberedText(SEGMENT_BYTES + 1000).bytes
  const whole = bytes.subarray(0, SEGMENT_BYTES)
  const draft = await newDraft()
  const path = await beginUpload(clinician, bytes.length, { draft })
  const sum = createHash('sha1').update(whole).digest('base64')
  // They just fill a segment, whose digest is known before they are held against their checksum.
  const damaged = Buffer.from(whole).fill('x', 5_000_000, 5_000_001)
  const checksum = { 'upload-checksum': `sha1 ${sum}` }
  t.equal((await sendPatch(clinician, path, 0, damaged, checksum)).status, 460)
  const { exchange } = x
  const { sealPool } = exchange
  const ofAnother = createSealPool()
  t.teardown(() => ofAnother.close())
  Object.assign(exchange, { sealPool: ofAnother })
  t.equal((await sendPatch(clinician, path, 0, whole, checksum)).status, 204)
  Object.assign(exchange, { sealPool })
  t.equal((await sendPatch(clinician, path, whole.length, bytes.subarray(-1000))).status, 204)
  t.match((await readDraft(clinician, draft)).uploads, [{ sha256: sha256(bytes) }])
  await complete(clinician, draft)
  await assertSound(t, x, [])
})
