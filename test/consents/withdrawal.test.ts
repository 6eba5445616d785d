import t from 'tap'
import { addAccount, addClient, addOrganisation } from '../../src/identity/enrol.ts'
import { makeClient } from '../helpers/client.ts'
import {
  agreed,
  agreedToTransfer,
  byConsent,
  recordConsent,
  sendWithdrawal
} from '../helpers/consent.ts'
import {
  attestation,
  createCase,
  eventually,
  numberedText,
  openShare,
  PURPOSE,
  safeguard,
  sendLink,
  sharedPath,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { completeCase, dayFrom } from '../helpers/request.ts'
import { outbox } from '../notices/stage.ts'
import { giveOpinion, opinionPath, putDraft, underReview, wholeOpinion } from '../opinions/scene.ts'

/** More than the sockets of both sides hold, so that a reader who stops holds the download up. */
const LARGE = numberedText(24 * 1024 * 1024)
const STARTED = 256 * 1024

const exchange = await startExchange(t)
const clinician = exchange.client('clinician')

const newCase = async (file = numberedText(100)) => {
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [file] })
  return { caseId, recordId: record.id }
}

const streamsLeft = (count: number) =>
  eventually(`${count} streams are left`, () =>
    exchange.exchange.streams.count() === count ? true : undefined
  )

t.test('a patient who says no ends every share, and cuts what is being read', async t => {
  const { caseId, recordId } = await newCase(LARGE)
  const consent = await recordConsent(clinician, caseId, agreed(exchange.clock.now()))
  const share = await shareRecords(exchange, caseId, [recordId])
  const abroad = await shareRecords(exchange, caseId, [recordId], {
    with: 'specialistIe',
    notBefore: new Date(exchange.clock.now() + 3_600_000).toISOString()
  })
  const other = await newCase()
  const elsewhere = await shareRecords(exchange, other.caseId, [other.recordId])
  await openShare(exchange.client('specialistGb'), share.link)
  const path = sharedPath(share.id, recordId)
  const call = await exchange.raw('specialistGb', `GET ${path}`)
  await call.take(STARTED)

  const result = await sendWithdrawal(clinician, caseId, consent.id)
  t.match(result, { status: 200, json: { withdrawnShares: [share.id, abroad.id] } })
  await streamsLeft(0)
  t.ok((await call.rest()).length < LARGE.bytes.length, 'the socket ended short')
  const events = (await exchange.auditEvents({ caseId })).slice(-5)
  t.match(
    events.filter(({ action }) => action !== 'content.read'),
    [
      { action: 'consent.withdraw', details: { consent: consent.id } },
      { action: 'share.revoke', shareId: share.id },
      { action: 'share.revoke', shareId: abroad.id }
    ]
  )
  t.ok(events.some(({ outcome, shareId }) => outcome === 'revoked' && shareId === share.id))
  const gone = { status: 410, json: { code: 'share-revoked' } }
  t.match(await exchange.client('specialistGb').send('GET', path), gone)
  t.match(await sendLink(exchange.client('specialistIe'), abroad.link), gone)
  t.equal((await openShare(exchange.client('specialistGb'), elsewhere.link)).openings, 1)

  const notices = (await outbox(exchange)).filter(({ kind }) => kind === 'consent-withdrawn')
  const { specialistGb, specialistIe, clinician: sender } = exchange.people
  t.same(
    notices.map(({ accountId }) => accountId).sort(),
    [specialistGb, specialistIe, sender].map(({ accountId }) => accountId).sort(),
    'each is told once'
  )
})

t.test('a consent to a transfer ends the shares that rest on it, and no other', async t => {
  const { caseId, recordId } = await newCase(LARGE)
  const now = exchange.clock.now()
  const consent = await recordConsent(clinician, caseId, agreedToTransfer(now, 'IN'))
  const share = await shareRecords(exchange, caseId, [recordId], {
    with: 'specialistIn',
    safeguard: byConsent(consent.id)
  })
  const home = await shareRecords(exchange, caseId, [recordId])
  const specialist = exchange.client('specialistIn')
  await openShare(specialist, share.link)
  const call = await exchange.raw('specialistIn', `GET ${sharedPath(share.id, recordId)}`)
  await call.take(STARTED)
  const { json } = await sendWithdrawal(clinician, caseId, consent.id)
  t.same(json.withdrawnShares, [share.id])
  await streamsLeft(0)
  t.ok((await call.rest()).length < LARGE.bytes.length)
  t.match(await sendLink(specialist, share.link), { status: 410 })
  t.equal((await openShare(exchange.client('specialistGb'), home.link)).openings, 1)
})

