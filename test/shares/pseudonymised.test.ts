import t from 'tap'
import type { Disclosure } from '../../schemas/disclosure-report.ts'
import type { ShareCreate } from '../../schemas/share.ts'
import { whatText } from '../../src/audit/report/wording.ts'
import { removeOrphans } from '../../src/housekeeping/clean-up.ts'
import { removeCopies } from '../../src/housekeeping/remove-copies.ts'
import { ctSlice, type Planted } from '../helpers/dicom.ts'
import {
  BIRTH_DATE,
  createCase,
  isSound,
  NHS_NUMBER,
  numberedText,
  openShare,
  PATIENT_NAME,
  PURPOSE,
  type RecordView,
  sha256,
  sharedPath,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { scriptedClamd } from '../helpers/scripted-clamd.ts'
import { readZip } from '../helpers/zip.ts'

const HOUR = 3_600_000
const TITLE = 'CT of Ottoline Quillfeather'
const STUDY = '1.2.826.0.1.3680043.8.498.1'

/** What the views tell of a file, each with a name in it. */
const told: Planted[] = [
  ['0008,1030', 'LO', 'Head of Quillfeather'],
  ['0008,103E', 'LO', 'Ottoline, axial'],
  ['0018,0015', 'CS', 'OTTOLINE'],
  ['0020,0011', 'IS', NHS_NUMBER]
]

const slice = (n: number, more: Planted[] = []) => ({
  name: `quillfeather-1951-${n}.dcm`,
  bytes: ctSlice([
    ['0008,0018', 'UI', `1.2.826.0.1.3680043.8.498.77.${n}`],
    ['0008,0080', 'LO', 'City Hospital'],
    ['0009,0010', 'LO', 'Quillfeather private'],
    ...told.filter(([tag]) => !more.some(([other]) => other === tag)),
    ...more
  ])
})
const report = (n = 1) => slice(n, [['0008,0060', 'CS', 'SR']])

/** Everything that would tell who the patient is. */
const identity = [
  'QUILLFEATHER',
  'Quillfeather',
  'quillfeather',
  'Ottoline',
  'OTTOLINE',
  PATIENT_NAME,
  NHS_NUMBER,
  BIRTH_DATE,
  '19510317',
  '1.2.826.0.1.3680043'
]
const named = (text: string | Buffer) => identity.filter(word => text.includes(word))

async function scene(x: TestExchange, files = [slice(1), slice(2), slice(3)]) {
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const scan = await uploadRecord(clinician, caseId, { kind: 'scan', title: TITLE, files })
  return { clinician, specialist: x.client('specialistGb'), caseId, scan }
}

/** Tries to share, whatever comes of it. */
function tryShare(x: TestExchange, caseId: string, change: Partial<ShareCreate>) {
  return x.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
    specialist: x.people.specialistGb.accountId,
    purpose: PURPOSE,
    pseudonymise: true,
    ...change
  })
}

