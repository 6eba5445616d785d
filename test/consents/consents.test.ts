import { hash } from 'node:crypto'
import t from 'tap'
import type { ConsentList, ConsentText } from '../../schemas/consent.ts'
import file from '../../src/consents/texts/second-opinion.json' with { type: 'json' }
import { consentTexts, readTexts } from '../../src/consents/texts.ts'
import { homeOf } from '../../src/identity/accounts.ts'
import { addOrganisation } from '../../src/identity/enrol.ts'
import {
  agreed,
  agreedToTransfer,
  byConsent,
  recordConsent,
  sendConsent,
  sendWithdrawal
} from '../helpers/consent.ts'
import {
  createCase,
  numberedText,
  type PersonName,
  PURPOSE,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'

/** Texts that somebody may have agreed to: a new version joins, and none of these changes. */
const PUBLISHED = {
  'second-opinion 1': '8360cae0826e87477acb966d1b5d505e255ce470dfcb1727649002d3d8f526e1',
  'transfer 1': '3623a49bda18c6c411dda662a32a74f43bef9e28c2e36670fd236abd4ee9e2aa'
}

t.test('no text that was published is ever another', async t => {
  const digests = consentTexts.map(({ kind, version, text }) => [
    `${kind} ${version}`,
    hash('sha256', text, 'hex')
  ])
  t.same(Object.fromEntries(digests), PUBLISHED)
  t.throws(() => readTexts({ ...file, owner: '' }), /owner/)
  const [first] = file.versions
  t.throws(() => readTexts({ ...file, versions: [{ ...first, version: 2 }] }), /count from 1/)
})

const exchange = await startExchange(t)
const clinician = exchange.client('clinician')

const newCase = async () => (await createCase(clinician)).id

const consentsIn = (caseId: string): Promise<ConsentList> =>
  clinician.json('GET', `/v1/cases/${caseId}/consents`)

/** Shares a new record of a case, whatever comes of it. */
async function sendShare(
  x: TestExchange,
  caseId: string,
  change: { with?: PersonName; kind?: string; safeguard?: object } = {}
) {
  const { with: who = 'specialistGb', kind = 'other', safeguard } = change
  const files = [numberedText(100)]
  const record = await uploadRecord(x.client('clinician'), caseId, { kind, files })
  return x.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
    specialist: x.people[who].accountId,
    records: [record.id],
    purpose: PURPOSE,
    ...(safeguard && { safeguard })
  })
}

t.test('a consent is kept as it was given, by the digest of what was shown', async t => {
  const shown: { texts: ConsentText[] } = await exchange.client().json('GET', '/v1/consent-texts')
  t.same(shown.texts, consentTexts, 'anybody may read the texts')
  const caseId = await newCase()
  t.match(await consentsIn(caseId), { consents: [], secondOpinion: 'none', required: false })
  const given = agreed(exchange.clock.now(), {
    givenBy: { who: 'representative', name: 'Ada Rook', capacity: 'lasting power of attorney' },
    evidence: 'Form in the paper notes, page 7'
  })
  const { result, events } = await exchange.eventsOf(() => recordConsent(clinician, caseId, given))
  t.match(result, { ...given, case: caseId, state: 'given' })
  t.match(events, [
    {
      action: 'consent.record',
      caseId,
      details: { consent: result.id, kind: 'second-opinion', text: given.text }
    }
  ])
  t.notMatch(JSON.stringify(events), /Rook|paper notes/, 'and the log names nobody')
  t.same(await consentsIn(caseId), {
    consents: [result],
    secondOpinion: 'given',
    required: false
  })
})

t.test('the moment of a consent is kept in one spelling', async t => {
  const caseId = await newCase()
  const givenAt = '2026-11-01T11:30:00.250999+01:00'
  const consent = await recordConsent(clinician, caseId, agreed(exchange.clock.now(), { givenAt }))
  t.equal(consent.givenAt, '2026-11-01T10:30:00.250Z')
  t.same((await consentsIn(caseId)).consents, [consent])
})

