import t from 'tap'
import type { Blobs } from '../../src/blobs/blobs.ts'
import { carryDraft } from '../../src/opinions/carry.ts'
import type { SignedOpinion } from '../../src/opinions/opinion.ts'
import { contentOfSigned } from '../../src/signatures.ts'
import {
  isSound,
  numberedText,
  openShare,
  type RecordView,
  sha256,
  shareRecords,
  startExchange
} from '../helpers/exchange.ts'
import { type Gate, gate } from '../helpers/gated-blobs.ts'
import { readCase } from '../helpers/request.ts'
import {
  attachmentForm,
  giveOpinion,
  type OpinionView,
  opinionPath,
  putDraft,
  submit,
  underReview,
  wholeOpinion
} from './scene.ts'

/** What stands between the service and its blobs, while a test has put it there. */
let door: Gate | undefined
let isFull = false

/** New blobs wait at the door, or find the disk full. */
const wrapBlobs = (inner: Blobs): Blobs => ({
  create: async () => {
    await door?.pass()
    if (isFull) throw new Error('no blob can be made')
    return inner.create()
  },
  open: (name, receipt) => inner.open(name, receipt),
  remove: name => inner.remove(name),
  list: () => inner.list(),
  sync: names => inner.sync(names),
  check: () => inner.check(),
  freeBytes: () => inner.freeBytes(),
  sweepUnfinished: () => inner.sweepUnfinished(),
  close: () => inner.close()
})

const x = await startExchange(t, { wrapBlobs })
const clinician = x.client('clinician')
const specialist = x.client('specialistGb')

t.test('a draft is saved over the version that was seen, and seen by nobody else', async t => {
  const { share } = await underReview(x)
  const path = opinionPath(share.id)
  const first = await specialist.send('GET', path)
  t.equal(first.headers.get('etag'), '"0"')
  t.match(first.json, { state: 'draft', version: 0, questions: [{ number: 1 }, { number: 2 }] })
  t.match(await specialist.send('PUT', path, { answers: [] }), {
    status: 428,
    json: { code: 'if-match-missing' }
  })
  t.match(await putDraft(specialist, share.id, wholeOpinion(), '"3"'), { status: 412 })
  const both = await Promise.all(
    ['One', 'Two'].map(limits => putDraft(specialist, share.id, wholeOpinion({ limits }), '"0"'))
  )
  t.same(both.map(({ status }) => status).sort(), [200, 412])
  const later = await Promise.all(
    ['One', 'Two'].map(limits => putDraft(specialist, share.id, wholeOpinion({ limits }), '"1"'))
  )
  t.same(later.map(({ status }) => status).sort(), [200, 412])
  t.match(
    await submit(specialist, share.id, '"1"'),
    { status: 412 },
    'what was not seen is not sent'
  )
  t.match(await clinician.send('GET', path), { status: 404, json: { code: 'opinion-not-found' } })
  t.match(await x.client('stranger').send('GET', path), { json: { code: 'share-not-found' } })
})

t.test('what cannot be an answer is refused as it is saved', async t => {
  const { share } = await underReview(x)
  const save = (answers: object[]) => putDraft(specialist, share.id, { answers }, '"0"')
  const codes = {
    'opinion-question-unknown': [{ number: 3, answer: 'To what?' }],
    'opinion-question-twice': [{ number: 1 }, { number: 1 }],
    'opinion-answer-mixed': [{ number: 1, answer: 'Yes', declined: 'No' }],
    'text-invalid': [{ number: 1, answer: ' \n ' }]
  }
  for (const [code, answers] of Object.entries(codes)) {
    t.match(await save(answers), { status: 422, json: { code } }, code)
  }
  t.match(
    await save([
      { number: 2, answer: 'B' },
      { number: 1, declined: 'A' }
    ]),
    {
      status: 200,
      json: { answers: [{ number: 1, declined: 'A' }, { number: 2 }] }
    }
  )
})