t.test('the specialist reads copies that name nobody, and nothing else', async t => {
  const x = await startExchange(t)
  const { clinician, specialist, caseId, scan } = await scene(x)
  const share = await shareRecords(x, caseId, [scan.id], { pseudonymise: true })
  t.match(share, { pseudonymised: { files: { pseudonymised: 3, released: 0, asIs: 0 } } })

  const opened = await openShare(specialist, share.link)
  t.same(named(JSON.stringify(opened)), [], 'the view names nobody')
  t.notOk('patient' in opened)
  const [copy] = opened.records
  if (copy === undefined) throw new Error('There is no copy.')
  t.match(copy, { kind: 'scan', title: 'Record 1: scan', objectCount: 3, case: caseId })
  t.not(copy.id, scan.id)
  t.ok(copy.date < scan.date, 'its date is shifted with the others')

  const manifest = await specialist.json<{ records: RecordView[] }>('GET', `/v1/shares/${share.id}`)
  t.same(named(JSON.stringify(manifest)), [])
  const objects = manifest.records[0]?.objects ?? []
  t.same(
    objects.map(object => object.fileName),
    ['file-0001.dcm', 'file-0002.dcm', 'file-0003.dcm']
  )

  const zip = readZip((await specialist.send('GET', sharedPath(share.id, copy.id))).bytes)
  t.equal(zip.length, 3)
  for (const [n, object] of objects.entries()) {
    const path = sharedPath(share.id, copy.id, object.id)
    const whole = await specialist.send('GET', path)
    t.equal(whole.status, 200)
    t.same(named(whole.bytes), [], object.fileName)
    t.equal(sha256(whole.bytes), object.sha256, 'as its digest says')
    t.ok(whole.bytes.includes(Buffer.alloc(32, 0x5a)), 'with its pixels')
    t.ok(whole.bytes.includes(String(opened.pseudonymised?.patient)))
    t.ok(zip[n]?.bytes.equals(whole.bytes), 'and in the archive')
    const part = await specialist.send('GET', path, undefined, { range: 'bytes=100-299' })
    t.equal(part.status, 206)
    t.ok(part.bytes.equals(whole.bytes.subarray(100, 300)))
    t.equal(part.headers.get('etag'), whole.headers.get('etag'))
  }

  for (const [recordId, objectId] of [
    [scan.id, undefined],
    [scan.id, scan.objects[0]?.id],
    [copy.id, scan.objects[0]?.id],
    [scan.id, objects[0]?.id]
  ] as const) {
    const answer = await specialist.send('GET', sharedPath(share.id, recordId, objectId))
    t.equal(answer.status, 404, 'the original is not to be had')
  }

  const original = await clinician.send(
    'GET',
    `/v1/records/${scan.id}/objects/${scan.objects[0]?.id}/content`
  )
  t.ok(original.bytes.equals(slice(1).bytes), 'and is as it was')
  const listed = await clinician.json<{ records: RecordView[] }>(
    'GET',
    `/v1/cases/${caseId}/records`
  )
  t.same(
    listed.records.map(({ id }) => id),
    [scan.id],
    'copies are no records of the case'
  )
  const sent = await clinician.json<{ shares: object[] }>('GET', `/v1/shares?case=${caseId}`)
  t.match(sent.shares, [{ records: [scan.id], pseudonymised: { patient: /^[0-9A-Z]{8}$/ } }])
  await isSound(t, x)
})

t.test('the log says what was copied, what was decided, and what the copies show', async t => {
  const x = await startExchange(t)
  const { specialist, caseId, scan } = await scene(x, [report()])
  await specialist.token()
  const reason = 'Read by Dr Kestrel: names nobody'
  const { events } = await x.eventsOf(() =>
    shareRecords(x, caseId, [scan.id], {
      pseudonymise: true,
      allowHeld: { records: [scan.id], reason }
    }).then(({ link }) => openShare(specialist, link))
  )
  t.match(
    events.map(({ action, outcome }) => `${action} ${outcome}`),
    [
      'record.pseudonymise granted',
      'record.pseudonymise complete',
      'share.create success',
      'link.open success'
    ]
  )
  t.match(events[0]?.details, { records: [scan.id] })
  t.match(events[2]?.details, {
    pseudonymised: { allowHeld: { records: [scan.id], reason }, files: { released: 1 } }
  })
  t.notMatch(JSON.stringify(events[2]?.details), /"key"/, 'never the key')

  const [share] = (
    await x.client('clinician').json<{ shares: { id: string }[] }>('GET', '/v1/shares')
  ).shares
  const manifest = await specialist.json<{ records: RecordView[] }>(
    'GET',
    `/v1/shares/${share?.id}`
  )
  const copy = String(manifest.records[0]?.id)
  await specialist.send('GET', sharedPath(String(share?.id), copy))
  const [granted] = await x.auditEvents({ action: 'content.read', outcome: 'granted' })
  t.equal(granted?.recordId, scan.id, 'a reading names the record')
  t.match(granted?.details, { copy })

  const { disclosures } = await x
    .client('auditor')
    .json<{ disclosures: Disclosure[] }>('POST', '/v1/audit/reports', {
      case: caseId,
      format: 'json'
    })
  t.same(
    disclosures
      .filter(({ share: through }) => through === share?.id)
      .map(({ what }) => whatText(what)),
    [
      'Opened the link: saw what is asked and the list of records, without the patient’s details',
      'Saw what is asked, and names and sizes of all files of the shared records, without the patient’s details',
      `Scan “${TITLE}”, dated 2 November 2026: one file, whole (a copy without the patient’s name)`
    ],
    'the patient is told that they were not named'
  )
})

