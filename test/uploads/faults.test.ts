import t from 'tap'
import type { Database } from '../../src/database/database.ts'
import { Refusal } from '../../src/errors.ts'
import { removeOrphans } from '../../src/housekeeping/clean-up.ts'
import { sweepUploads } from '../../src/uploads/sweep.ts'
import { assertSound, blobFiles } from '../faults/soundness.ts'
import {
  createCase,
  numberedText,
  sha256,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { faultyActs, faultyBlobs, faultyEnds } from '../helpers/faulty-blobs.ts'
import { beginDraft, beginUpload, complete, offsetOf, sendPatch, TUS } from './tus.ts'

/** One service for all tests of this file; each has a case of its own, and leaves it as it was. */
const x: TestExchange = await startExchange(t)
const FILE = numberedText(1_400_000).bytes
/** The second takes in the first, the third begins a segment of its own. */
const PIECES = [1000, 1_100_000, 298_990, 10]

/**
 * Sends the file as a client does: after a failure it asks where the upload goes on. Resolves to the
 * record, and says how often something failed.
 */
async function story(caseId: string, fault: () => () => void) {
  const clinician = x.client('clinician')
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, FILE.length, { draft })
  const mend = fault()
  let failures = 0
  let told = 0
  const lost: string[] = []
  for (let at = 0; at < FILE.length; ) {
    const end = PIECES.reduce(
      ({ sum, end }, bytes) => (sum <= at ? { sum: sum + bytes, end: sum + bytes } : { sum, end }),
      { sum: 0, end: 0 }
    ).end
    const answer = await sendPatch(clinician, path, at, FILE.subarray(at, end))
    if (answer.status === 204) at = told = Number(answer.headers.get('upload-offset'))
    else {
      failures += 1
      mend()
      at = await offsetOf(clinician, path)
      if (at < told) lost.push(`told ${told}, left ${at}`)
    }
  }
  mend()
  const { objects } = await complete(clinician, draft)
  return { failures, lost, sha256: objects[0]?.sha256 }
}

t.test('every act of the blob store that fails loses nothing that was told', async t => {
  const { id: caseId } = await createCase(x.client('clinician'))
  const { blobs } = x.exchange
  const real = { ...blobs }
  const use = (other: Partial<typeof blobs>) => void Object.assign(blobs, other)
  const counting = faultyBlobs(real)
  await story(caseId, () => {
    use(counting)
    return () => use(real)
  })
  const calls = counting.calls()
  t.strictSame(calls, { create: 4, write: 5, commit: 4, sync: 4 })
  for (const act of faultyActs) {
    for (const end of faultyEnds) {
      for (let nth = 1; nth <= calls[act]; nth += 1) {
        const faulty = faultyBlobs(real, { act, nth, end })
        const told = await story(caseId, () => {
          use(faulty)
          return () => use(real)
        })
        const label = `${act} ${nth} ${end}`
        t.strictSame([told.lost, told.sha256, told.failures], [[], sha256(FILE), 1], label)
      }
    }
  }
  await settle()
  await assertSound(t, x, ['0001399995'])
})

t.test('every transaction that fails loses nothing that was told', async t => {
  const { id: caseId } = await createCase(x.client('clinician'))
  const { database } = x.exchange
  const real = database.write.bind(database)
  const use = (write: Database['write']) => void Object.assign(database, { write })
  let writes = 0
  await story(caseId, () => {
    use(work => {
      writes += 1
      return real(work)
    })
    return () => use(real)
  })
  t.ok(writes >= PIECES.length, `${writes} transactions`)
  let failures = 0
  for (const end of faultyEnds) {
    for (let nth = 1; nth <= writes; nth += 1) {
      let count = 0
      const told = await story(caseId, () => {
        use(async work => {
          count += 1
          if (count !== nth) return real(work)
          if (end === 'failed but stored') await real(work)
          throw new Refusal('storage-unavailable', 'fault test')
        })
        return () => use(real)
      })
      t.strictSame([told.lost, told.sha256], [[], sha256(FILE)], `${nth} ${end}`)
      failures += told.failures
    }
  }
  // The log signs its heads by transactions of its own, which no client hears of: more on a busy machine.
  t.ok(failures >= PIECES.length, `${failures} failures were told to the client`)
  await settle()
  await assertSound(t, x, ['0001399995'])
})

t.test('an upload whose end was stored unseen is finished by completing its draft', async t => {
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  const path = await beginUpload(clinician, FILE.length, { draft })
  await sendPatch(clinician, path, 0, FILE.subarray(0, 1_200_000))
  // The worker that had the digest is gone, and reading back fails the first time.
  await x.restart()
  const { open } = x.exchange.blobs
  x.exchange.blobs.open = async () => {
    throw new Refusal('storage-unavailable', 'fault test')
  }
  t.equal((await sendPatch(clinician, path, 1_200_000, FILE.subarray(1_200_000))).status, 503)
  x.exchange.blobs.open = open
  t.equal(await offsetOf(clinician, path), FILE.length, 'all of it is there')
  t.match(await complete(clinician, draft), { objects: [{ sha256: sha256(FILE) }] })
  t.match(await clinician.send('HEAD', path, undefined, TUS), { status: 404 })
})

t.test('a file that proves false only when its draft is completed is left out', async t => {
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id: draft } = await beginDraft(clinician, caseId)
  // Given: a good file, and one that is not what its sender says, all of which has come.
  const good = await beginUpload(clinician, FILE.length, { draft, filename: 'good.txt' })
  await sendPatch(clinician, good, 0, FILE)
  const named = { draft, filename: 'other.txt', sha256: sha256(Buffer.from('another')) }
  const other = await beginUpload(clinician, FILE.length, named)
  await sendPatch(clinician, other, 0, FILE.subarray(0, 1_200_000))
  // And a process that ended before it could tell.
  await x.restart()
  const { open } = x.exchange.blobs
  x.exchange.blobs.open = async () => {
    throw new Refusal('storage-unavailable', 'fault test')
  }
  t.equal((await sendPatch(clinician, other, 1_200_000, FILE.subarray(1_200_000))).status, 503)
  x.exchange.blobs.open = open
  // When the draft is completed, then the record is made of the good one, and tells of the other.
  t.match(await complete(clinician, draft), {
    objects: [{ fileName: 'good.txt', sha256: sha256(FILE) }],
    refused: [{ fileName: 'other.txt', code: 'digest-mismatch' }]
  })
})

/** What housekeeping does after the next start. */
async function settle(): Promise<void> {
  await x.restart()
  await x.exchange.blobs.sweepUnfinished(true)
  await sweepUploads(x.exchange, () => true)
  await removeOrphans(x.exchange, Date.now() + 60_000)
  if (blobFiles(x.directory).length === 0) throw new Error('Nothing is left.')
}