t.test('an agreement that is ended ends its shares, and cannot be named again', async t => {
  const now = exchange.clock.now()
  const held = safeguard(now, { reference: 'IDTA 2026 / 77' })
  const first = await newCase(LARGE)
  const second = await newCase()
  const options = { with: 'specialistIn', safeguard: held } as const
  const one = await shareRecords(exchange, first.caseId, [first.recordId], options)
  const two = await shareRecords(exchange, second.caseId, [second.recordId], options)
  const us = attestation(now, { reference: 'IDTA 2026 / 77' })
  const other = await shareRecords(exchange, second.caseId, [second.recordId], {
    with: 'specialistUs',
    safeguard: us
  })
  await openShare(exchange.client('specialistIn'), one.link)
  const call = await exchange.raw('specialistIn', `GET ${sharedPath(one.id, first.recordId)}`)
  await call.take(STARTED)

  const end = { type: 'idta', reference: 'idta 2026/77', reason: 'Delhi has left the agreement' }
  const withdraw = (who: 'clinician' | 'otherClinician' | 'administrator') =>
    exchange.client(who).send('POST', '/v1/safeguards/withdraw', end)
  t.same((await withdraw('otherClinician')).json.withdrawnShares, [], 'of its own shares alone')
  const result = await withdraw('administrator')
  t.same(result.json.withdrawnShares, [one.id, two.id])
  await streamsLeft(0)
  t.ok((await call.rest()).length < LARGE.bytes.length)
  const again = await clinician.send('POST', `/v1/cases/${second.caseId}/shares`, {
    specialist: exchange.people.specialistIn.accountId,
    records: [second.recordId],
    purpose: PURPOSE,
    safeguard: held
  })
  t.match(again, { status: 422, json: { code: 'transfer-safeguard-withdrawn' } })
  t.same((await withdraw('clinician')).json.withdrawnShares, [], 'and twice is once')
  const ofTrust = { action: 'safeguard.withdraw', actorId: exchange.people.administrator.accountId }
  t.match(await exchange.auditEvents(ofTrust), [{ details: { ...end, shares: [one.id, two.id] } }])
  t.equal((await openShare(exchange.client('specialistUs'), other.link)).openings, 1)
})

t.test('what has expired is shut too: it still shows its specialist what they wrote', async t => {
  const now = exchange.clock.now()
  const held = safeguard(now, { reference: 'IDTA 2026 / 81', expires: dayFrom(now, 90) })
  const toAll = await underReview(exchange, 'specialistGb', { lifeHours: 1 })
  const all = await recordConsent(clinician, toAll.caseId, agreed(now))
  const abroad = { lifeHours: 1, safeguard: held }
  const onAgreement = await underReview(exchange, 'specialistIn', abroad)
  const given = await underReview(exchange, 'specialistIn', abroad)
  const caseOne = await completeCase(clinician, now)
  const one = await recordConsent(
    clinician,
    caseOne.caseId,
    agreedToTransfer(now, 'IN', { dataTypes: ['letter'] })
  )
  const ofOne = await shareRecords(exchange, caseOne.caseId, [caseOne.letterId], {
    with: 'specialistIn',
    lifeHours: 1,
    safeguard: byConsent(one.id)
  })
  const gb = exchange.client('specialistGb')
  const delhi = exchange.client('specialistIn')
  await openShare(delhi, ofOne.link)
  await putDraft(gb, toAll.share.id, wholeOpinion())
  await putDraft(delhi, onAgreement.share.id, wholeOpinion())
  await putDraft(delhi, ofOne.id, wholeOpinion())
  await giveOpinion(delhi, given.share.id)
  await gb.json('POST', `/v1/shares/${toAll.share.id}/more-time`, { words: 'A curlew more' })
  exchange.clock.advance(2 * 3_600_000)
  const read = (who: typeof gb, share: string) => who.send('GET', opinionPath(share))
  t.equal((await read(gb, toAll.share.id)).status, 200, 'time alone takes nothing away')
  t.equal((await read(delhi, given.share.id)).status, 200)

  const ended = await sendWithdrawal(clinician, toAll.caseId, all.id)
  t.same(ended.json.withdrawnShares, [toAll.share.id])
  const endedOne = await sendWithdrawal(clinician, caseOne.caseId, one.id)
  t.same(endedOne.json.withdrawnShares, [ofOne.id])
  const { withdrawnShares } = await clinician.json<{ withdrawnShares: string[] }>(
    'POST',
    '/v1/safeguards/withdraw',
    { type: 'idta', reference: 'IDTA 2026/81', reason: 'It was ended' }
  )
  t.same(withdrawnShares.toSorted(), [onAgreement.share.id, given.share.id].toSorted())
  const shut = { status: 410, json: { code: 'share-revoked' } }
  t.match(await read(gb, toAll.share.id), shut)
  t.match(await read(delhi, ofOne.id), shut)
  t.match(await read(delhi, onAgreement.share.id), shut, 'a draft')
  t.match(await read(delhi, given.share.id), shut, 'what was submitted')
  t.match(await gb.send('GET', `/v1/shares/${toAll.share.id}/more-time`), shut)
})

