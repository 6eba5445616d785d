import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import {
  createCase,
  numberedText,
  openShare,
  sharedPath,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'

t.test('a second share stands beside the first and never widens it', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const { id: caseId } = await createCase(clinician)
  const upload = (title: string) =>
    uploadRecord(clinician, caseId, { title, files: [numberedText(100, `${title}.txt`)] })
  const [seriesA, seriesB, prior] = [await upload('A'), await upload('B'), await upload('prior')]
  const narrow = await shareRecords(exchange, caseId, [seriesA.id], {
    openingsMax: 2,
    lifeHours: 2
  })
  await openShare(specialist, narrow.link)
  const before = await specialist.json('GET', `/v1/shares/${narrow.id}`)

  const wide = await shareRecords(exchange, caseId, [seriesB.id, seriesA.id])
  const shown = await openShare(specialist, wide.link)
  t.same(
    shown.records.map(record => record.id),
    [seriesB.id, seriesA.id],
    'only what was named, in its order'
  )

  t.same(await specialist.json('GET', `/v1/shares/${narrow.id}`), before, 'the first is as it was')
  const status = async (share: string, record: string) =>
    (await specialist.send('GET', sharedPath(share, record))).status
  t.equal(await status(narrow.id, seriesA.id), 200)
  t.equal(await status(narrow.id, seriesB.id), 404, 'series B is not in the first')
  t.equal(await status(wide.id, seriesB.id), 200)
  for (const share of [narrow, wide]) {
    t.equal(await status(share.id, prior.id), 404, 'an earlier record is in neither')
    const object = String(prior.objects[0]?.id)
    const path = sharedPath(share.id, seriesA.id, object)
    t.match(await specialist.send('GET', path), { json: { code: 'object-not-found' } })
  }

  await clinician.json('DELETE', `/v1/shares/${wide.id}`)
  t.equal(await status(narrow.id, seriesA.id), 200, 'the first outlives the second')
  t.equal(await status(wide.id, seriesA.id), 410)
  exchange.clock.advance(2 * 3_600_000)
  t.equal(await status(narrow.id, seriesA.id), 410, 'and ends when it was to end')
})

t.test('of one attempt there is one share, however many ask for it at once', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const { id: caseId } = await createCase(clinician)
  const { id: recordId } = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  const { specialistGb, specialistIe } = exchange.people
  const terms = {
    specialist: specialistGb.accountId,
    records: [recordId],
    purpose: 'second opinion',
    attempt: uuidv7({ msecs: exchange.clock.now() })
  }
  const share = (change = {}) =>
    clinician.send('POST', `/v1/cases/${caseId}/shares`, { ...terms, ...change })
  const answers = await Promise.all(Array.from({ length: 6 }, () => share()))
  t.same(answers.map(({ status }) => status).sort(), [...Array(5).fill(200), 201])
  t.equal(new Set(answers.map(({ json }) => json['id'])).size, 1)
  t.equal((await exchange.auditEvents({ action: 'share.create', outcome: 'success' })).length, 1)
  const told = await exchange.auditEvents({ action: 'share.list', outcome: 'success' })
  t.equal(told.length, 5, 'each time that it was told again is on the log')
  for (const { json } of answers) {
    t.match(await openShare(specialist, String(json['link'])), { id: json['id'] })
  }

  const later = await share()
  t.match(later, { status: 200, json: { expiresAt: answers[0]?.json['expiresAt'] } })
  t.equal((await share({ lifeHours: 3 })).status, 201, 'other terms are another share')
  const other = await share({ specialist: specialistIe.accountId })
  t.equal(other.status, 201, 'so is another specialist')
  t.match(await share({ attempt: 'heron' }), { status: 400 })
})

t.test('what is uploaded later is in no earlier share', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const { id: caseId } = await createCase(clinician)
  const files = [numberedText(100)]
  const first = await uploadRecord(clinician, caseId, { files })
  const share = await shareRecords(exchange, caseId, [first.id])
  await openShare(specialist, share.link)
  const later = await uploadRecord(clinician, caseId, { files })
  const answer = await specialist.send('GET', sharedPath(share.id, later.id))
  t.match(answer, { status: 404, json: { code: 'record-not-found' } })
  t.equal((await openShare(specialist, share.link)).records.length, 1)
})

t.test('the database itself refuses to widen, change or remove a share', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const files = [numberedText(100)]
  const shared = await uploadRecord(clinician, caseId, { files })
  const other = await uploadRecord(clinician, caseId, { files })
  const { id: shareId } = await shareRecords(exchange, caseId, [shared.id])
  const { write } = await intrude(t, exchange.config)
  const changes: Parameters<typeof write>[0][] = [
    async tx =>
      tx.insert(tx.tables.shareRecords).values({ shareId, recordId: other.id, position: 1 }),
    async tx => tx.update(tx.tables.shareRecords).set({ recordId: other.id }),
    async tx => tx.update(tx.tables.shares).set({ expiresAt: Date.now() + 1e12 }),
    async tx => tx.delete(tx.tables.shareRecords),
    async tx => tx.delete(tx.tables.shares)
  ]
  for (const change of changes) await t.rejects(write(change), /a share cannot be/)
})

t.test('two links for one file to two people are two things on the log', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  for (const who of ['specialistGb', 'specialistIe'] as const) {
    const share = await shareRecords(exchange, caseId, [record.id], { with: who })
    await openShare(exchange.client(who), share.link)
    await exchange.client(who).send('GET', sharedPath(share.id, record.id))
    const read = { action: 'content.read', shareId: share.id } as const
    const events = await exchange.auditEvents(read)
    const { accountId: actorId, organisationId: actorOrganisationId } = exchange.people[who]
    t.equal(events.length, 2)
    t.match(events[0], {
      actorId,
      actorOrganisationId,
      recipientCountry: who.slice(-2).toUpperCase()
    })
  }
})
