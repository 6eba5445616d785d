import t, { type Test } from 'tap'
import { opinionReceived } from '../../src/cases/move.ts'
import {
  createCase,
  numberedText,
  openShare,
  sendLink,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import {
  completeCase,
  readCase,
  readyCase,
  wholeRequest,
  writeRequest
} from '../helpers/request.ts'

const HOUR = 3_600_000
const REASON = 'The patient has moved to another hospital'

async function stage(t: Test) {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-11-10T09:00:00Z')
  return { exchange, clinician: exchange.client('clinician') }
}

const opinion = (exchange: TestExchange, caseId: string, shareId: string) =>
  exchange.exchange.database.write(tx =>
    opinionReceived(tx, {
      caseId,
      shareId,
      by: exchange.people.specialistGb.accountId,
      at: exchange.clock.now()
    })
  )

t.test('a case goes from draft to closed, and each step says who and when', async t => {
  const { exchange, clinician } = await stage(t)
  const { people, clock } = exchange
  const { caseId, letterId } = await readyCase(clinician, clock.now())
  t.match(await readCase(clinician, caseId), { state: 'draft', moves: [], sharesLive: 0 })

  clock.advance(HOUR)
  const complete = await exchange.client('colleague').json('POST', `/v1/cases/${caseId}/complete`)
  t.match(complete, { state: 'complete', completeAt: '2027-11-10T10:00:00.000Z' })
  clock.advance(HOUR)
  const share = await shareRecords(exchange, caseId, [letterId], { lifeHours: 2 })
  t.match(await readCase(clinician, caseId), { state: 'shared', sharesLive: 1 })
  clock.advance(HOUR)
  await opinion(exchange, caseId, share.id)
  t.match(await readCase(clinician, caseId), { state: 'opinion-received', sharesLive: 1 })
  clock.advance(HOUR)
  const closed = await clinician.send('POST', `/v1/cases/${caseId}/close`, { reason: REASON })
  t.match(closed, { status: 200, json: { state: 'closed', sharesLive: 0 } })

  const step = (move: string, from: string, to: string, hour: number, by: keyof typeof people) => ({
    move,
    from,
    to,
    at: `2027-11-10T${hour}:00:00.000Z`,
    by: people[by].accountId
  })
  t.same((await readCase(clinician, caseId)).moves, [
    step('complete', 'draft', 'complete', 10, 'colleague'),
    { ...step('share', 'complete', 'shared', 11, 'clinician'), share: share.id },
    { ...step('opinion', 'shared', 'opinion-received', 12, 'specialistGb'), share: share.id },
    { ...step('close', 'opinion-received', 'closed', 13, 'clinician'), reason: REASON }
  ])
  for (const action of ['case.complete', 'case.close'] as const) {
    t.equal((await exchange.auditEvents({ action, outcome: 'success', caseId })).length, 1, action)
  }
})

t.test('what is not possible is refused, with what is', async t => {
  const { exchange, clinician } = await stage(t)
  const { caseId } = await completeCase(clinician, exchange.clock.now())
  const refused = async (path: string, body: object | undefined, problems: string[]) => {
    const answer = await clinician.send('POST', `/v1/cases/${caseId}/${path}`, body)
    t.match(answer, { status: 409, json: { code: 'case-state-refused' } }, path)
    t.same(answer.json.problems, problems, path)
  }
  await refused('complete', undefined, ['the case is complete', 'possible now: share, close'])
  await refused('reopen', { reason: 'x' }, ['the case is complete', 'possible now: share, close'])
  await clinician.json('POST', `/v1/cases/${caseId}/close`, { reason: REASON })
  const closed = ['the case is closed', 'possible now: reopen']
  await refused('close', { reason: 'x' }, closed)
  await refused('complete', undefined, closed)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(50)] })
  const specialist = exchange.people.specialistGb.accountId
  await refused('shares', { specialist, records: [record.id], purpose: 'x' }, closed)
  const put = await clinician.send(
    'PUT',
    `/v1/cases/${caseId}/request`,
    wholeRequest(exchange.clock.now()),
    { 'if-match': '"1"' }
  )
  t.match(put, { status: 409, json: { code: 'case-state-refused', problems: closed } })
  const answers = await clinician.send(
    'PUT',
    `/v1/cases/${caseId}/checklist`,
    { answers: [] },
    { 'if-match': '"1"' }
  )
  t.match(answers, { status: 409, json: { code: 'case-state-refused' } })
})