t.test('a share that was replaced is shut with the one that takes its place', async t => {
  const now = exchange.clock.now()
  const { caseId, share } = await underReview(exchange)
  const consent = await recordConsent(clinician, caseId, agreed(now))
  const specialist = exchange.client('specialistGb')
  const path = `/v1/shares/${share.id}/more-time`
  await specialist.json('POST', path, { words: 'A curlew more' })
  await clinician.json('POST', `${path}/approve`, { lifeHours: 200 })
  t.equal((await specialist.send('GET', path)).status, 200)
  await sendWithdrawal(clinician, caseId, consent.id)
  t.match(await specialist.send('GET', path), { status: 410, json: { code: 'share-revoked' } })
})

t.test('a share made while consent is withdrawn ends with the others, or is not made', async t => {
  for (let round = 0; round < 5; round++) {
    const { caseId, recordId } = await newCase()
    const consent = await recordConsent(clinician, caseId, agreed(exchange.clock.now()))
    const share = () =>
      clinician.send('POST', `/v1/cases/${caseId}/shares`, {
        specialist: exchange.people.specialistGb.accountId,
        records: [recordId],
        purpose: PURPOSE
      })
    const answers = await Promise.all([
      share(),
      share(),
      sendWithdrawal(clinician, caseId, consent.id),
      share(),
      sendWithdrawal(clinician, caseId, consent.id)
    ])
    const ended = answers.filter(({ json }) => json.withdrawnShares !== undefined)
    t.equal(ended.length, 1, 'withdrawn once')
    const { shares }: { shares: { state: string }[] } = await clinician.json(
      'GET',
      `/v1/shares?case=${caseId}`
    )
    t.ok(
      shares.every(({ state }) => state === 'revoked'),
      `${shares.length} were made, and none is left`
    )
  }
})

/** A last day, and when it is over where the organisation is. */
const zones: [zone: string, day: string, over: string][] = [
  ['Europe/London', '2027-03-28', '2027-03-28T23:00:00.000Z'],
  ['America/New_York', '2027-11-07', '2027-11-08T05:00:00.000Z'],
  ['Asia/Kolkata', '2027-06-30', '2027-06-30T18:30:00.000Z'],
  ['Pacific/Kiritimati', '2027-12-31', '2027-12-31T10:00:00.000Z'],
  ['Pacific/Pago_Pago', '2027-12-31', '2028-01-01T11:00:00.000Z']
]

for (const [timeZone, expires, over] of zones) {
  t.test(`a consent until ${expires} in ${timeZone} holds until ${over}`, async t => {
    const organisation = await addOrganisation(exchange.exchange, {
      name: `Clinic of ${timeZone}`,
      country: 'IE',
      timeZone
    })
    const name = 'Dr Una Plover'
    const accountId = await addAccount(exchange.exchange, {
      organisation,
      role: 'clinician',
      name,
      professionalBody: 'IMC',
      registrationNumber: '4711'
    })
    const key = await addClient(exchange.exchange, { accountId })
    const person = { name, accountId, organisationId: organisation, key }
    const sender = makeClient(() => exchange.url, exchange.clock.now, person)
    const end = Date.parse(over)
    exchange.clock.set(end - 3_600_000)
    const { id: caseId } = await createCase(sender)
    const record = await uploadRecord(sender, caseId, { files: [numberedText(100)] })
    const consent = agreed(exchange.clock.now(), { expires })
    t.match(await recordConsent(sender, caseId, consent), { expiresAt: over })
    const sendShare = () =>
      sender.send('POST', `/v1/cases/${caseId}/shares`, {
        specialist: exchange.people.specialistGb.accountId,
        records: [record.id],
        purpose: PURPOSE
      })
    const { json: share } = await sendShare()
    t.match(share, { expiresAt: over, endsWith: 'consent' })
    const specialist = exchange.client('specialistGb')
    exchange.clock.set(end - 1)
    await openShare(specialist, String(share.link))
    const path = sharedPath(String(share.id), record.id)
    t.equal((await specialist.send('GET', path)).status, 200, 'to its last millisecond')
    exchange.clock.set(end)
    const expired = { status: 410, json: { code: 'share-expired' } }
    t.match(await specialist.send('GET', path), expired)
    t.match(await sendLink(specialist, String(share.link)), expired)
    t.match(await sendShare(), { status: 422, json: { code: 'consent-expired' } })
  })
}