t.test('what is not a consent is refused, and says what it lacks', async t => {
  const caseId = await newCase()
  const now = exchange.clock.now()
  const whole = agreed(now)
  const abroad = agreedToTransfer(now, 'IN')
  const told = async (given: object) => {
    const { status, json } = await sendConsent(clinician, caseId, given)
    return [status, json.code]
  }
  const zeros = '0'.repeat(64)
  t.same(await told({ ...whole, text: { ...whole.text, sha256: zeros } }), [
    422,
    'consent-text-unknown'
  ])
  t.same(await told({ ...whole, text: { ...whole.text, version: 99 } }), [
    422,
    'consent-text-unknown'
  ])
  t.same(await told({ ...whole, text: abroad.text }), [422, 'consent-text-unknown'])
  const incomplete = [422, 'consent-incomplete']
  t.same(await told({ ...abroad, transfer: undefined }), incomplete)
  t.same(await told({ ...whole, transfer: abroad.transfer }), incomplete)
  t.same(await told({ ...whole, givenBy: { who: 'representative', name: 'Ada Rook' } }), incomplete)
  t.same(await told({ ...whole, givenBy: { who: 'patient', name: 'Ada Rook' } }), incomplete)
  t.same(await told(agreedToTransfer(now, 'XX')), incomplete)
  t.same(await told({ ...whole, takenBy: '\t' }), [422, 'text-invalid'])
  const day = 86_400_000
  const later = new Date(now + day).toISOString()
  const dates = [422, 'consent-date-invalid']
  t.same(await told({ ...whole, givenAt: later }), dates)
  t.same(await told({ ...whole, expires: '2001-01-01' }), dates)
  const unread = [400, 'request-invalid']
  for (const givenAt of [
    '0000-01-01T00:00:00Z',
    '0202-11-01T10:00:00Z',
    '2026-11-01t10:00:00Z',
    '2026-11-01 10:00:00Z',
    '2026-11-01T10:00:00'
  ]) {
    t.same(await told({ ...whole, givenAt }), unread, givenAt)
  }
  t.same(await told({ ...whole, expires: '0000-01-01' }), unread)
  const specialist = exchange.people.specialistIn.accountId.toUpperCase()
  t.same(await told(agreedToTransfer(now, 'IN', { specialist })), unread, 'it would fit nobody')
  for (const name of Object.keys(abroad.transfer ?? {})) {
    const transfer = { ...abroad.transfer, [name]: undefined }
    t.same(await told({ ...abroad, transfer }), [400, 'request-invalid'], `without ${name}`)
  }
  const untold = { ...abroad.transfer, rightToWithdraw: false }
  t.same(await told({ ...abroad, transfer: untold }), [400, 'request-invalid'])
  t.same((await consentsIn(caseId)).consents, [], 'nothing of it is kept')
})

t.test('a transfer rests on a consent that covers it, and on no other', async t => {
  const now = exchange.clock.now()
  const caseId = await newCase()
  const record = (country: string, change = {}) =>
    recordConsent(clinician, caseId, agreedToTransfer(now, country, change))
  const toIndia = await record('IN')
  const toBrazil = await record('BR')
  const toAnother = await record('IN', { specialist: exchange.people.stranger.accountId })
  const { id: ofAnotherCase } = await recordConsent(
    clinician,
    await newCase(),
    agreedToTransfer(now, 'IN')
  )
  const agreement = await recordConsent(clinician, caseId, agreed(now))
  const told = async (safeguard: object, kind = 'other') => {
    const answer = await sendShare(exchange, caseId, { with: 'specialistIn', kind, safeguard })
    return [answer.status, answer.json.code, ...((answer.json.problems as string[]) ?? [])]
  }
  const unfit = [422, 'consent-unfit']
  t.same(await told(byConsent(toBrazil.id)), [...unfit, 'it is for BR'])
  t.same(await told(byConsent(toAnother.id)), [...unfit, 'it is for another specialist'])
  t.same(await told(byConsent(toIndia.id), 'letter'), [
    ...unfit,
    'it does not cover records of the kind letter'
  ])
  t.same(await told(byConsent(agreement.id)), [
    ...unfit,
    'it is a consent to the second opinion, not to a transfer'
  ])
  t.same(await told(byConsent(ofAnotherCase)), [404, 'consent-not-found'])
  const { publicAuthority: _, ...unasked } = byConsent(toIndia.id)
  t.match(await told(unasked), [422, 'transfer-public-authority', /Article 49\(3\)/])
  t.match(await told(byConsent(toIndia.id)), [201])
})

t.test('a hospital that is no public authority is not warned', async t => {
  const authority = async (value: boolean) => {
    const { write } = await intrude(t, exchange.config)
    await write(async tx => {
      await tx.update(tx.tables.organisations).set({ publicAuthority: value })
    })
  }
  const caseId = await newCase()
  const consent = await recordConsent(
    clinician,
    caseId,
    agreedToTransfer(exchange.clock.now(), 'IN')
  )
  const { publicAuthority: _, ...safeguard } = byConsent(consent.id)
  await authority(false)
  const answer = await sendShare(exchange, caseId, { with: 'specialistIn', safeguard })
  await authority(true)
  t.equal(answer.status, 201)
})