t.test('closing withdraws nothing that it was not told to withdraw', async t => {
  const { exchange, clinician } = await stage(t)
  const { caseId, letterId } = await completeCase(clinician, exchange.clock.now())
  const first = await shareRecords(exchange, caseId, [letterId])
  exchange.clock.advance(1)
  const second = await shareRecords(exchange, caseId, [letterId], {
    with: 'specialistIe',
    notBefore: new Date(exchange.clock.now() + 24 * HOUR).toISOString()
  })
  const ended = await shareRecords(exchange, caseId, [letterId], { lifeHours: 1 })
  exchange.clock.advance(2 * HOUR)
  await openShare(exchange.client('specialistGb'), first.link)

  const refused = await clinician.send('POST', `/v1/cases/${caseId}/close`, { reason: REASON })
  t.match(refused, { status: 409, json: { code: 'case-shares-live' } })
  t.same(refused.json.problems, [`share ${first.id}`, `share ${second.id}`], 'also one to come')
  t.match(await readCase(clinician, caseId), { state: 'shared', sharesLive: 2 })

  const { result, events } = await exchange.eventsOf(() =>
    clinician.send('POST', `/v1/cases/${caseId}/close`, { reason: REASON, revokeShares: true })
  )
  t.match(result, { status: 200, json: { state: 'closed' } })
  t.same(
    events.map(({ action, outcome, shareId }) => [action, outcome, shareId]),
    [
      ['share.revoke', 'success', first.id],
      ['share.revoke', 'success', second.id],
      ['case.close', 'success', null]
    ]
  )
  t.match(await sendLink(exchange.client('specialistGb'), first.link), { status: 410 })
  const moves = (await readCase(clinician, caseId)).moves.slice(-3)
  t.same(
    moves.map(({ move, from, to }) => [move, from, to]),
    [
      ['withdraw', 'shared', 'shared'],
      ['withdraw', 'shared', 'complete'],
      ['close', 'complete', 'closed']
    ]
  )
  const expired = await clinician.send('DELETE', `/v1/shares/${ended.id}`)
  t.equal(expired.status, 200, 'what had expired can be withdrawn for good')
  t.equal((await readCase(clinician, caseId)).moves.at(-1)?.move, 'close', 'and is no move')
})

t.test('a closed case opens again where it stood, and what was withdrawn stays so', async t => {
  const { exchange, clinician } = await stage(t)
  const { caseId, letterId } = await completeCase(clinician, exchange.clock.now())
  const { completeAt } = await readCase(clinician, caseId)
  const share = await shareRecords(exchange, caseId, [letterId])
  const close = { reason: REASON, revokeShares: true }
  await clinician.json('POST', `/v1/cases/${caseId}/close`, close)
  exchange.clock.advance(HOUR)
  const reopened = await clinician.json('POST', `/v1/cases/${caseId}/reopen`, {
    reason: 'Wrong one'
  })
  t.match(reopened, { state: 'complete', sharesLive: 0, completeAt }, 'the clock did not restart')
  t.match(await sendLink(exchange.client('specialistGb'), share.link), { status: 410 })

  const { id: drafted } = await createCase(clinician)
  await clinician.json('POST', `/v1/cases/${drafted}/close`, { reason: REASON })
  const again = await clinician.json('POST', `/v1/cases/${drafted}/reopen`, { reason: 'Wrong one' })
  t.match(again, { state: 'draft' })
})

t.test('a case is shared for as long as a share of it is live, to the millisecond', async t => {
  const { exchange, clinician } = await stage(t)
  const { clock } = exchange
  const { caseId, letterId } = await completeCase(clinician, clock.now())
  const share = await shareRecords(exchange, caseId, [letterId], { lifeHours: 1 })
  const stateAt = async (at: number) => {
    clock.set(at)
    return (await readCase(clinician, caseId)).state
  }
  const ends = Date.parse(share.expiresAt)
  t.equal(await stateAt(ends - 1), 'shared')
  t.equal(await stateAt(ends), 'complete')
  const { caseId: other, letterId: letter } = await completeCase(clinician, clock.now())
  const made = await shareRecords(exchange, other, [letter])
  await clinician.json('DELETE', `/v1/shares/${made.id}`)
  t.match(await readCase(clinician, other), { state: 'complete', sharesLive: 0 })
})