t.test('a share that has expired keeps its draft for its writer, and takes no opinion', async t => {
  const { share } = await underReview(x, 'specialistGb', { lifeHours: 1 })
  await putDraft(specialist, share.id, wholeOpinion())
  x.clock.advance(2 * 3_600_000)
  t.match(await submit(specialist, share.id), {
    status: 410,
    json: { code: 'share-expired', detail: /^Ask the sender for more time/ }
  })
  t.match(await putDraft(specialist, share.id, wholeOpinion(), '"1"'), { status: 410 })
  t.match(await specialist.json('GET', opinionPath(share.id)), { state: 'draft', version: 1 })
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  t.match(await specialist.send('GET', opinionPath(share.id)), {
    status: 410,
    json: { code: 'share-revoked' }
  })
})

t.test(
  'time does not end what comes after an opinion: an addendum needs no more of it',
  async t => {
    const { share } = await underReview(x, 'specialistGb', { lifeHours: 1 })
    await giveOpinion(specialist, share.id)
    const asking = () => specialist.send('POST', `/v1/shares/${share.id}/more-time`)
    t.match(await asking(), { status: 409, json: { code: 'opinion-final' } })
    x.clock.advance(2 * 3_600_000)
    t.match(await asking(), { status: 409, json: { code: 'opinion-final' } })
    const path = `${opinionPath(share.id)}/addenda`
    t.match(await specialist.send('POST', path, { text: 'Seen again.' }), { status: 201 })
    t.match(await specialist.json('GET', opinionPath(share.id)), { state: 'submitted' })
    await clinician.json('DELETE', `/v1/shares/${share.id}`)
    t.match(await specialist.send('POST', path, { text: 'And again.' }), { status: 410 })
  }
)

t.test('a draft goes on under a share that takes the place of its own', async t => {
  const { caseId, letterId, share } = await underReview(x)
  await putDraft(specialist, share.id, wholeOpinion())
  const longer = await shareRecords(x, caseId, [letterId])
  await openShare(specialist, longer.link)
  await x.exchange.database.write(tx => carryDraft(tx, { from: share.id, to: longer.id }))
  t.match(await specialist.json('GET', opinionPath(longer.id)), { version: 1, ...wholeOpinion() })
  t.match(await specialist.json('GET', opinionPath(share.id)), { version: 0 })
  t.match(await submit(specialist, longer.id), { status: 200 })
})

t.test('a withdrawal that overtakes a submission leaves the draft and nothing else', async t => {
  const { caseId, share } = await underReview(x)
  await putDraft(specialist, share.id, wholeOpinion())
  door = gate()
  const submitting = submit(specialist, share.id)
  await door.knocked()
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  door.open()
  t.match(await submitting, { status: 410, json: { code: 'share-revoked' } })
  door = undefined
  t.match(await readCase(clinician, caseId), { state: 'complete' })
  t.match(await clinician.send('GET', opinionPath(share.id)), { status: 404 })
  await isSound(t, x)
})

t.test('a submission that the disk fails leaves the draft, and is made again', async t => {
  const { share } = await underReview(x)
  await putDraft(specialist, share.id, wholeOpinion())
  isFull = true
  t.equal((await submit(specialist, share.id)).status, 500)
  isFull = false
  t.match(await specialist.json('GET', opinionPath(share.id)), { state: 'draft', version: 1 })
  await isSound(t, x)
  t.match(await submit(specialist, share.id), { status: 200 })
})

t.test('additions are signed too, and nothing is changed by them', async t => {
  const { share, caseId } = await underReview(x)
  const add = (text = 'The redshank slides came: no change.') =>
    specialist.send('POST', `${opinionPath(share.id)}/addenda`, { text })
  t.match(await add(), { status: 409, json: { code: 'opinion-not-submitted' } })
  const given = await giveOpinion(specialist, share.id)
  t.match(await add(' '), { status: 422 })
  const { result, events } = await x.eventsOf(() => add())
  t.match(result, { status: 201, json: { number: 1, text: /redshank/, signed: String } })
  t.match(events, [{ action: 'opinion.addendum', outcome: 'success', caseId, shareId: share.id }])
  const several = await Promise.all([add('A'), add('B'), add('C')])
  const taken = several.filter(({ status }) => status === 201).length
  t.ok(taken >= 1)
  t.ok(
    several.every(({ status }) => [201, 412].includes(status)),
    'each has its own number'
  )
  const view = await clinician.json<OpinionView>('GET', opinionPath(share.id))
  t.equal(view.signed, given.signed)
  t.same(
    view.addenda.map(({ number }) => number),
    Array.from({ length: 1 + taken }, (_, n) => n + 1)
  )
  const [first] = view.addenda
  const pdf = await clinician.send('GET', `/v1/records/${first?.record}/content`)
  t.match(pdf, { status: 200, text: /^%PDF-1\.7/ })
  await isSound(t, x)
})