t.test('what has an ODS code is a public authority unless the operator says otherwise', async t => {
  const authority = async (given: object) => {
    const input = { name: 'A hospital', country: 'GB', ...given }
    const id = await addOrganisation(exchange.exchange, input)
    return (await homeOf(exchange.exchange.database.read, id)).publicAuthority
  }
  t.equal(await authority({ odsCode: 'RY1' }), true)
  t.equal(await authority({ odsCode: 'RY2', publicAuthority: 'no' }), false)
  t.equal(await authority({ country: 'IE' }), false)
  t.equal(await authority({ country: 'IE', publicAuthority: 'yes' }), true)
  await t.rejects(authority({ country: 'IE', publicAuthority: 'perhaps' }), {
    code: 'request-invalid'
  })
})

t.test('without a recorded consent the share says so; after a no there is none', async t => {
  const caseId = await newCase()
  const viewOf = async (id: unknown) => {
    const { shares }: { shares: { id: string; consent: object }[] } = await clinician.json(
      'GET',
      `/v1/shares?case=${caseId}`
    )
    return shares.find(share => share.id === id)?.consent
  }
  const silent = await sendShare(exchange, caseId)
  t.same(await viewOf(silent.json.id), { recorded: false })
  const now = exchange.clock.now()
  const first = await recordConsent(clinician, caseId, agreed(now))
  const second = await recordConsent(clinician, caseId, agreed(now))
  const share = await sendShare(exchange, caseId)
  t.same(await viewOf(share.json.id), { recorded: true, id: second.id }, 'the newest that holds')

  const withdrawal = await sendWithdrawal(clinician, caseId, first.id)
  t.match(withdrawal.json, {
    consent: { id: first.id, state: 'withdrawn', withdrawn: { reason: 'She would rather not' } },
    withdrawnShares: [silent.json.id, share.json.id]
  })
  t.match((await consentsIn(caseId)).consents, [{ state: 'withdrawn' }, { state: 'withdrawn' }])
  t.match(await sendShare(exchange, caseId), { status: 422, json: { code: 'consent-withdrawn' } })
  t.match(await sendWithdrawal(clinician, caseId, first.id), { json: { code: 'consent-ended' } })

  const late = await sendConsent(clinician, caseId, agreed(now))
  const dates = { status: 422, json: { code: 'consent-date-invalid' } }
  t.match(late, dates, 'what she signed before it, and somebody enters after it')
  t.match(await sendShare(exchange, caseId), { status: 422, json: { code: 'consent-withdrawn' } })
  const givenAt = new Date(exchange.clock.now()).toISOString()
  await recordConsent(clinician, caseId, agreed(now, { givenAt }))
  t.equal((await consentsIn(caseId)).secondOpinion, 'given')
  t.match(await sendShare(exchange, caseId), { status: 201 }, 'until she agrees anew')
})

t.test('nobody changes or removes a consent, or what a share rests on', async t => {
  const intruder = await intrude(t, exchange.config)
  for (const [statement, refusal] of [
    ["UPDATE consents SET kind = 'transfer'", /cannot be changed/],
    ['UPDATE consents SET expires_at = 0', /cannot be changed/],
    ['UPDATE consents SET withdrawn_at = 0 WHERE withdrawn_at IS NOT NULL', /stays withdrawn/],
    ['DELETE FROM consents', /cannot be removed/],
    ["UPDATE share_grounds SET ground = 'x'", /cannot be changed/],
    ['DELETE FROM share_grounds', /cannot be changed/]
  ] as const) {
    await t.rejects(intruder.run(statement), refusal, statement)
  }
})

t.test('where consent is required nothing is shared without', async t => {
  const strict = await startExchange(t, { env: { CONSILIUM_CONSENT: 'required' } })
  const { id: caseId } = await createCase(strict.client('clinician'))
  t.match(await sendShare(strict, caseId), { status: 422, json: { code: 'consent-missing' } })
  await recordConsent(strict.client('clinician'), caseId, agreed(strict.clock.now()))
  t.match(await sendShare(strict, caseId), { status: 201 })
  const list = await strict.client('clinician').json('GET', `/v1/cases/${caseId}/consents`)
  t.match(list, { required: true, secondOpinion: 'given' })
})
