import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { ErasureReceipt, ErasureView } from '../../schemas/retention.ts'
import { BlobError, type Blobs } from '../../src/blobs/blobs.ts'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { removeDueFiles } from '../../src/retention/remove-files.ts'
import { startRealService } from '../faults/real-service.ts'
import { assertSoundAtRest } from '../faults/soundness.ts'
import {
  createCase,
  isSound,
  numberedText,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { blobNames, erase, goOn, newCase, ORDER } from './stage.ts'

const FILES = [10, 20, 30].map(bytes => numberedText(bytes, `${bytes}.txt`))
const ROUNDS = 3

/** A store that fails at the n-th removal and from then on, until it is mended. */
function failingRemovals() {
  const state = { passes: Number.POSITIVE_INFINITY }
  const wrapBlobs = (inner: Blobs): Blobs => ({
    ...inner,
    async remove(name) {
      if (state.passes <= 0) throw new BlobError('blob-store-failed', 'Fault test: not removed.')
      state.passes -= 1
      return await inner.remove(name)
    }
  })
  return { state, wrapBlobs }
}

t.test('a store that fails at any file: the keys are gone, the files follow', async t => {
  const { state, wrapBlobs } = failingRemovals()
  const x = await startExchange(t, { wrapBlobs })
  const clinician = x.client('clinician')
  for (let passes = 0; passes < FILES.length; passes += 1) {
    const { id, recordId } = await newCase(x, FILES)
    state.passes = passes
    const erasure = await erase(x, id)
    t.match(erasure.files, { state: 'removing' }, `after ${passes} files`)
    t.equal((await clinician.send('GET', `/v1/records/${recordId}`)).status, 410)
    t.equal((await blobNames(x)).length, FILES.length - passes)
    t.match(await checkExchange(x.exchange), [
      `Erasure ${erasure.id}: Error: some of its files are still to be removed.`
    ])
    await t.rejects(removeDueFiles(x.exchange, goOn), { code: 'blob-store-failed' })
    state.passes = Number.POSITIVE_INFINITY
    t.equal(await removeDueFiles(x.exchange, goOn), 1)
    t.same(await blobNames(x), [])
    const path = `/v1/erasures/${erasure.id}`
    const { erasure: now } = await clinician.json<ErasureReceipt>('GET', path)
    t.match(now.files, { state: 'removed', at: String })
    await isSound(t, x)
    t.equal(await removeDueFiles(x.exchange, goOn), 0, 'once')
  }
  t.equal((await x.auditEvents({ action: 'erasure.files' })).length, FILES.length)
})

t.test('a store that keeps something is asked again, and the receipt says so', async t => {
  let keeps = true
  const x = await startExchange(t, {
    wrapBlobs: inner => ({
      ...inner,
      remove: async name => (keeps ? 'kept' : await inner.remove(name))
    })
  })
  const { id } = await newCase(x, FILES)
  const erasure = await erase(x, id)
  t.match(erasure.files, { state: 'kept-by-store', kept: 3 })
  t.equal(await removeDueFiles(x.exchange, goOn), 0, 'not at once')
  x.clock.advance(25 * 3_600_000)
  t.equal(await removeDueFiles(x.exchange, goOn), 1)
  await isSound(t, x)
  x.clock.advance(25 * 3_600_000)
  keeps = false
  t.equal(await removeDueFiles(x.exchange, goOn), 1)
  const { erasure: now } = await x
    .client('auditor')
    .json<ErasureReceipt>('GET', `/v1/erasures/${erasure.id}`)
  t.match(now.files, { state: 'removed', kept: 0 })
  t.match(await x.auditEvents({ action: 'erasure.files' }), [
    { details: { kept: 3 } },
    { details: { kept: 0 } }
  ])
  t.same(await blobNames(x), [])
})

t.test('a transaction that fails leaves everything as it was', async t => {
  const x = await startExchange(t)
  const { id, recordId } = await newCase(x, FILES)
  const { audit } = x.exchange
  const { append } = audit
  audit.append = async (tx, event) => {
    if (event.action === 'case.erase') throw new Error('Fault test: no event.')
    return await append(tx, event)
  }
  const answer = await x.client('administrator').send('POST', `/v1/cases/${id}/erasure`, ORDER)
  t.equal(answer.status, 503)
  audit.append = append
  t.equal((await x.client('clinician').send('GET', `/v1/records/${recordId}/content`)).status, 200)
  await isSound(t, x)
  t.match(await erase(x, id), { files: { state: 'removed' } })
})

t.test('killed at any moment, it is done or it is not, and can be repeated', async t => {
  const service = await startRealService(t)
  const clinician = service.client('clinician')
  for (let round = 0; round < ROUNDS; round += 1) {
    const made = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const { id } = await createCase(clinician)
        const record = await uploadRecord(clinician, id, { files: FILES })
        return { id, recordId: record.id }
      })
    )
    const order = (id: string) =>
      service.client('administrator').send('POST', `/v1/cases/${id}/erasure`, ORDER)
    await service.client('administrator').token()
    const acknowledged = new Map<string, ErasureView>()
    const ordered = made.map(({ id }) =>
      order(id).then(
        ({ status, json }) => {
          if (status === 201) acknowledged.set(id, json as unknown as ErasureView)
        },
        () => {}
      )
    )
    await sleep(Math.random() * 250)
    await service.kill()
    await Promise.all(ordered)
    await service.start()
    let done = 0
    for (const { id, recordId } of made) {
      const { status } = await clinician.send('GET', `/v1/records/${recordId}/content`)
      if (acknowledged.has(id)) t.equal(status, 410, 'what was acknowledged is done')
      else t.ok([200, 410].includes(status), 'what was not is done or not')
      const again = await order(id)
      t.equal(again.status, status === 410 ? 410 : 201, 'and what was not done is done again')
      if (status === 410) done += 1
    }
    t.comment(`round ${round}: ${acknowledged.size} acknowledged, ${done} done`)
  }
  // The first round of housekeeping after the start sees to the files that were left.
  for (let tries = 0; tries < 200; tries += 1) {
    const left = await service.look(async ({ database }) => {
      const rows = await database.read.select().from(database.read.tables.erasures)
      return rows.filter(({ filesAt }) => filesAt === null).length
    })
    if (left === 0) break
    await sleep(50)
  }
  await service.stop()
  await assertSoundAtRest(t, service.config, [])
})
