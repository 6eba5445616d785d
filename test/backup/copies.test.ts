import t from 'tap'
import { startBeside } from '../faults/real-service.ts'
import { checkAtRest } from '../faults/soundness.ts'
import { ctSlice } from '../helpers/dicom.ts'
import { openShare, sharedPath, shareRecords, uploadRecord } from '../helpers/exchange.ts'
import { backupScene } from './scene.ts'

t.test('copies of live shares are saved, those of ended ones are not, and all is well', async t => {
  const { service, caseId, path, backup, restore } = await backupScene(t)
  const clinician = service.client('clinician')
  const files = [1, 2].map(n => ({ name: `${n}.dcm`, bytes: ctSlice() }))
  const scan = await uploadRecord(clinician, caseId, { kind: 'scan', files })
  const [live, ended] = [
    await shareRecords(service, caseId, [scan.id], { pseudonymise: true }),
    await shareRecords(service, caseId, [scan.id], { pseudonymise: true })
  ]
  await clinician.json('DELETE', `/v1/shares/${ended.id}`)

  const saved = await backup('--to', path('one.age'), '--new-identity', path('id.txt'))
  t.match(saved, { exit: 0, out: /^Saved: 7 objects/ }, 'three, the scan, and one copy of it')
  const to = path('elsewhere')
  const restored = await restore(path('one.age'), path('id.txt'), to)
  t.match(restored, { exit: 0, out: /^Restored: 7 objects.*All is well/s }, restored.err)
  t.strictSame(await checkAtRest({ ...service.config, dataDirectory: to }), [])

  await service.stop()
  const again = await startBeside(t, service, { CONSILIUM_DATA: to })
  const specialist = again.client('specialistGb')
  const { records } = await openShare(specialist, live.link)
  const read = await specialist.send('GET', sharedPath(live.id, String(records[0]?.id)))
  t.equal(read.status, 200)
})
