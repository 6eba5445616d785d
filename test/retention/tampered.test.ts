import t from 'tap'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import {
  isSound,
  numberedText,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { wholeRequest, writeRequest } from '../helpers/request.ts'
import { erase, giveOpinion, newCase, ORDER } from './stage.ts'

const EMPTY = Buffer.alloc(0)

t.test('the database lets a key go with an erasure alone, and none come back', async t => {
  const x = await startExchange(t)
  const erased = await newCase(x)
  const kept = await newCase(x)
  const erasure = await erase(x, erased.id)
  await x.client('administrator').json('POST', `/v1/cases/${kept.id}/holds`, { reason: 'A claim' })
  const intruder = await intrude(t, x.config)
  const refused: [what: string, statement: string, ...values: unknown[]][] = [
    [
      'a key that no erasure names',
      'UPDATE records SET wrapped_key = ?, details_sealed = ? WHERE id = ?',
      EMPTY,
      EMPTY,
      kept.recordId
    ],
    [
      'a title without its key',
      'UPDATE records SET details_sealed = ? WHERE id = ?',
      EMPTY,
      kept.recordId
    ],
    ['a file name', 'UPDATE objects SET name_sealed = ? WHERE record_id = ?', EMPTY, kept.recordId],
    ['a patient', 'UPDATE cases SET details_sealed = ? WHERE id = ?', EMPTY, kept.id],
    [
      'a key of a case',
      'UPDATE cases SET wrapped_key = ?, details_sealed = ? WHERE id = ?',
      EMPTY,
      EMPTY,
      kept.id
    ],
    [
      'a reference of a patient',
      'UPDATE cases SET patient_ref = ? WHERE id = ?',
      Buffer.alloc(32),
      kept.id
    ],
    [
      'a key that comes back',
      'UPDATE records SET wrapped_key = ? WHERE id = ?',
      Buffer.alloc(60, 1),
      erased.recordId
    ],
    [
      'a title that comes back',
      'UPDATE records SET details_sealed = ? WHERE id = ?',
      Buffer.alloc(60, 1),
      erased.recordId
    ],
    [
      'a file name that comes back',
      'UPDATE objects SET name_sealed = ? WHERE record_id = ?',
      Buffer.alloc(60, 1),
      erased.recordId
    ],
    [
      'a patient who comes back',
      'UPDATE cases SET wrapped_key = ?, details_sealed = ? WHERE id = ?',
      Buffer.alloc(60, 1),
      Buffer.alloc(60, 1),
      erased.id
    ],
    ['an erasure that changes', 'UPDATE erasures SET records = 0 WHERE id = ?', erasure.id],
    ['an erasure that goes', 'DELETE FROM erased_records WHERE erasure_id = ?', erasure.id],
    ['a hold that goes', 'DELETE FROM legal_holds WHERE case_id = ?', kept.id],
    ['a hold that changes', 'UPDATE legal_holds SET put_at = 1 WHERE case_id = ?', kept.id],
    [
      'an erasure of what is held',
      `INSERT INTO erasures SELECT 'another', ?, organisation_id, scope, ground, ordered_by, at, policy, stayed,
        records, objects, bytes, copies, manifest, 'another', files_at, files_kept, files_due FROM erasures`,
      kept.id
    ]
  ]
  for (const [what, statement, ...values] of refused) {
    await t.rejects(intruder.run(statement, ...values), what)
  }
  await isSound(t, x)
})

t.test('whoever passes the triggers is found out', async t => {
  const x = await startExchange(t)
  const erased = await newCase(x)
  const kept = await newCase(x)
  const { id } = await erase(x, erased.id)
  const intruder = await intrude(t, x.config)
  await intruder.passTriggers()
  await intruder.run('UPDATE records SET wrapped_key = ? WHERE id = ?', EMPTY, kept.recordId)
  await intruder.run('UPDATE objects SET bytes = bytes + 1 WHERE record_id = ?', erased.recordId)
  await intruder.run('UPDATE records SET bytes = bytes + 1 WHERE id = ?', erased.recordId)
  await intruder.restoreTriggers()
  const faults = await checkExchange(x.exchange)
  t.match(
    faults.filter(fault => /^(Erasure|Record)/.test(fault)),
    [
      `Erasure ${id}: Error: its rows are not what was erased.`,
      `Record ${kept.recordId}: Error: its key is gone, and no erasure names it.`
    ]
  )
  t.match(await x.client('auditor').send('GET', `/v1/erasures/${id}`), {
    status: 500,
    json: { code: 'object-damaged' }
  })
})

/** Has something happen after a case was judged, and before it is erased. */
function meanwhile({ exchange: { database } }: TestExchange, happen: () => Promise<unknown>) {
  const { write } = database
  database.write = async work => {
    // What the service does meanwhile by itself is let through.
    if (!/retention\/erase\.ts/.test(String(new Error('here').stack))) return await write(work)
    database.write = write
    await happen()
    return await write(work)
  }
}

t.test('a case that becomes of another class while it is erased is judged anew', async t => {
  const x = await startExchange(t)
  const { id: caseId } = await newCase(x)
  const [clinician, administrator] = [x.client('clinician'), x.client('administrator')]
  for (const client of [clinician, administrator]) await client.token()
  const cancer = wholeRequest(x.clock.now(), { conditionGroup: 'cancer' })
  meanwhile(x, () => writeRequest(clinician, caseId, cancer))
  t.match(await administrator.send('POST', `/v1/cases/${caseId}/erasure`, ORDER), {
    status: 412,
    json: { code: 'version-changed' }
  })
  const { stayed } = await erase(x, caseId)
  const until = `${new Date(x.clock.now()).getUTCFullYear() + 30}`
  t.match(stayed, [{ what: 'audit', until: new RegExp(`^${until}`) }])
})

t.test('an opinion that comes while the case is erased stays', async t => {
  const x = await startExchange(t)
  const { caseId } = await sharedRecord(x, [numberedText(10)])
  const administrator = x.client('administrator')
  await administrator.token()
  meanwhile(x, () => giveOpinion(x, caseId))
  t.match(await administrator.send('POST', `/v1/cases/${caseId}/erasure`, ORDER), {
    status: 412,
    json: { code: 'version-changed' }
  })
  t.match(await erase(x, caseId), { scope: 'copies', stayed: [{ what: 'opinion' }] })
})
