import t from 'tap'
import type { MessageList } from '../../schemas/opinion.ts'
import { ctSlice } from '../helpers/dicom.ts'
import {
  createCase,
  NHS_NUMBER,
  openShare,
  PATIENT_NAME,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { attachmentForm, giveOpinion, opinionPath, underReview, wholeOpinion } from './scene.ts'

const x = await startExchange(t)
const clinician = x.client('clinician')
const specialist = x.client('specialistGb')
const pathOf = (shareId: string) => `/v1/shares/${shareId}/messages`

t.test('questions and replies go to and fro, for the two sides alone', async t => {
  const { share } = await underReview(x)
  const path = pathOf(share.id)
  const asked = await x.eventsOf(() =>
    specialist.send('POST', path, { text: 'Was there an earlier scan?' })
  )
  t.equal(asked.result.status, 201)
  t.match(asked.events, [{ action: 'message.create', outcome: 'success', shareId: share.id }])
  await clinician.json('POST', path, { text: 'In May; it is lost.' })
  await x.client('colleague').json('POST', path, { text: 'It has been found.' })
  const all = await specialist.json<MessageList>('GET', path)
  t.match(all.messages, [
    { text: 'It has been found.', from: { name: 'Dr Bob Merganser', side: 'sender' } },
    { text: 'In May; it is lost.', from: { name: 'Dr Alice Kestrel', side: 'sender' } },
    { text: 'Was there an earlier scan?', from: { side: 'specialist' } }
  ])
  const first = await clinician.json<MessageList>('GET', `${path}?limit=2`)
  t.equal(first.messages.length, 2)
  const { messages, next } = await clinician.json<MessageList>(
    'GET',
    `${path}?limit=2&cursor=${first.next}`
  )
  t.match(messages, [{ text: 'Was there an earlier scan?' }])
  t.equal(next, undefined)
  t.match(await x.client('stranger').send('GET', path), { json: { code: 'share-not-found' } })
  t.match(await x.client('otherClinician').send('GET', path), { json: { code: 'share-not-found' } })
  t.match(await clinician.send('POST', path, { text: '\u0007' }), {
    json: { code: 'text-invalid' }
  })
  const { notices } = await clinician.json<{ notices: { kind: string; to: string }[] }>(
    'GET',
    `/v1/notices?share=${share.id}`
  )
  t.same(
    notices.filter(({ kind }) => kind === 'message-received').map(({ to }) => to),
    [x.people.specialistGb.accountId, x.people.specialistGb.accountId, x.people.clinician.accountId]
  )
  const intruder = await intrude(t, x.config)
  for (const statement of ['DELETE FROM share_messages', 'UPDATE share_messages SET at = 1']) {
    await t.rejects(intruder.run(statement), /cannot be changed/, statement)
  }

  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  t.match(await specialist.send('GET', path), { status: 410 })
  t.match(await clinician.send('POST', path, { text: 'Hello?' }), { json: { code: 'share-ended' } })
  t.equal((await clinician.json<MessageList>('GET', path)).messages.length, 3)
})

t.test(
  'to whom the patient has a pseudonym nobody writes the name, nor is it in the opinion',
  async t => {
    const { id: caseId } = await createCase(clinician)
    const bytes = ctSlice([
      ['0010,0010', 'PN', PATIENT_NAME],
      ['0010,0020', 'LO', NHS_NUMBER],
      ['0010,1000', 'LO', 'ZZ-48211'],
      ['0010,1001', 'PN', 'PEREGRINE^Ottoline']
    ])
    const scan = await uploadRecord(clinician, caseId, { files: [{ name: 'a.dcm', bytes }] })
    const share = await shareRecords(x, caseId, [scan.id], { pseudonymise: true })
    const opened = await openShare(specialist, share.link)
    for (const text of ['Mrs Quillfeather was ill', `See 999 000 0018`, 'Born 17/03/1951']) {
      t.match(await clinician.send('POST', pathOf(share.id), { text }), {
        status: 422,
        json: { code: 'message-names-patient' }
      })
    }
    for (const text of ['Mrs Peregrine was ill', 'See ZZ-48211']) {
      const answer = await clinician.send('POST', pathOf(share.id), { text })
      t.match(answer.json, { code: 'message-names-patient' }, 'nor what only her files call her')
    }
    await specialist.json('POST', pathOf(share.id), { text: 'Is she Mrs Peregrine?' })
    await clinician.json('POST', pathOf(share.id), { text: 'She was ill' })
    const [copy] = opened.records
    await specialist.send('GET', `/v1/shares/${share.id}/records/${copy?.id}/content`)
    const named = attachmentForm([{ name: 'b.dcm', bytes }])
    const attached = await specialist.send('POST', `${opinionPath(share.id)}/attachments`, named)
    t.equal(attached.status, 201)
    t.same(Object.keys(attached.json).sort(), ['date', 'files', 'record', 'title'])
    const answers = [{ number: 1, stance: 'yes' as const, answer: 'It is.' }]
    const view = await giveOpinion(specialist, share.id, wholeOpinion({ answers }))
    t.match(view.reviewed, [{ record: copy?.id, handedOver: { whole: 1, part: 0, none: 0 } }])
    const told = await specialist.send('GET', opinionPath(share.id))
    const payload = Buffer.from(String(view.signed?.split('.')[1]), 'base64url').toString()
    for (const text of [told.text, payload]) {
      t.notOk(/quillfeather/i.test(text) || text.includes(NHS_NUMBER) || text.includes('1951'))
      t.ok(text.includes('It is.'))
    }
    t.match(JSON.parse(payload).patient, { pseudonym: opened.pseudonymised?.patient })
  }
)

t.test('there is an end to it, however many write at once', async t => {
  const { share } = await underReview(x)
  await x.exchange.database.write(async tx => {
    const rows = Array.from({ length: 498 }, (_, n) => ({
      id: `filler-${n}`,
      shareId: share.id,
      authorId: x.people.clinician.accountId,
      at: n,
      textSealed: Buffer.alloc(1)
    }))
    await tx.insert(tx.tables.shareMessages).values(rows)
  })
  const answers = await Promise.all(
    [1, 2, 3, 4, 5].map(n =>
      (n % 2 === 0 ? clinician : specialist).send('POST', pathOf(share.id), { text: `No. ${n}` })
    )
  )
  const codes = answers.map(({ status, json }) => `${status} ${json['code'] ?? ''}`).sort()
  t.same(codes, ['201 ', '201 ', ...Array(3).fill('409 messages-spent')])
})