t.test('what a machine cannot judge needs a decision', async t => {
  const x = await startExchange(t)
  const { clinician, caseId, scan } = await scene(x)
  const held = await uploadRecord(clinician, caseId, { files: [slice(7), report(8)] })
  const letter = await uploadRecord(clinician, caseId, { files: [numberedText(500)] })
  const records = [scan.id, held.id, letter.id]
  const reason = 'I have looked at it'
  const asIs = { records: [letter.id], reason }
  const released = { records: [held.id], reason }

  const neither = await tryShare(x, caseId, { records })
  t.equal(neither.json.code, 'pseudonymise-not-dicom')
  t.same(neither.json.problems, [
    `Record ${letter.id}, file 1: text/plain`,
    `Record ${held.id}, file 2: report. It is a report or holds free text.`
  ])
  const one = await tryShare(x, caseId, { records, allowAsIs: asIs })
  t.equal(one.json.code, 'pseudonymise-held')
  const other = await tryShare(x, caseId, { records, allowHeld: released })
  t.equal(other.json.code, 'pseudonymise-not-dicom')
  const wrong = await tryShare(x, caseId, {
    records,
    allowAsIs: asIs,
    allowHeld: { records: [scan.id], reason }
  })
  t.equal(wrong.json.code, 'pseudonymise-held', 'a decision about another record')
  const made = await tryShare(x, caseId, { records, allowAsIs: asIs, allowHeld: released })
  t.match(made.json, {
    pseudonymised: { files: { pseudonymised: 5, released: 1, asIs: 1 } }
  })
  const opened = await openShare(x.client('specialistGb'), String(made.json.link))
  t.same(
    opened.records.map(({ title }) => title),
    ['Record 1: scan', 'Record 2: other', 'Record 3: other']
  )
  const path = sharedPath(opened.id, String(opened.records[2]?.id))
  const text = await x.client('specialistGb').send('GET', path)
  t.ok(text.bytes.equals(numberedText(500).bytes), 'as it is')
  t.match(text.headers.get('content-disposition'), /file-0001\.txt/)

  const pointless = await tryShare(x, caseId, { records, pseudonymise: false, allowAsIs: asIs })
  t.equal(pointless.json.code, 'request-invalid')
})

t.test('a share of what is in quarantine reads and copies nothing', async t => {
  const clamd = await scriptedClamd(t, { reply: 'stream: no ERROR\0' })
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
  const { caseId, scan } = await scene(x, [slice(1)])
  const { json } = await tryShare(x, caseId, { records: [scan.id] })
  t.equal(json.code, 'record-in-quarantine')
  t.same(await x.auditEvents({ action: 'record.pseudonymise' }), [])
})

t.test('texts that name the patient are refused', async t => {
  const x = await startExchange(t)
  const { caseId, scan } = await scene(x)
  for (const text of [
    'For Ms Quillfeather',
    `NHS ${NHS_NUMBER}`,
    'NHS 999 000 0018',
    'born 17/03/1951',
    'born on the 17th of March 1951',
    'born 17.3.51',
    'born 1951-03-17'
  ]) {
    for (const change of [{ purpose: text }, { question: text }]) {
      const { json } = await tryShare(x, caseId, { records: [scan.id], ...change })
      t.equal(json.code, 'pseudonymise-names-patient', text)
    }
  }
  const ofFile = await uploadRecord(x.client('clinician'), caseId, {
    files: [slice(4, [['0010,1000', 'LO', 'RX9-5550131']])]
  })
  for (const [record, code] of [
    [scan.id, undefined],
    [ofFile.id, 'pseudonymise-names-patient']
  ] as const) {
    const purpose = 'Second opinion on RX9 5550131'
    const { json } = await tryShare(x, caseId, { records: [record], purpose })
    t.equal(json.code, code, 'a number that only a file tells')
  }
  const question = 'Is surgery advisable?'
  const { json } = await tryShare(x, caseId, { records: [scan.id], question })
  const opened = await openShare(x.client('specialistGb'), String(json.link))
  t.equal(opened.question, question)
})

