import t from 'tap'
import type { ShareManifest } from '../../schemas/share.ts'
import { removeCopies } from '../../src/housekeeping/remove-copies.ts'
import { ctSlice } from '../helpers/dicom.ts'
import {
  createCase,
  isSound,
  openShare,
  PATIENT_NAME,
  type ShareMade,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { type Gate, gate, gatedBlobs } from '../helpers/gated-blobs.ts'
import { completeCase } from '../helpers/request.ts'
import { giveOpinion, opinionPath } from '../opinions/scene.ts'

const DAY = 86_400_000

const scan = (n: number, modality: string) => ({
  name: `quillfeather-${n}.dcm`,
  bytes: ctSlice([
    ['0008,0018', 'UI', `1.2.826.0.1.3680043.8.498.77.${n}`],
    ['0008,0060', 'CS', modality],
    ['0010,0010', 'PN', PATIENT_NAME],
    ['0010,1001', 'PN', 'PEREGRINE^Ottoline']
  ])
})

/** What its specialist knows it by: pseudonym, then the digest of each file. */
async function seen(x: TestExchange, share: ShareMade) {
  const specialist = x.client('specialistGb')
  const opened = await openShare(specialist, share.link)
  const { records } = await specialist.json<ShareManifest>('GET', `/v1/shares/${share.id}`)
  const files = records.flatMap(({ objects }) => objects.map(({ sha256 }) => sha256))
  const ids = records.map(({ id }) => id)
  return { patient: opened.pseudonymised?.patient, question: opened.question, files, ids }
}

t.test(
  'whoever gets more time for copies knows them again, long after they were removed',
  async t => {
    const x = await startExchange(t)
    const clinician = x.client('clinician')
    const { id: caseId } = await createCase(clinician)
    // One of them is held, because reports may name somebody, and was released by hand.
    const files = [scan(1, 'CT'), scan(2, 'SR')]
    const { id } = await uploadRecord(clinician, caseId, { kind: 'scan', files })
    const question = 'Is it to be removed?'
    const share = await shareRecords(x, caseId, [id], {
      pseudonymise: true,
      question,
      allowHeld: { records: [id], reason: 'Looked at it' },
      lifeHours: 24
    })
    const before = await seen(x, share)
    const fresh = await shareRecords(x, caseId, [id], {
      pseudonymise: true,
      question,
      allowHeld: { records: [id], reason: 'Looked at it' },
      lifeHours: 24
    })
    t.not((await seen(x, fresh)).patient, before.patient, 'another share has another pseudonym')

    x.clock.advance(10 * DAY)
    t.equal(await removeCopies(x.exchange), 2)
    const path = `/v1/shares/${share.id}/more-time`
    await x.client('specialistGb').json('POST', path)
    const naming = await clinician.send('POST', `${path}/decline`, {
      reason: 'Ottoline Quillfeather is well'
    })
    t.match(naming, { status: 422, json: { code: 'pseudonymise-names-patient' } })
    const byFile = await clinician.send('POST', `${path}/decline`, { reason: 'Ask Mrs Peregrine' })
    t.match(byFile, { status: 422, json: { code: 'pseudonymise-names-patient' } })
    const { result: made, events } = await x.eventsOf(() =>
      clinician.json<ShareMade>('POST', `${path}/approve`, { lifeHours: 24 })
    )
    t.match(
      events.map(({ action, outcome }) => `${action} ${outcome}`),
      [
        'record.pseudonymise granted',
        'record.pseudonymise complete',
        'share.create success',
        'share.revoke success',
        'more-time.give success'
      ]
    )
    t.match(events[2]?.details, { pseudonymised: { allowHeld: { reason: 'Looked at it' } } })
    const after = await seen(x, made)
    t.same({ ...after, ids: [] }, { ...before, ids: [] }, 'the same pseudonym and the same files')
    t.equal(after.files.length, 2)
    t.notSame(after.ids, before.ids, 'which are records of their own')
    await isSound(t, x)
  }
)

t.test('an opinion that comes back while the copies are made is final', async t => {
  let door: Gate | undefined
  const x = await startExchange(t, {
    wrapBlobs: inner => gatedBlobs(inner, { ...gate(), pass: async () => door?.pass() })
  })
  const clinician = x.client('clinician')
  const specialist = x.client('specialistGb')
  const { caseId, letterId } = await completeCase(clinician, x.clock.now())
  const share = await shareRecords(x, caseId, [letterId], {
    pseudonymise: true,
    allowAsIs: { records: [letterId], reason: 'Names nobody' }
  })
  await openShare(specialist, share.link)
  const making = gate()
  door = making
  const path = `/v1/shares/${share.id}/more-time/approve`
  const giving = clinician.send('POST', path, { lifeHours: 200, unasked: true })
  await making.knocked()
  door = undefined
  await giveOpinion(specialist, share.id)
  making.open()
  t.match(await giving, { status: 409, json: { code: 'opinion-final' } })
  t.match(await specialist.json('GET', opinionPath(share.id)), { state: 'submitted' })
  const addenda = `${opinionPath(share.id)}/addenda`
  t.match(await specialist.send('POST', addenda, { text: 'Seen again.' }), { status: 201 })
  await isSound(t, x)
})