t.test('records that the specialist adds go with the opinion', async t => {
  const { caseId, share, letterId } = await underReview(x)
  const path = `${opinionPath(share.id)}/attachments`
  const files = [numberedText(50, 'sketch.txt'), numberedText(60, 'more.txt')]
  const { result, events } = await x.eventsOf(() =>
    specialist.send('POST', path, attachmentForm(files))
  )
  t.match(events, [{ action: 'record.create', outcome: 'success', shareId: share.id, caseId }])
  t.equal(result.status, 201)
  const [first, second] = files.map(file => sha256(file.bytes))
  t.match(result.json['files'], [{ fileName: 'sketch.txt', sha256: first }, { sha256: second }])
  const record = String(result.json['record'])
  t.match(await specialist.send('POST', path, { title: 'X' }), { status: 415 })
  t.match(await specialist.send('POST', path, attachmentForm([])), { status: 400 })
  for (const id of [letterId, x.people.clinician.accountId]) {
    t.match(await putDraft(specialist, share.id, wholeOpinion({ attachments: [id] }), '"0"'), {
      status: 422,
      json: { code: 'opinion-attachment-unknown' }
    })
  }
  await giveOpinion(specialist, share.id, wholeOpinion({ attachments: [record] }))
  const view = await clinician.json<OpinionView>('GET', opinionPath(share.id))
  const { attachments } = contentOfSigned<SignedOpinion>(String(view.signed))
  const digest = sha256(Buffer.from(`${first}\n${second}\n`))
  t.match(attachments, [{ record, title: 'Sketch of the margin', files: 2, sha256: digest }])
  t.match(view.attachments, [record])
  const kept = await clinician.json<RecordView>('GET', `/v1/records/${record}`)
  t.match(kept, { kind: 'opinion-attachment', createdBy: x.people.specialistGb.accountId })
  const late = await specialist.send('POST', path, attachmentForm(files))
  t.match(late, { status: 409, json: { code: 'opinion-final' } })
  await isSound(t, x)
})

t.test('a share that is withdrawn while a record arrives takes none', async t => {
  const { share, caseId } = await underReview(x)
  door = gate()
  const path = `${opinionPath(share.id)}/attachments`
  const sending = specialist.send('POST', path, attachmentForm([numberedText(50)]))
  await door.knocked()
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  door.open()
  t.match(await sending, { status: 410, json: { code: 'share-revoked' } })
  door = undefined
  const { records } = await clinician.json<{ records: RecordView[] }>(
    'GET',
    `/v1/cases/${caseId}/records`
  )
  t.same(
    records.map(({ kind }) => kind),
    ['letter']
  )
  await isSound(t, x)
})

t.test('receipt is acknowledged once, and the specialist is told', async t => {
  const { share } = await underReview(x)
  const path = `${opinionPath(share.id)}/acknowledgement`
  t.match(await clinician.send('POST', path), { status: 404, json: { code: 'opinion-not-found' } })
  await giveOpinion(specialist, share.id)
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  t.match(await x.client('colleague').json('POST', path), {
    acknowledgedAt: String,
    acknowledgedBy: x.people.colleague.accountId
  })
  t.match(await clinician.send('POST', path), {
    status: 409,
    json: { code: 'opinion-acknowledged' }
  })
  const { notices } = await clinician.json<{ notices: { kind: string; to: string }[] }>(
    'GET',
    `/v1/notices?share=${share.id}`
  )
  t.match(
    notices.filter(({ kind }) => kind === 'opinion-acknowledged'),
    [{ to: x.people.specialistGb.accountId }]
  )
})
