import t from 'tap'
import type { MoreTimeView } from '../../schemas/more-time.ts'
import {
  type Answer,
  isSound,
  numberedText,
  openShare,
  type PersonName,
  type Shared,
  safeguard,
  sendLink,
  sharedPath,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { completeCase, dayFrom, readCase, writeAnswers } from '../helpers/request.ts'
import { giveOpinion, underReview } from '../opinions/scene.ts'
import { expire, verify } from '../register/scene.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const WORDS = 'The curlew needs a second look'
const FILES = [numberedText(2000)]

type Made = { id: string; link: string; expiresAt: string }

const ask = (x: TestExchange, share: string, body?: object, who: PersonName = 'specialistGb') =>
  x.client(who).send('POST', `/v1/shares/${share}/more-time`, body)

const answer = (
  x: TestExchange,
  share: string,
  what: 'approve' | 'decline',
  body: object,
  who: PersonName = 'clinician'
): Promise<Answer> => x.client(who).send('POST', `/v1/shares/${share}/more-time/${what}`, body)

const asks = async (x: TestExchange, share: string, who: PersonName = 'specialistGb') => {
  const { requests } = await x
    .client(who)
    .json<{ requests: MoreTimeView[] }>('GET', `/v1/shares/${share}/more-time`)
  return requests
}

const noticesOf = async (x: TestExchange, kind: string) => {
  const { read } = x.exchange.database
  const rows = await read.select().from(read.tables.notices)
  return rows.filter(row => row.kind === kind)
}

/** A share that its specialist has opened, and that has expired. */
async function expired(x: TestExchange, change: Parameters<typeof sharedRecord>[2] = {}) {
  const made = await sharedRecord(x, FILES, { lifeHours: 2, ...change })
  x.clock.advance(3 * HOUR)
  return made
}

async function readAgain(x: TestExchange, made: Made, { record }: Shared): Promise<number> {
  const specialist = x.client('specialistGb')
  await openShare(specialist, made.link)
  return (await specialist.send('GET', sharedPath(made.id, record.id))).status
}

t.test('an expired link is rescued by one act of each side, and the old one is dead', async t => {
  const x = await startExchange(t)
  const shared = await expired(x, { openingsMax: 5 })
  const { share, path } = shared
  const specialist = x.client('specialistGb')
  t.match((await sendLink(specialist, share.link)).json, { code: 'share-expired' })
  const asked = await ask(x, share.id, { hours: 48, words: `  ${WORDS} ` })
  t.match(asked, { status: 201, json: { state: 'waiting', hours: 48, words: WORDS } })
  t.match(await noticesOf(x, 'more-time-asked'), [{ accountId: x.people.clinician.accountId }])
  const { shares } = await x
    .client('colleague')
    .json<{ shares: { id: string; moreTimeAsked?: boolean }[] }>('GET', '/v1/shares')
  t.match(shares, [{ id: share.id, moreTimeAsked: true }])

  const { result, events } = await x.eventsOf(() =>
    answer(x, share.id, 'approve', { lifeHours: 48 }, 'colleague')
  )
  t.equal(result.status, 201)
  const made = result.json as unknown as Made
  t.match(events, [
    { action: 'share.create', shareId: made.id, details: { replaces: share.id } },
    { action: 'share.revoke', shareId: share.id, details: { replacedBy: made.id } },
    { action: 'more-time.give', shareId: share.id, details: { replacedBy: made.id } }
  ])
  t.equal(Date.parse(made.expiresAt) - x.clock.now() <= 48 * HOUR, true)
  t.match(await noticesOf(x, 'more-time-given'), [
    { shareId: made.id, accountId: x.people.specialistGb.accountId }
  ])
  t.same(await noticesOf(x, 'share-revoked'), [], 'which tells of both')

  const dead = { status: 410, json: { code: 'share-replaced' } }
  t.match(await sendLink(specialist, share.link), dead)
  t.match(await specialist.send('GET', path), dead)
  t.match(await ask(x, share.id), dead, 'nor can it be rescued twice')
  t.match((await sendLink(x.client('stranger'), share.link)).json, { code: 'share-not-found' })
  t.equal(await readAgain(x, made, shared), 200)
  t.match(await asks(x, share.id), [{ state: 'given', shareGiven: made.id, words: WORDS }])
  t.match(await asks(x, share.id, 'clinician'), [{ state: 'given' }])
  t.match(await readCase(x.client('clinician'), shared.caseId), { state: 'shared', sharesLive: 1 })
  const again = await x.client('clinician').json<{ shares: object[] }>('GET', '/v1/shares')
  t.match(again.shares, [
    { id: made.id, state: 'live', openings: 1, openingsMax: 5 },
    { id: share.id, state: 'revoked', replacedBy: made.id }
  ])
  await isSound(t, x)
})

t.test('who asks too late, too often, twice, or what is not theirs is told so', async t => {
  const x = await startExchange(t)
  const { share } = await sharedRecord(x, FILES, { lifeHours: 2 })
  t.match(await ask(x, share.id, {}, 'stranger'), { json: { code: 'share-not-found' } })
  t.match(await ask(x, share.id, { words: ' ' }), { json: { code: 'text-invalid' } })
  t.match(await answer(x, share.id, 'approve', { lifeHours: 9 }), {
    status: 409,
    json: { code: 'more-time-not-asked' }
  })
  const both = await Promise.all([ask(x, share.id), ask(x, share.id, {})])
  t.same(both.map(({ status }) => status).sort(), [201, 409], 'of two at once one is stored')
  t.match(await ask(x, share.id), { json: { code: 'more-time-pending' } })
  for (let turn = 1; turn <= 3; turn += 1) {
    if (turn > 1) t.match(await ask(x, share.id), { status: 201 })
    t.match(await answer(x, share.id, 'decline', { reason: `No, ${turn}` }), {
      json: { state: 'declined', reason: `No, ${turn}` }
    })
  }
  t.match(await ask(x, share.id), { status: 409, json: { code: 'more-time-asked-too-often' } })
  t.match(await asks(x, share.id), [{ reason: 'No, 1' }, { reason: 'No, 2' }, { reason: 'No, 3' }])
  t.equal((await noticesOf(x, 'more-time-declined')).length, 3)
  t.match(await openShare(x.client('specialistGb'), share.link), { id: share.id }, 'it goes on')

  const late = await sharedRecord(x, FILES, { lifeHours: 2 })
  const revoked = await sharedRecord(x, FILES)
  const lapsed = await sharedRecord(x, FILES)
  await ask(x, lapsed.share.id)
  for (const { share } of [revoked, lapsed]) {
    await x.client('clinician').json('DELETE', `/v1/shares/${share.id}`)
  }
  t.match(await ask(x, revoked.share.id), { status: 410, json: { code: 'share-revoked' } })
  t.match(await asks(x, lapsed.share.id, 'clinician'), [{ state: 'lapsed' }])
  const path = `/v1/shares/${lapsed.share.id}/more-time`
  t.match(
    await x.client('specialistGb').send('GET', path),
    { status: 410 },
    'not to whom it is shut'
  )
  for (const [what, body] of [
    ['approve', { lifeHours: 9 }],
    ['decline', { reason: 'No' }]
  ] as const) {
    t.match(await answer(x, lapsed.share.id, what, body), { json: { code: 'share-ended' } })
  }
  x.clock.set(Date.parse(late.share.expiresAt) + 14 * DAY)
  t.match(await ask(x, late.share.id), { status: 410, json: { code: 'more-time-too-late' } })
  x.clock.set(Date.parse(late.share.expiresAt) + 14 * DAY - 1)
  t.match(await ask(x, late.share.id), { status: 201 })
})

t.test('everything about it is judged as if it were the first', async t => {
  const x = await startExchange(t)
  const held = safeguard(x.clock.now())
  const abroad = await expired(x, { with: 'specialistUs', safeguard: held })
  await ask(x, abroad.share.id, undefined, 'specialistUs')
  const specialist = x.people.specialistUs.accountId
  const give = (body: object = {}) =>
    answer(x, abroad.share.id, 'approve', { lifeHours: 9, ...body })
  await expire(x, specialist)
  t.match(await give(), { json: { code: 'specialist-verification-expired' } })
  await verify(x, specialist)
  t.match(await give({ lifeHours: 721 }), { json: { code: 'request-invalid' } })
  const spent = safeguard(x.clock.now(), { expires: dayFrom(x.clock.now(), -2) })
  t.match(await give({ safeguard: spent }), { json: { code: 'transfer-safeguard-expired' } })
  t.match(await asks(x, abroad.share.id, 'specialistUs'), [{ state: 'waiting' }], 'it still waits')
  t.match(await give(), { status: 201, json: { transfer: { basis: 'idta' } } })

  const live = await sharedRecord(x, FILES, { lifeHours: 100 })
  await ask(x, live.share.id)
  t.match(await answer(x, live.share.id, 'approve', { lifeHours: 99 }), {
    status: 422,
    json: { code: 'more-time-shorter' }
  })
  const future = new Date(x.clock.now() + 50 * HOUR).toISOString()
  const later = await sharedRecord(x, FILES, { notBefore: future, lifeHours: 2, opened: false })
  await ask(x, later.share.id)
  const { json } = await answer(x, later.share.id, 'approve', { lifeHours: 9 })
  t.equal(json.notBefore, later.share.notBefore, 'it opens no earlier')

  const clinician = x.client('clinician')
  const { caseId, letterId } = await completeCase(clinician, x.clock.now())
  const share = await clinician.json<Made>('POST', `/v1/cases/${caseId}/shares`, {
    specialist: x.people.specialistGb.accountId,
    records: [letterId],
    purpose: 'An opinion'
  })
  await ask(x, share.id)
  await writeAnswers(clinician, caseId, [])
  const more = { lifeHours: 200 }
  t.match(await answer(x, share.id, 'approve', more), { json: { code: 'case-incomplete' } })
  t.match(await answer(x, share.id, 'approve', { ...more, overrideReason: 'Tomorrow' }), {
    status: 201
  })
})

t.test('what was asked before the opinion came back waits no longer', async t => {
  const x = await startExchange(t)
  const { share } = await underReview(x)
  await ask(x, share.id)
  await giveOpinion(x.client('specialistGb'), share.id)
  t.match(await answer(x, share.id, 'decline', { reason: 'No' }), {
    status: 409,
    json: { code: 'opinion-final' }
  })
  type List = { counts?: { moreTimeAsked: number }; shares: { moreTimeAsked?: boolean }[] }
  const live = await x.client('clinician').json<List>('GET', '/v1/shares?state=live')
  t.equal(live.counts?.moreTimeAsked, 0, 'nobody is to see to what nobody can answer')
  t.notHas(live.shares[0], { moreTimeAsked: true })
  const { reviews } = await x
    .client('specialistGb')
    .json<{ reviews: { moreTimeAsked?: boolean }[] }>('GET', '/v1/reviews')
  t.notHas(reviews[0], { moreTimeAsked: true })
  t.match(await asks(x, share.id), [{ state: 'lapsed' }])
  t.match(await asks(x, share.id, 'clinician'), [{ state: 'lapsed' }])
})

t.test('of several who answer at once one does, and a withdrawal is never outrun', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const live = async (caseId: string) => (await readCase(clinician, caseId)).sharesLive
  for (let turn = 0; turn < 4; turn += 1) {
    const { share, caseId } = await sharedRecord(x, FILES)
    await ask(x, share.id)
    const gives = [1, 2, 3].map(n => answer(x, share.id, 'approve', { lifeHours: 100 + n }))
    const answers = await Promise.all([...gives, answer(x, share.id, 'decline', { reason: 'No' })])
    const won = answers.filter(({ status }) => status < 300)
    t.equal(won.length, 1, answers.map(({ status, json }) => `${status} ${json.code}`).join())
    t.equal(await live(caseId), 1)
  }
  for (let turn = 0; turn < 4; turn += 1) {
    const { share, caseId } = await sharedRecord(x, FILES)
    await ask(x, share.id)
    const [given, withdrawn] = await Promise.all([
      answer(x, share.id, 'approve', { lifeHours: 100 }),
      clinician.send('DELETE', `/v1/shares/${share.id}`)
    ])
    if (given.status === 201) {
      t.match(withdrawn, { status: 410, json: { code: 'share-replaced' } })
      t.same(withdrawn.json.problems, [`share ${given.json.id} replaces it`])
      t.equal(await live(caseId), 1, 'whoever withdrew was told what still lives')
    } else {
      t.match([given.json.code, withdrawn.status], ['share-ended', 200])
      t.equal(await live(caseId), 0)
    }
  }
  await isSound(t, x)
})
