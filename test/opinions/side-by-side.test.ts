import t from 'tap'
import type { OpinionWrite, Stance } from '../../schemas/opinion.ts'
import { compare, type ToCompare } from '../../src/opinions/compare.ts'
import { type HandedOut, howMuch, noteRead } from '../../src/opinions/reviewed.ts'
import {
  openShare,
  type PersonName,
  type ShareMade,
  sharedPath,
  shareRecords,
  startExchange
} from '../helpers/exchange.ts'
import { readCase } from '../helpers/request.ts'
import {
  giveOpinion,
  type OpinionSummary,
  opinionPath,
  underReview,
  wholeOpinion
} from './scene.ts'

const x = await startExchange(t)
const clinician = x.client('clinician')

t.test('two who differ are laid side by side, and a third may be asked', async t => {
  const { caseId, letterId, share } = await underReview(x)
  const also = async (who: PersonName) => {
    const made = await shareRecords(x, caseId, [letterId], { with: who })
    await openShare(x.client(who), made.link)
    return made.id
  }
  const [second, third] = [await also('specialistIe'), await also('specialistGb')]
  const look = () => clinician.json<OpinionSummary>('GET', `/v1/cases/${caseId}/opinions`)
  t.match(await look(), { differs: false, shares: Array(3).fill({ state: 'awaited' }) })
  await giveOpinion(x.client('specialistGb'), share.id)
  const answers: OpinionWrite['answers'] = [
    { number: 1, stance: 'no', answer: 'Leave the bittern alone.' },
    { number: 2, stance: 'yes', answer: 'It would.' }
  ]
  const plan = { agreement: 'differs' } as const
  await giveOpinion(x.client('specialistIe'), second, wholeOpinion({ answers, plan }))

  const { result: both, events } = await x.eventsOf(look)
  t.match(events, [{ action: 'opinion.list', outcome: 'success', caseId }])
  t.match(both, {
    differs: true,
    hint: /third opinion/,
    diagnosis: { differs: false, by: [{ agreement: 'confirms' }, { agreement: 'confirms' }] },
    plan: {
      differs: true,
      by: [
        { share: share.id, agreement: 'refines' },
        { share: second, agreement: 'differs' }
      ]
    },
    questions: [
      { number: 1, differs: true, answers: [{ stance: 'yes' }, { stance: 'no', share: second }] },
      { number: 2, differs: false, answers: [{ declined: /curlew/ }, { answer: 'It would.' }] }
    ]
  })
  t.same(
    both.shares.map(line => [line.share, line.specialist.name, line.state]),
    [
      [third, 'Dr Carol Goldcrest', 'awaited'],
      [second, 'Dr Niamh Redstart', 'submitted'],
      [share.id, 'Dr Carol Goldcrest', 'submitted']
    ]
  )
  t.match(await readCase(clinician, caseId), { state: 'opinion-received' })

  const path = `/v1/shares/${third}/decline`
  const declined = await x.client('specialistGb').send('POST', path, { reason: 'Once is enough' })
  t.match(declined, { status: 200, json: { share: third, reason: 'Once is enough' } })
  t.match((await look()).shares[0], { state: 'declined', reason: 'Once is enough' })
})

t.test('who declines has nothing more to do with it, and the sender knows why', async t => {
  const specialist = x.client('specialistGb')
  const { caseId, share } = await underReview(x)
  const decline = () =>
    specialist.send('POST', `/v1/shares/${share.id}/decline`, { reason: 'Not my field' })
  t.match(
    await x.client('stranger').send('POST', `/v1/shares/${share.id}/decline`, { reason: 'X' }),
    {
      status: 404
    }
  )
  const { result, events } = await x.eventsOf(decline)
  t.equal(result.status, 200)
  t.match(events, [{ action: 'case.decline', outcome: 'success', shareId: share.id }])
  for (const answer of [
    await decline(),
    await specialist.send('GET', `/v1/shares/${share.id}`),
    await specialist.send('GET', opinionPath(share.id))
  ]) {
    t.match(answer, { status: 410, json: { code: 'share-declined' } })
  }
  t.match(await readCase(clinician, caseId), { state: 'complete', sharesLive: 0 })
  const { notices } = await clinician.json<{ notices: { kind: string; to: string }[] }>(
    'GET',
    `/v1/notices?share=${share.id}`
  )
  t.same(notices.map(({ kind }) => kind).sort(), ['case-declined', 'share-created', 'share-opened'])

  const other = await underReview(x)
  await giveOpinion(specialist, other.share.id)
  const late = await specialist.send('POST', `/v1/shares/${other.share.id}/decline`, {
    reason: 'X'
  })
  t.match(late, { status: 409, json: { code: 'opinion-final' } })
})

