import t from 'tap'
import type { HoldView, RetentionView } from '../../schemas/retention.ts'
import { knownCase } from '../../src/cases/case.ts'
import { endCases } from '../../src/retention/end-cases.ts'
import { judge } from '../../src/retention/facts.ts'
import {
  createCase,
  isSound,
  numberedText,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { completeCase } from '../helpers/request.ts'
import { goOn, newCase, ORDER } from './stage.ts'

const DAY = 86_400_000
const HELD = { status: 409, json: { code: 'case-held' } }

t.test('a hold keeps everything, until the last is lifted', async t => {
  const x = await startExchange(t)
  const administrator = x.client('administrator')
  const { id, recordId } = await newCase(x)
  const path = `/v1/cases/${id}`
  const put = (reason: string) => administrator.json<HoldView>('POST', `${path}/holds`, { reason })
  const first = await put('A claim was announced')
  const second = await put('The coroner asked')
  t.match(first, { case: id, reason: 'A claim was announced', putAt: String })

  t.match(await administrator.send('POST', `${path}/erasure`, ORDER), HELD, 'nor on request')
  await x.client('clinician').json('POST', `${path}/close`, { reason: 'Answered' })
  x.clock.advance(4000 * DAY)
  t.match(await endCases(x.exchange, goOn), { copies: 0, cases: 0 }, 'nor by the policy')
  t.equal((await x.client('clinician').send('GET', `/v1/records/${recordId}`)).status, 200)

  const lift = (hold: HoldView) =>
    administrator.send('POST', `${path}/holds/${hold.id}/lift`, { reason: 'Settled' })
  t.match(await lift(first), { status: 200, json: { liftReason: 'Settled', liftedAt: String } })
  t.match(await lift(first), { status: 409, json: { code: 'hold-lifted' } })
  t.match(await endCases(x.exchange, goOn), { cases: 0 }, 'the other one holds')

  const seen = (who: 'auditor' | 'clinician') =>
    x.client(who).json<RetentionView>('GET', `${path}/retention`)
  const kept = await seen('auditor')
  t.match(kept.holds, [{ reason: /claim/ }, { reason: /coroner/ }])
  t.match(kept.onRequest, { scope: 'case', records: 1, objects: 1, sharesLive: 0, held: true })
  t.same(
    (await seen('clinician')).holds.map(({ reason }) => reason),
    [undefined, undefined],
    'why is not for clinicians'
  )
  t.match(await x.auditEvents({ action: 'hold.create' }), [{ caseId: id }, { caseId: id }])
  await isSound(t, x)

  t.equal((await lift(second)).status, 200)
  t.match(await endCases(x.exchange, goOn), { cases: 1, failed: 0 }, 'now its time has come')
  await isSound(t, x)
})

t.test('a hold and an erasure at the same moment: one of them comes first', async t => {
  const x = await startExchange(t)
  const clinician = x.client('clinician')
  const administrator = x.client('administrator')
  for (let round = 0; round < 12; round += 1) {
    const { id } = await createCase(clinician)
    const record = await uploadRecord(clinician, id, { files: [numberedText(10)] })
    const acts = [
      () => administrator.send('POST', `/v1/cases/${id}/holds`, { reason: 'A claim' }),
      () => administrator.send('POST', `/v1/cases/${id}/erasure`, ORDER)
    ]
    // Which of them is asked first must not matter.
    const turned = round % 2 === 0 ? acts : [...acts].reverse()
    const both = await Promise.all(turned.map(act => act()))
    const [hold, erasure] = round % 2 === 0 ? both : [...both].reverse()
    const read = await clinician.send('GET', `/v1/records/${record.id}`)
    if (hold?.status === 201) {
      t.match(erasure, HELD, 'held, so nothing was erased')
      t.equal(read.status, 200)
    } else {
      t.match(hold, { status: 410, json: { code: 'case-erased' } }, 'erased, so it cannot be held')
      t.match([erasure?.status, read.status], [201, 410])
    }
  }
  await isSound(t, x)
})

t.test('any number of holds at once: a case has twenty, and is erased once', async t => {
  const x = await startExchange(t)
  const administrator = x.client('administrator')
  const tally = async (times: number, path: string, body: object) => {
    const asked = Array.from({ length: times }, () => administrator.send('POST', path, body))
    return (await Promise.all(asked)).map(({ status, json }) => json['code'] ?? status).sort()
  }
  const { id } = await newCase(x)
  t.same(await tally(23, `/v1/cases/${id}/holds`, { reason: 'A claim' }), [
    ...Array(20).fill(201),
    ...Array(3).fill('too-many-holds')
  ])
  const { caseId: gone } = await completeCase(x.client('clinician'), x.clock.now())
  const before = await knownCase(x.exchange.database.read, gone)
  const codes = await tally(4, `/v1/cases/${gone}/erasure`, ORDER)
  t.same(codes, [201, ...Array(3).fill('case-erased')])
  const late = judge(x.exchange, before)
  await t.rejects(late, { code: 'case-erased' }, 'also to who had begun to read it')
  t.equal((await x.auditEvents({ action: 'case.erase', outcome: 'success' })).length, 1)
  await isSound(t, x)
})
