import { array, assert, asyncProperty, constantFrom, record } from 'fast-check'
import t from 'tap'
import type { CaseState, CaseView } from '../../schemas/case.ts'
import { opinionReceived } from '../../src/cases/move.ts'
import { Refusal } from '../../src/errors.ts'
import {
  createCase,
  numberedText,
  type PersonName,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { answersBy, putAnswers, putRequest, readCase, wholeRequest } from '../helpers/request.ts'

// Whatever people do to a case, and in whatever order, it stands where this model says.

const RUNS = 15
const STEPS_MAX = 26
const SHARE_MILLISECONDS = 3_600_000

const deeds = [
  'write',
  'answer',
  'forget',
  'complete',
  'share',
  'share anyway',
  'withdraw',
  'opinion',
  'close',
  'close and withdraw',
  'reopen',
  'wait'
] as const
type Deed = (typeof deeds)[number]
/** Without these, little else can happen. */
const often: Deed[] = ['write', 'answer', 'complete', 'reopen']
const actors: PersonName[] = [
  'clinician',
  'clinician',
  'clinician',
  'colleague',
  'otherClinician',
  'specialistGb',
  'auditor',
  'administrator'
]

/** What must be so, kept without a look at how the service does it. */
interface Model {
  written: boolean
  answered: boolean
  completed: boolean
  opinion: boolean
  closed: boolean
  /** Live shares, oldest first, with their ends. */
  live: { id: string; ends: number }[]
}

interface Run {
  exchange: TestExchange
  caseId: string
  letterId: string
  model: Model
}

function stateOf({ closed, opinion, live, completed }: Model): CaseState {
  if (closed) return 'closed'
  if (opinion) return 'opinion-received'
  if (live.length > 0) return 'shared'
  return completed ? 'complete' : 'draft'
}

/** The code a deed of somebody who may do it must be refused with, or `done`. */
function expected(deed: Deed, model: Model): string {
  const { written, answered, completed, opinion, closed, live } = model
  const isWhole = written && answered
  const refused = 'case-state-refused'
  switch (deed) {
    case 'write':
    case 'answer':
    case 'forget':
      return closed ? refused : 'done'
    case 'complete':
      if (closed || completed || opinion) return refused
      return isWhole ? 'done' : 'case-incomplete'
    case 'share':
      if (closed) return refused
      return !written || (isWhole && completed) ? 'done' : 'case-incomplete'
    case 'share anyway':
      return closed ? refused : 'done'
    case 'withdraw':
      return live.length > 0 ? 'done' : 'share-not-found'
    case 'opinion':
      return closed || live.length === 0 ? refused : 'done'
    case 'close':
      if (closed) return refused
      return live.length > 0 ? 'case-shares-live' : 'done'
    case 'close and withdraw':
      return closed ? refused : 'done'
    case 'reopen':
      return closed ? 'done' : refused
    case 'wait':
      return 'done'
  }
}

/** Does it for real. Resolves to the code of the refusal, or `done`. */
async function act(run: Run, deed: Deed, who: PersonName): Promise<{ code: string; id?: string }> {
  const { exchange, caseId, letterId, model } = run
  const client = exchange.client(who)
  const clinician = exchange.client('clinician')
  const path = `/v1/cases/${caseId}`
  const tag = async (what: 'request' | 'checklist') =>
    String((await clinician.send('GET', `${path}/${what}`)).headers.get('etag'))
  const share = (more: object) =>
    client.send('POST', `${path}/shares`, {
      specialist: exchange.people.specialistGb.accountId,
      records: [letterId],
      purpose: 'To see what happens',
      lifeHours: 1,
      ...more
    })
  const close = { reason: 'Enough' }
  const sends: Partial<Record<Deed, () => ReturnType<typeof client.send>>> = {
    write: async () => putRequest(client, caseId, await requestFor(run), await tag('request')),
    answer: async () => putAnswers(client, caseId, answersBy(letterId), await tag('checklist')),
    forget: async () => putAnswers(client, caseId, [], await tag('checklist')),
    complete: () => client.send('POST', `${path}/complete`),
    share: () => share({}),
    'share anyway': () => share({ overrideReason: 'It cannot wait' }),
    withdraw: () =>
      client.send(
        'DELETE',
        `/v1/shares/${model.live[0]?.id ?? '0190a5b0-0000-7000-8000-000000000000'}`
      ),
    close: () => client.send('POST', `${path}/close`, close),
    'close and withdraw': () =>
      client.send('POST', `${path}/close`, { ...close, revokeShares: true }),
    reopen: () => client.send('POST', `${path}/reopen`, { reason: 'Not yet' })
  }
  if (deed === 'wait') exchange.clock.advance(SHARE_MILLISECONDS / 2)
  if (deed === 'opinion') return { code: await opine(run) }
  const answer = await sends[deed]?.()
  if (answer === undefined || answer.status < 300)
    return { code: 'done', id: String(answer?.json.id) }
  return { code: String(answer.json.code) }
}

/** The same questions again: what was put to a specialist may not change. */
async function requestFor({ exchange, caseId, model }: Run) {
  const whole = wholeRequest(exchange.clock.now())
  if (!model.written) return whole
  const path = `/v1/cases/${caseId}/request`
  const { questions } = await exchange.client('clinician').json<typeof whole>('GET', path)
  return { ...whole, questions }
}

async function opine({ exchange, caseId, model }: Run): Promise<string> {
  const received = {
    caseId,
    shareId: model.live[0]?.id ?? 'none',
    by: exchange.people.specialistGb.accountId,
    at: exchange.clock.now()
  }
  try {
    await exchange.exchange.database.write(tx => opinionReceived(tx, received))
    return 'done'
  } catch (err) {
    if (err instanceof Refusal) return err.code
    throw err
  }
}

/** What a deed that was done has made of the case. */
function learn(model: Model, deed: Deed, now: number, id: string): void {
  if (deed === 'write') model.written = true
  if (deed === 'answer') model.answered = true
  if (deed === 'forget') model.answered = false
  if (deed === 'complete') model.completed = true
  if (deed === 'share' || deed === 'share anyway') {
    model.live.push({ id, ends: now + SHARE_MILLISECONDS })
  }
  if (deed === 'withdraw') model.live.shift()
  if (deed === 'opinion') model.opinion = true
  if (deed === 'close' || deed === 'close and withdraw') {
    model.closed = true
    model.live = []
  }
  if (deed === 'reopen') model.closed = false
  if (deed === 'wait') model.live = model.live.filter(share => share.ends > now)
}

/** What must hold of any case at any time. Throws for what does not. */
function requireSound(view: CaseView, before: CaseView | undefined, model: Model): void {
  const faults = [
    view.state !== stateOf(model) && `it is ${view.state}, not ${stateOf(model)}`,
    view.sharesLive !== model.live.length && 'it has other live shares',
    view.state === 'closed' && view.sharesLive > 0 && 'it is closed over a live share',
    (view.completeAt !== undefined) !== model.completed && 'it is complete, or not, wrongly',
    before?.completeAt !== undefined &&
      before.completeAt !== view.completeAt &&
      'its clock began again',
    before !== undefined &&
      JSON.stringify(view.moves.slice(0, before.moves.length)) !== JSON.stringify(before.moves) &&
      'what it did before has changed',
    view.moves.some(({ at }, place) => at < (view.moves[place - 1]?.at ?? '')) && 'time runs back'
  ].filter(fault => fault !== false)
  if (faults.length > 0) throw new Error(faults.join('; '))
}

const isAllowed = (deed: Deed, who: PersonName) =>
  deed === 'opinion' || deed === 'wait' || who === 'clinician' || who === 'colleague'

t.test('no random walk leads anywhere else', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-06-01T08:00:00Z')
  const seen = new Set<string>()
  const done = new Set<string>()
  const step = record({ deed: constantFrom(...deeds, ...often), who: constantFrom(...actors) })
  const walk = asyncProperty(array(step, { minLength: 8, maxLength: STEPS_MAX }), async steps => {
    const clinician = exchange.client('clinician')
    const { id: caseId } = await createCase(clinician)
    const letter = { kind: 'letter', date: '2027-05-30', files: [numberedText(60)] }
    const { id: letterId } = await uploadRecord(clinician, caseId, letter)
    const model: Model = {
      written: false,
      answered: false,
      completed: false,
      opinion: false,
      closed: false,
      live: []
    }
    const run = { exchange, caseId, letterId, model }
    let before: CaseView | undefined
    for (const { deed, who } of steps) {
      const { code, id = '' } = await act(run, deed, who)
      if (!isAllowed(deed, who)) {
        if (code === 'done') throw new Error(`${who} could ${deed}`)
      } else {
        const wanted = expected(deed, model)
        if (code !== wanted) throw new Error(`${deed} by ${who}: ${code}, not ${wanted}`)
        if (code === 'done') learn(model, deed, exchange.clock.now(), id)
        done.add(`${deed}: ${code}`)
      }
      const view = await readCase(clinician, caseId)
      requireSound(view, before, model)
      seen.add(view.state)
      before = view
    }
  })
  await t.resolves(assert(walk, { seed: 20_271_110, numRuns: RUNS, endOnFailure: true }))
  t.same([...seen].sort(), ['closed', 'complete', 'draft', 'opinion-received', 'shared'])
  for (const deed of deeds) t.ok(done.has(`${deed}: done`), `${deed} was done`)
})