t.test('two shares have nothing in common, and a copy is shared no further', async t => {
  const x = await startExchange(t)
  const { specialist, caseId, scan } = await scene(x)
  const uids = []
  for (const _ of [1, 2]) {
    const share = await shareRecords(x, caseId, [scan.id], { pseudonymise: true })
    const { records } = await openShare(specialist, share.link)
    const { bytes } = await specialist.send('GET', sharedPath(share.id, String(records[0]?.id)))
    uids.push(new Set(bytes.toString('latin1').match(/2\.25\.\d{20,}/g)))
    const again = await tryShare(x, caseId, { records: [String(records[0]?.id)] })
    t.equal(again.json.code, 'record-not-in-case')
  }
  const [one, two] = uids
  t.ok(Number(one?.size) >= 5, 'three instances, a series, a study')
  t.same(
    [...(one ?? [])].filter(uid => two?.has(uid) && !uid.startsWith('2.25.2388920057872507')),
    []
  )
  t.notOk([...(one ?? [])].some(uid => uid.includes(STUDY)))
})

t.test('copies go when their share has ended; the records stay', async t => {
  const x = await startExchange(t)
  const { clinician, caseId, scan } = await scene(x)
  const revoked = await shareRecords(x, caseId, [scan.id], { pseudonymise: true })
  const expiring = await shareRecords(x, caseId, [scan.id], { pseudonymise: true, lifeHours: 30 })
  await clinician.json('DELETE', `/v1/shares/${revoked.id}`)
  t.equal(await removeCopies(x.exchange), 0, 'not at once: a backup may be under way')
  x.clock.advance(25 * HOUR)
  t.equal(await removeCopies(x.exchange), 1)
  t.equal(await removeCopies(x.exchange), 0, 'safe to repeat')
  const opened = await openShare(x.client('specialistGb'), expiring.link)
  t.equal(opened.records.length, 1, 'the other share has its own')
  x.clock.advance(30 * HOUR)
  t.equal(await removeCopies(x.exchange), 1)
  t.equal(await removeOrphans(x.exchange, Date.now() + HOUR), 0, 'and their blobs are gone')
  const events = await x.auditEvents({ action: 'copy.remove' })
  t.match(
    events.map(({ details, caseId }) => ({ details, caseId })),
    [revoked, expiring].map(({ id }) => ({ caseId, details: { share: id, copies: 1, files: 3 } }))
  )
  t.equal((await clinician.send('GET', `/v1/records/${scan.id}/content`)).status, 200)
  await isSound(t, x)
})

t.test('a file that cannot be read through is refused, and nothing is left behind', async t => {
  const x = await startExchange(t)
  // Half an element behind the pixel data, which the inspection at upload does not reach.
  const cut = { name: 'cut.dcm', bytes: Buffer.concat([slice(2).bytes, Buffer.from([0xfc, 0xff])]) }
  const { caseId, scan } = await scene(x, [slice(1), cut])
  const { status, json } = await tryShare(x, caseId, { records: [scan.id] })
  t.equal(status, 422)
  t.match(json, { code: 'dicom-unreadable', problems: [`file 2 of record ${scan.id}`] })
  t.equal(await removeOrphans(x.exchange, Date.now() + HOUR), 0)
  t.match(
    (await x.auditEvents({ action: 'record.pseudonymise' })).map(({ outcome }) => outcome),
    ['granted', 'failed']
  )
  await isSound(t, x)
})

t.test('nobody else has copies made, and nothing is read for them', async t => {
  const x = await startExchange(t)
  const { caseId, scan } = await scene(x)
  for (const [who, code] of [
    [undefined, 'token-missing'],
    ['otherClinician', 'case-not-found'],
    ['specialistGb', 'role-refused'],
    ['auditor', 'role-refused'],
    ['administrator', 'role-refused']
  ] as const) {
    const { json } = await x.client(who).send('POST', `/v1/cases/${caseId}/shares`, {
      specialist: x.people.specialistGb.accountId,
      records: [scan.id],
      purpose: PURPOSE,
      pseudonymise: true
    })
    t.equal(json.code, code, who ?? 'nobody')
  }
  t.same(await x.auditEvents({ action: 'record.pseudonymise' }), [])
})

t.test('records and their objects cannot be removed from the database, copies can', async t => {
  const x = await startExchange(t)
  const { scan } = await scene(x)
  const { database } = x.exchange
  for (const table of ['objects', 'records'] as const) {
    await t.rejects(database.write(async tx => void (await tx.delete(tx.tables[table]))))
  }
  t.equal((await x.client('clinician').send('GET', `/v1/records/${scan.id}`)).status, 200)
})
