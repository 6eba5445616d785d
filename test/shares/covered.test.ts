import t from 'tap'
import { agreed, recordConsent } from '../helpers/consent.ts'
import {
  createCase,
  numberedText,
  openShare,
  PURPOSE,
  safeguard,
  sendLink,
  sharedPath,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { dayFrom } from '../helpers/request.ts'

const HOUR = 3_600_000
const exchange = await startExchange(t)
exchange.clock.set('2027-03-01T12:00:00.000Z')
const now = exchange.clock.now()
const at = (time: string) => Date.parse(time)
const clinician = exchange.client('clinician')

async function newCase() {
  const { id: caseId } = await createCase(clinician)
  const { id: recordId } = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  const share = (who: 'specialistGb' | 'specialistIn', wanted: object) =>
    clinician.send('POST', `/v1/cases/${caseId}/shares`, {
      specialist: exchange.people[who].accountId,
      records: [recordId],
      purpose: PURPOSE,
      ...wanted
    })
  return { caseId, recordId, share }
}

/** The last day of what a share rests on is tomorrow, of the other thing a day later. */
const soon = dayFrom(now, 1)
const later = dayFrom(now, 2)
const end = '2027-03-03T00:00:00.000Z'

for (const [endsWith, consentUntil, safeguardUntil] of [
  ['consent', soon, later],
  ['safeguard', later, soon]
] as const) {
  t.test(`a share ends with its ${endsWith}, and says so wherever it is seen`, async t => {
    exchange.clock.set(now)
    const { caseId, recordId, share } = await newCase()
    await recordConsent(clinician, caseId, agreed(now, { expires: consentUntil }))
    const held = safeguard(now, { expires: safeguardUntil })
    const { status, json } = await share('specialistIn', { lifeHours: 240, safeguard: held })
    t.match([status, json], [201, { expiresAt: end, endsWith }])
    const id = String(json.id)
    const specialist = exchange.client('specialistIn')
    exchange.clock.set(at(end) - 1)
    t.equal((await openShare(specialist, String(json.link))).expiresAt, end)
    const live = await clinician.json<{ shares: object[] }>(
      'GET',
      `/v1/shares?state=live&case=${caseId}`
    )
    t.match(live.shares, [{ id, state: 'live', expiresAt: end }])
    t.equal((await specialist.send('GET', sharedPath(id, recordId))).status, 200)
    await specialist.json('POST', `/v1/shares/${id}/more-time`)
    t.match(await clinician.send('POST', `/v1/shares/${id}/more-time/approve`, { lifeHours: 48 }), {
      status: 422,
      json: { code: 'more-time-shorter', problems: [`its ${endsWith} ends at ${end}`] }
    })
    exchange.clock.set(at(end))
    t.match(
      (await clinician.json<{ shares: object[] }>('GET', `/v1/shares?state=live&case=${caseId}`))
        .shares,
      []
    )
    t.match(await sendLink(specialist, String(json.link)), {
      status: 410,
      json: { code: 'share-expired' }
    })
  })
}

t.test('a share that would begin when what it rests on is over is not made', async t => {
  exchange.clock.set(now)
  const { caseId, share } = await newCase()
  await recordConsent(clinician, caseId, agreed(now, { expires: soon }))
  const from = (moment: number) =>
    share('specialistGb', { notBefore: new Date(moment).toISOString() })
  t.match(await from(at(end)), {
    status: 422,
    json: {
      code: 'share-begins-too-late',
      detail: /renew the consent/,
      problems: [`its consent ends at ${end}`]
    }
  })
  t.match(await from(at(end) - HOUR), { status: 201, json: { expiresAt: end } })
  exchange.clock.advance(1000)
  await recordConsent(clinician, caseId, agreed(now, { expires: dayFrom(now, 20) }))
  const renewed = await from(at(end))
  t.equal(renewed.status, 201, 'until it is renewed')
  t.notOk('endsWith' in renewed.json)
})
