import t from 'tap'
import type { RecordView } from '../../schemas/record.ts'
import { createCase, recordForm, startExchange } from '../helpers/exchange.ts'
import { type Expected, hostileFiles } from './hostile-files.ts'

t.test('every hostile file gets its verdict over HTTP, and the service lives on', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  t.ok(hostileFiles.length >= 60)
  for (const { story, name, bytes, declared, expected } of hostileFiles) {
    const { id: caseId } = await createCase(clinician)
    const file = { name, bytes, ...(declared && { type: declared }) }
    const form = recordForm({ files: [file] })
    const answer = await clinician.send('POST', `/v1/cases/${caseId}/records`, form)
    const told =
      answer.status === 201 ? tellTaken(answer.json as unknown as RecordView) : refusal(answer.json)
    t.match(told, expected, story)
    if (expected.notes === undefined && expected.refused === undefined)
      t.same(told.notes, [], story)
    if (expected.flags !== undefined) t.same(told.flags, expected.flags, story)
  }
  // The worker that any of them may have cost us is replaced, and honest files are looked into.
  const { id: caseId } = await createCase(clinician)
  const honest = hostileFiles.filter(({ story }) => story === 'the patient')
  const record = await clinician.json<RecordView>(
    'POST',
    `/v1/cases/${caseId}/records`,
    recordForm({ files: honest.map(({ name, bytes }) => ({ name, bytes })) })
  )
  t.match(record, { patientMatch: 'match' })
})

t.test('one of each in one upload: the good are stored, the bad are named', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const form = recordForm({ files: hostileFiles.map(({ name, bytes }) => ({ name, bytes })) })
  const record = await clinician.json<RecordView>('POST', `/v1/cases/${caseId}/records`, form)
  const kept = new Map(record.objects.map(object => [object.position, object]))
  const refused = new Map(record.refused?.map(file => [file.position, file]))
  for (const [index, { story, expected, declared }] of hostileFiles.entries()) {
    if (declared !== undefined) continue
    t.equal(kept.has(index + 1), expected.refused === undefined, story)
    t.equal(refused.get(index + 1)?.code, expected.refused, story)
  }
  t.equal(kept.size + refused.size, hostileFiles.length)
  t.equal(record.patientMatch, 'mismatch', 'one of them was of another patient')
})

function tellTaken(record: RecordView): Expected {
  const [object] = record.objects
  return {
    type: object?.type ?? '',
    fileName: object?.fileName ?? '',
    notes: object?.summary.notes.map(({ code }) => code) ?? [],
    flags: object?.summary.pdf?.flags ?? [],
    patientMatch: object?.patientMatch ?? ''
  }
}

const refusal = (json: Record<string, unknown>): Expected => ({ refused: String(json.code) })
