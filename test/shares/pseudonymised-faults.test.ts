import t from 'tap'
import { removeOrphans } from '../../src/housekeeping/clean-up.ts'
import { ctSlice } from '../helpers/dicom.ts'
import { createCase, isSound, PURPOSE, startExchange, uploadRecord } from '../helpers/exchange.ts'
import {
  type FaultyAct,
  type FaultyBlobs,
  faultyBlobs,
  faultyEnds
} from '../helpers/faulty-blobs.ts'

// The store fails at each step of making copies: no share, and nothing of it that stays.

/** Of two files uploaded, then of two copied: the first call of the copies. */
const first: Record<FaultyAct, number> = { create: 3, write: 3, commit: 3, sync: 2 }

for (const act of Object.keys(first) as FaultyAct[]) {
  for (const end of faultyEnds) {
    t.test(`${act} ${end}`, async t => {
      let blobs: FaultyBlobs | undefined
      const wrapBlobs = (inner: Parameters<typeof faultyBlobs>[0]) => {
        blobs = faultyBlobs(inner, { act, nth: first[act], end })
        return blobs
      }
      const x = await startExchange(t, { wrapBlobs })
      const clinician = x.client('clinician')
      const { id } = await createCase(clinician)
      const files = [1, 2].map(n => ({ name: `${n}.dcm`, bytes: ctSlice() }))
      const scan = await uploadRecord(clinician, id, { files })
      t.notOk(blobs?.struck(), 'the upload is well')
      const share = () =>
        clinician.send('POST', `/v1/cases/${id}/shares`, {
          specialist: x.people.specialistGb.accountId,
          records: [scan.id],
          purpose: PURPOSE,
          pseudonymise: true
        })
      const failed = await share()
      t.ok(blobs?.struck())
      t.equal(failed.status, 503)
      t.equal(failed.json.code, 'storage-unavailable')
      t.same((await clinician.json<{ shares: object[] }>('GET', '/v1/shares')).shares, [])
      // A blob that was stored though the store said no is an orphan like any other.
      await removeOrphans(x.exchange, Date.now() + 3_600_000)
      await isSound(t, x)
      t.equal((await share()).status, 201, 'and the next try succeeds')
    })
  }
}
