import t from 'tap'
import { openDiskBlobs } from '../../src/blobs/disk.ts'
import { faultyActs, faultyBlobs, faultyEnds } from '../helpers/faulty-blobs.ts'
import { entries, store } from './conformance.ts'

for (const act of faultyActs) {
  for (const end of faultyEnds) {
    t.test(`the second ${act} ${end}, the others do not`, async t => {
      const inner = await openDiskBlobs(t.testdir())
      const blobs = faultyBlobs(inner, { act, nth: 2, end })
      await store(blobs, Buffer.from('one'))
      t.notOk(blobs.struck())
      await t.rejects(store(blobs, Buffer.from('two')), { code: 'blob-store-failed' })
      t.ok(blobs.struck())
      await store(blobs, Buffer.from('three'))
      t.equal(blobs.calls()[act], 3)
      const stored = act === 'sync' || (act === 'commit' && end === 'failed but stored')
      t.equal((await entries(inner)).length, stored ? 3 : 2)
      await blobs.close()
    })
  }
}