t.test('an opinion comes through a live share of an open case, and only so', async t => {
  const { exchange, clinician } = await stage(t)
  const { clock } = exchange
  const { caseId, letterId } = await completeCase(clinician, clock.now())
  const share = await shareRecords(exchange, caseId, [letterId], { lifeHours: 1 })
  const elsewhere = await completeCase(clinician, clock.now())
  const foreign = await shareRecords(exchange, elsewhere.caseId, [elsewhere.letterId])
  const refused = { code: 'case-state-refused' }
  await t.rejects(opinion(exchange, caseId, foreign.id), refused, 'through a share of another case')
  clock.advance(HOUR)
  await t.rejects(opinion(exchange, caseId, share.id), refused, 'through one that has expired')
  t.match(await readCase(clinician, caseId), { state: 'complete' })

  const next = await shareRecords(exchange, caseId, [letterId])
  await opinion(exchange, caseId, next.id)
  await opinion(exchange, caseId, next.id)
  t.match(await readCase(clinician, caseId), { state: 'opinion-received' })
  await shareRecords(exchange, caseId, [letterId], { with: 'specialistIe' })
  t.match(await readCase(clinician, caseId), { state: 'opinion-received', sharesLive: 2 })
  const close = { reason: REASON, revokeShares: true }
  await clinician.json('POST', `/v1/cases/${caseId}/close`, close)
  await t.rejects(opinion(exchange, caseId, next.id), refused, 'for a case that is closed')
  const reopened = await clinician.json('POST', `/v1/cases/${caseId}/reopen`, { reason: 'x' })
  t.match(reopened, { state: 'opinion-received' })
})

t.test('a case made before there were requests is shared as ever', async t => {
  const { exchange, clinician } = await stage(t)
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  const share = await shareRecords(exchange, caseId, [record.id])
  t.match(await readCase(clinician, caseId), { state: 'shared', warnings: [] })
  const opened = await openShare(exchange.client('specialistGb'), share.link)
  t.notOk('request' in opened)
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  t.match(await readCase(clinician, caseId), { state: 'draft' })

  await writeRequest(clinician, caseId, wholeRequest(exchange.clock.now()))
  await t.rejects(shareRecords(exchange, caseId, [record.id]), /case-incomplete/, 'until asked')
})

t.test('closing and sharing at once: one of them comes first', async t => {
  const { exchange, clinician } = await stage(t)
  const specialist = exchange.people.specialistGb.accountId
  const seen = new Set<string>()
  for (let round = 0; round < 12; round += 1) {
    const { caseId, letterId } = await completeCase(clinician, exchange.clock.now())
    const share = { specialist, records: [letterId], purpose: 'x' }
    const acts = [
      () => clinician.send('POST', `/v1/cases/${caseId}/close`, { reason: REASON }),
      () => exchange.client('colleague').send('POST', `/v1/cases/${caseId}/shares`, share)
    ]
    if (round % 2 === 1) acts.reverse()
    const codes = await Promise.all(
      acts.map(async act => {
        const answer = await act()
        return answer.status < 300 ? 'done' : String(answer.json.code)
      })
    )
    const [close, shared] = round % 2 === 1 ? codes.reverse() : codes
    const outcome = `${close} ${shared}`
    seen.add(outcome)
    t.ok(['done case-state-refused', 'case-shares-live done'].includes(outcome), outcome)
    const { state, sharesLive } = await readCase(clinician, caseId)
    t.same([state, sharesLive], close === 'done' ? ['closed', 0] : ['shared', 1])
  }
  t.comment([...seen].join(' | '))
})

t.test('a case says when something last happened to it, and looking is not news', async t => {
  const { exchange, clinician } = await stage(t)
  const { clock } = exchange
  const { caseId, letterId } = await completeCase(clinician, clock.now())
  const share = await shareRecords(exchange, caseId, [letterId])
  const at = async (act: () => Promise<unknown>) => {
    clock.advance(60_000)
    const before = clock.now()
    await act()
    // Content has a second event, after the client has the last byte.
    await exchange.auditEvents()
    clock.advance(60_000)
    const { lastEventAt } = await readCase(clinician, caseId)
    return Date.parse(String(lastEventAt)) === before
  }
  t.notOk(await at(() => readCase(clinician, caseId)), 'a colleague looks')
  t.notOk(await at(() => clinician.send('GET', `/v1/records/${letterId}/content`)), 'and reads')
  const stranger = exchange.client('stranger')
  t.notOk(await at(() => sendLink(stranger, share.link)), 'a stranger is refused')
  t.ok(await at(() => sendLink(exchange.client('specialistGb'), share.link)), 'a specialist opens')
  const path = `/v1/shares/${share.id}/records/${letterId}/content`
  t.ok(await at(() => exchange.client('specialistGb').send('GET', path)), 'and reads')
  t.ok(await at(() => writeRequest(clinician, caseId, requestLike(clock.now()))), 'it is written')
})

/** As the one before, with its questions. */
const requestLike = (now: number) => {
  const whole = wholeRequest(now)
  const questions = whole.questions.map(({ text }, place) => ({ number: place + 1, text }))
  return { ...whole, questions }
}