t.test('what counts as differing', async t => {
  const opinion = (share: string, stance: Stance | undefined, key = 1): ToCompare => ({
    share,
    account: share,
    opinion: {
      answers: [{ number: 1, ...(stance && { stance }), answer: 'So.' }],
      diagnosis: { agreement: 'confirms' },
      plan: { agreement: 'confirms' }
    },
    questions: [{ key, number: 1, text: 'Why?' }]
  })
  const differs = (...stances: (Stance | undefined)[]) =>
    compare(stances.map((stance, n) => opinion(`s${n}`, stance))).differs
  t.ok(differs('yes', 'no'))
  t.ok(differs('yes', 'conditional'))
  t.notOk(differs('yes', 'yes'))
  t.notOk(differs('yes', 'cannot-say'), 'who cannot say contradicts nobody')
  t.notOk(differs('yes', undefined))
  t.ok(differs('cannot-say', 'no', 'yes'))
  t.notOk(compare([opinion('a', 'yes'), opinion('b', 'no', 0)]).differs, 'of two questions')
  t.notOk(compare([]).differs)
  t.equal(compare([opinion('a', 'yes'), opinion('b', 'no')]).hint?.includes('third'), true)
  const three = [opinion('a', 'yes'), opinion('b', 'no'), opinion('c', 'no')]
  t.notOk(compare(three).hint, 'a third has been asked')
})

t.test('what was handed over before more time was given is told too', async t => {
  // Given a specialist who has read all of it, and is given more time then
  const { caseId, letterId, share } = await underReview(x)
  const specialist = x.client('specialistGb')
  await specialist.send('GET', sharedPath(share.id, letterId))
  const path = `/v1/shares/${share.id}/more-time/approve`
  const longer = await clinician.json<ShareMade>('POST', path, { lifeHours: 100, unasked: true })
  await openShare(specialist, longer.link)

  // When they submit without reading it once more
  const { reviewed } = await giveOpinion(specialist, longer.id)

  // Then what is signed says what the log does: they had it
  t.match(reviewed, [{ record: letterId, handedOver: { whole: 1, part: 0, none: 0 } }])

  // And nobody else had
  const other = await shareRecords(x, caseId, [letterId], { with: 'specialistIe' })
  await openShare(x.client('specialistIe'), other.link)
  const theirs = await giveOpinion(x.client('specialistIe'), other.id)
  t.match(theirs.reviewed, [{ handedOver: { whole: 0, part: 0, none: 1 } }])
})

t.test('how much of a file was handed over', async t => {
  const handed: HandedOut = { spans: new Map(), archives: new Map() }
  const file = { id: 'o', bytes: 100 }
  const read = (bytes: number | null, range?: [number, number], outcome = 'complete') =>
    noteRead(handed, { recordId: 'r', objectId: 'o', outcome, bytes }, { range })
  const now = () => howMuch(handed, 'r', file)
  t.equal(now(), 'none')
  read(0, [0, 100], 'aborted')
  t.equal(now(), 'none')
  read(40, [0, 100], 'aborted')
  t.equal(now(), 'part')
  read(40, [60, 100])
  t.equal(now(), 'part', 'with a hole in it')
  read(30, [35, 65])
  t.equal(now(), 'whole', 'in pieces that overlap')
  const archive = (outcome: string) =>
    noteRead(handed, { recordId: 'r', objectId: null, outcome, bytes: 9 }, { copy: 'c' })
  archive('aborted')
  t.equal(howMuch(handed, 'c', { id: 'p', bytes: 5 }), 'part')
  archive('complete')
  archive('aborted')
  t.equal(howMuch(handed, 'c', { id: 'p', bytes: 5 }), 'whole', 'with all of its record')
})

t.test('a slide that was read in many thousands of pieces is no work', async t => {
  // Given a viewer that asks for one tile after the other
  const PIECES = 40_000
  const handed: HandedOut = { spans: new Map(), archives: new Map() }
  const began = performance.now()

  // When each of its reads is noted
  for (let at = 0; at < PIECES; at += 1) {
    const range = [at * 10, at * 10 + 10]
    noteRead(handed, { recordId: 'r', objectId: 'o', outcome: 'complete', bytes: 10 }, { range })
  }

  // Then the file was handed over whole, and nobody else has waited for it
  t.equal(howMuch(handed, 'r', { id: 'o', bytes: PIECES * 10 }), 'whole')
  t.ok(performance.now() - began < 2000)
})
