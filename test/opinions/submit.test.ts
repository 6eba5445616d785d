import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose'
import t, { type Test } from 'tap'
import { canonicalJson } from '../../src/audit/canonical.ts'
import { knownCase, openCaseKey } from '../../src/cases/case.ts'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { openSigned, sealSigned } from '../../src/opinions/opinion.ts'
import { readPdf } from '../audit/report/read-pdf.ts'
import { assertFaults } from '../faults/soundness.ts'
import {
  openShare,
  PATIENT_NAME,
  type RecordView,
  sharedPath,
  startExchange
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { readCase } from '../helpers/request.ts'
import {
  giveOpinion,
  type OpinionView,
  opinionPath,
  putDraft,
  submit,
  underReview,
  wholeOpinion
} from './scene.ts'

/** Longer than a page has lines for, in two paragraphs. */
const LONG = Array.from({ length: 1100 }, (_, n) => `word${n}`)
  .join(' ')
  .replace(' word500 ', '\nword500 ')

const x = await startExchange(t)
const clinician = x.client('clinician')
const specialist = x.client('specialistGb')

t.test('an opinion comes back signed, as a record of its case, with what was reviewed', async t => {
  const { caseId, letterId, share } = await underReview(x)
  const letter = await clinician.json<RecordView>('GET', `/v1/records/${letterId}`)
  await specialist.send('GET', sharedPath(share.id, letterId), undefined, { range: 'bytes=0-99' })
  await specialist.send('GET', sharedPath(share.id, letterId), undefined, { range: 'bytes=90-' })
  const given = wholeOpinion({ recommendations: LONG })
  const { result: view, events } = await x.eventsOf(() => giveOpinion(specialist, share.id, given))

  t.match(view, { state: 'submitted', version: 1, ...given, addenda: [] })
  t.match(view.specialist, {
    account: x.people.specialistGb.accountId,
    name: 'Dr Carol Goldcrest',
    professionalBody: 'GMC',
    registrationNumber: '7654321',
    organisation: 'Royal Review Centre',
    country: 'GB'
  })
  const [file] = letter.objects
  t.match(view.reviewed, [
    {
      record: letterId,
      title: 'Letter',
      files: 1,
      handedOver: { whole: 1, part: 0, none: 0 },
      objects: [{ object: file?.id, sha256: file?.sha256, bytes: 200, handedOver: 'whole' }]
    }
  ])
  const lines = createHash('sha256').update(`${file?.sha256}\n`).digest('hex')
  t.equal(view.reviewed?.[0]?.sha256, lines, 'the digest of the record is over those of its files')
  t.match(events.slice(-2), [{ action: 'opinion.save' }, { action: 'opinion.submit' }])
  t.match(await readCase(clinician, caseId), { state: 'opinion-received' })

  const seen = await clinician.json<OpinionView>('GET', opinionPath(share.id))
  t.equal(seen.signed, view.signed)
  t.notOk(view.record, 'the specialist is given no record of the sender')
  const record = await clinician.json<RecordView>('GET', `/v1/records/${seen.record}`)
  t.match(record, { kind: 'opinion', createdBy: x.people.specialistGb.accountId, case: caseId })
  const pdf = await clinician.send('GET', `/v1/records/${seen.record}/content`)
  t.equal(pdf.headers.get('content-type'), 'application/pdf')
  await t.test('its PDF opens, and says all of it', async t => readsAll(t, pdf.bytes))
  const logged = events.at(-1)?.details
  t.equal(logged?.['pdf'], createHash('sha256').update(pdf.bytes).digest('hex'))
  t.equal(logged?.['signed'], createHash('sha256').update(String(view.signed)).digest('hex'))
  const notices = await clinician.send('GET', `/v1/notices?share=${share.id}`)
  const told = notices.json['notices'] as { kind: string; to: string }[]
  t.match(
    told.filter(({ kind }) => kind === 'opinion-submitted'),
    [{ to: x.people.clinician.accountId }]
  )
})

async function readsAll(t: Test, bytes: Buffer): Promise<void> {
  const { lines, structure } = readPdf(bytes)
  const text = lines.join(' ')
  for (const word of [
    PATIENT_NAME,
    'Dr Carol Goldcrest',
    'Is the bittern to be excised at all?',
    'Yes. The bittern is to be excised, with a sandpiper margin.',
    'Not answered: No curlew was among the files.',
    'Refined. Rest first, then the dunlin.',
    'The sanderling slides were not seen.',
    'Asked about: Moorhen disease of the second degree',
    'Corncrake syndrome',
    ...LONG.split(' ').slice(-3)
  ]) {
    t.ok(text.includes(word), word)
  }
  t.notOk(text.includes('cut here'))
  t.match(structure, '/Title')
  const file = join(t.testdir(), 'opinion.pdf')
  writeFileSync(file, bytes)
  if (!existsSync('/usr/bin/pdftotext')) return
  const read = execFileSync('pdftotext', ['-layout', file, '-']).toString()
  t.match(read, 'Second opinion')
  t.match(read, 'sandpiper margin')
}

t.test('anybody can check the signature with the published keys', async t => {
  const { caseId, share } = await underReview(x)
  const { signed = '' } = await giveOpinion(specialist, share.id)
  const jwks = (await x.client().json('GET', '/.well-known/jwks.json')) as JSONWebKeySet
  t.notOk(JSON.stringify(jwks).includes('"d"'), 'only public halves are published')
  const keys = createLocalJWKSet(jwks)
  const { payload, protectedHeader } = await compactVerify(signed, keys, { algorithms: ['EdDSA'] })
  t.match(protectedHeader, { typ: 'consilium-opinion+jws', cty: 'application/json', kid: String })
  const text = Buffer.from(payload).toString()
  const content = JSON.parse(text)
  t.equal(canonicalJson(content), text, 'it is in its canonical form')
  t.match(content, {
    v: 1,
    iss: x.exchange.publicUrl,
    case: caseId,
    share: share.id,
    patient: { name: PATIENT_NAME },
    asked: { by: { clinician: 'Dr Alice Kestrel' }, questions: [{ number: 1 }, { number: 2 }] },
    specialist: { name: 'Dr Carol Goldcrest' },
    opinion: wholeOpinion(),
    reviewed: [{ handedOver: { whole: 0, part: 0, none: 1 } }]
  })
  const [head, body = '', signature] = signed.split('.')
  const forged = Buffer.from(text.replace('confirms', 'differs')).toString('base64url')
  t.not(forged, body)
  await t.rejects(compactVerify(`${head}.${forged}.${signature}`, keys), 'a changed one is not')
  const path = `${opinionPath(share.id)}/addenda`
  const added = await specialist.json<{ signed: string }>('POST', path, { text: 'So.' })
  t.match(await specialist.send('POST', '/v1/links/open', { link: added.signed }), {
    status: 404,
    json: { code: 'share-not-found' }
  })
})

t.test('every question is answered or declined before it is submitted', async t => {
  const { share } = await underReview(x)
  t.match(await submit(specialist, share.id, '"0"'), {
    status: 422,
    json: {
      code: 'opinion-incomplete',
      problems: [
        'question 1 is neither answered nor declined',
        'question 2 is neither answered nor declined',
        'agreement with the diagnosis is missing',
        'agreement with the plan is missing'
      ]
    }
  })
  const saved = await putDraft(specialist, share.id, { answers: [{ number: 2, stance: 'no' }] })
  t.match(saved.json['missing'], ['question 1 is', 'question 2 is', 'agreement', 'agreement'])
  await putDraft(specialist, share.id, {
    ...wholeOpinion(),
    answers: wholeOpinion().answers.slice(1)
  })
  t.same((await submit(specialist, share.id, '"2"')).json['problems'], [
    'question 1 is neither answered nor declined'
  ])
  const { plan, ...rest } = wholeOpinion()
  await putDraft(specialist, share.id, rest)
  t.same((await submit(specialist, share.id, '"3"')).json['problems'], [
    'agreement with the plan is missing'
  ])
  t.match(await clinician.send('GET', opinionPath(share.id)), {
    status: 404,
    json: { code: 'opinion-not-found' }
  })
})

t.test('of several who submit at once one does, and nothing of the others is left', async t => {
  const { caseId, share } = await underReview(x)
  await putDraft(specialist, share.id, wholeOpinion())
  const all = await Promise.all([1, 2, 3, 4].map(() => submit(specialist, share.id)))
  const codes = all.map(({ status, json }) => `${status} ${json['code'] ?? ''}`).sort()
  t.same(codes, ['200 ', ...Array(3).fill('409 opinion-final')])
  const { records } = await clinician.json<{ records: RecordView[] }>(
    'GET',
    `/v1/cases/${caseId}/records`
  )
  t.equal(records.filter(({ kind }) => kind === 'opinion').length, 1)
  t.match(await putDraft(specialist, share.id, wholeOpinion()), {
    status: 409,
    json: { code: 'opinion-final' }
  })
  const { moves } = await readCase(clinician, caseId)
  t.equal(moves.filter(({ move }) => move === 'opinion').length, 1)
})

t.test('the database itself refuses to change what was submitted', async t => {
  const { share } = await underReview(x)
  await giveOpinion(specialist, share.id)
  const intruder = await intrude(t, x.config)
  for (const statement of [
    'UPDATE opinions SET text_sealed = signed_sealed WHERE share_id = ?',
    'UPDATE opinions SET version = version + 1 WHERE share_id = ?',
    'UPDATE opinions SET submitted_at = 1 WHERE share_id = ?',
    'UPDATE opinions SET submitted_at = NULL, signed_sealed = NULL, record_id = NULL WHERE share_id = ?',
    'DELETE FROM opinions WHERE share_id = ?'
  ]) {
    await t.rejects(intruder.run(statement, share.id), /cannot be/, statement)
  }
})

t.test('an opening that is used up is enough to write by', async t => {
  const { share, letterId } = await underReview(x, 'specialistGb', { openingsMax: 1 })
  x.clock.advance(13 * 3_600_000)
  t.match(await specialist.send('GET', sharedPath(share.id, letterId)), { status: 403 })
  t.match(await giveOpinion(specialist, share.id), { state: 'submitted' })
  const unopened = await underReview(x, 'specialistIe')
  t.ok(unopened.share)
  const { share: other } = await underReview(x)
  t.match(await x.client('specialistIe').send('GET', opinionPath(other.id)), { status: 404 })
})

t.test('a check opens all of it and verifies what was signed', async t => {
  const { caseId, share } = await underReview(x)
  await giveOpinion(specialist, share.id)
  const other = await underReview(x)
  await giveOpinion(specialist, other.share.id)
  const intruder = await intrude(t, x.config)
  /** What the check finds once these columns are as an intruder with the file would make them. */
  const checkWith = async (columns: Record<string, unknown>) => {
    await intruder.passTriggers()
    for (const [name, value] of Object.entries(columns)) {
      const set = `UPDATE opinions SET ${name} = ? WHERE share_id = ?`
      await intruder.run(set, value as string, share.id)
    }
    await intruder.restoreTriggers()
    return checkExchange(x.exchange)
  }
  const [one] = await intruder.run('SELECT * FROM opinions WHERE share_id = ?', share.id)
  const [two] = await intruder.run('SELECT * FROM opinions WHERE share_id = ?', other.share.id)
  const fault = (text: string) => [new RegExp(`^Case ${caseId}: ${text}`)]
  assertFaults(t, await checkWith({}), [])
  assertFaults(t, await checkWith({ version: 7 }), fault('sealed-damaged'))
  const record = { version: 1, record_id: two?.['record_id'] }
  assertFaults(t, await checkWith(record), fault('.*not in its case'))
  const signed = { record_id: one?.['record_id'], signed_sealed: two?.['signed_sealed'] }
  assertFaults(t, await checkWith(signed), fault('sealed-damaged'))
  const key = await openCaseKey(
    x.exchange.keyring,
    await knownCase(x.exchange.database.read, caseId)
  )
  const { jws = '', content } =
    openSigned(key, {
      id: String(one?.['id']),
      signedSealed: one?.['signed_sealed'] as Buffer
    }) ?? {}
  const sealed = (text: string) => ({ signed_sealed: sealSigned(key, String(one?.['id']), text) })
  t.match(content, { opinion: wholeOpinion() })
  const changed = jws.replace(/\.[^.]*$/, `.${'A'.repeat(86)}`)
  assertFaults(t, await checkWith(sealed(changed)), fault('ERR_JWS_SIGNATURE_VERIFICATION_FAILED'))
  const rewritten = { ...content, opinion: wholeOpinion({ limits: 'None.' }) }
  const another = await x.exchange.signatures.sign('opinion', rewritten)
  assertFaults(t, await checkWith(sealed(another)), fault('.*not what was signed'))
  assertFaults(t, await checkWith({ signed_sealed: one?.['signed_sealed'] }), [])
})

t.test('a case without a request is answered by its question', async t => {
  const { id } = await clinician.json<{ id: string }>('POST', '/v1/cases', {
    patient: {
      identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' },
      name: PATIENT_NAME,
      birthDate: '1951-03-17'
    },
    question: 'Is it to be done?'
  })
  const form = new FormData()
  for (const [name, value] of Object.entries({ kind: 'other', title: 'T', date: '2026-11-02' })) {
    form.append(name, value)
  }
  form.append('file', new Blob(['plain text\n']), 'a.txt')
  const record = await clinician.json<RecordView>('POST', `/v1/cases/${id}/records`, form)
  const share = await clinician.json<{ id: string; link: string }>(
    'POST',
    `/v1/cases/${id}/shares`,
    {
      specialist: x.people.specialistGb.accountId,
      records: [record.id],
      purpose: 'For a view'
    }
  )
  await openShare(specialist, share.link)
  const draft = await specialist.json<OpinionView>('GET', opinionPath(share.id))
  t.same(draft.questions, [{ number: 1, text: 'Is it to be done?' }])
  const answers = [{ number: 1, stance: 'no', answer: 'No.' }]
  t.match(await giveOpinion(specialist, share.id, { ...wholeOpinion(), answers }), {
    state: 'submitted'
  })
  t.match(await readCase(clinician, id), { state: 'opinion-received' })
})
