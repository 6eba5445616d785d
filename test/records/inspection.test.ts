import t from 'tap'
import type { RecordSummary } from '../../schemas/record.ts'
import type { ShareManifest } from '../../schemas/share.ts'
import {
  createCase,
  openShare,
  PURPOSE,
  sampleFile,
  sendRecord,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { madeScan, SOMEBODY_ELSE } from '../helpers/made-dicom.ts'
import { brainSeries, pathologyReport, transferSyntaxes } from '../samples/samples.ts'

const OTTOLINE = { name: 'QUILLFEATHER^OTTOLINE', id: '9990000018', birthDate: '19510317' }

t.test('a series of images is grouped, counted and told in one line', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const files = [...brainSeries(), pathologyReport].map(sampleFile)
  const record = await uploadRecord(clinician, caseId, { files })
  t.match(record, {
    summary: /^MR BRAIN of 16 March 2001: 1 series, 20 images; 1 PDF/,
    patientMatch: 'cannot-tell',
    studies: [
      {
        date: '2001-03-16',
        description: 'BRAIN',
        modalities: ['MR'],
        instances: 20,
        series: [{ number: 2, modality: 'MR', description: 'FSE PD AXIAL OBL', instances: 20 }]
      }
    ],
    duplicates: []
  })
  t.equal(record.refused, undefined)
  t.match(record.objects[0]?.summary, { dicom: { modality: 'MR', rows: 256, columns: 256 } })
  t.match(record.objects[20]?.summary, { pdf: { flags: [] } })
  t.notMatch(JSON.stringify(record), /123565/, 'whose number the header has is not shown')
  t.same(await clinician.json('GET', `/v1/records/${record.id}`), record)
})

t.test('every transfer syntax is read', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const files = transferSyntaxes().map(sampleFile)
  const record = await uploadRecord(clinician, caseId, { files })
  const told = record.objects.map(({ fileName, summary: { dicom, notes } }) => [
    fileName,
    dicom?.modality,
    dicom?.columns,
    notes.length
  ])
  t.same(told, [
    ['deflated.dcm', 'OT', 512, 0],
    ['explicit_big.dcm', 'MR', 256, 0],
    ['explicit_little.dcm', 'MR', 256, 0],
    ['implicit_little.dcm', 'MR', 256, 0],
    ['jpeg_2000.dcm', 'CT', 512, 0],
    ['jpeg_baseline_8bit.dcm', 'XA', 512, 0],
    ['jpeg_lossless_sel1.dcm', 'CT', 512, 0],
    ['jpeg_ls.dcm', 'MR', 1024, 0],
    ['rle.dcm', 'CT', 512, 0]
  ])
})

t.test('a record of another patient is not shared before somebody says why', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const wrong = await uploadRecord(clinician, caseId, {
    files: [
      { name: 'a.dcm', bytes: madeScan({ ...OTTOLINE, instance: '1.2.3.1.2' }) },
      { name: 'b.dcm', bytes: madeScan(SOMEBODY_ELSE) }
    ]
  })
  t.match(wrong, {
    patientMatch: 'mismatch',
    patientReasons: ['nhs-number-differs', 'birth-date-differs', 'name-differs'],
    objects: [{ patientMatch: 'match' }, { patientMatch: 'mismatch' }]
  })
  t.notMatch(JSON.stringify(wrong), /SMITH|9990000042/, 'nobody is named')
  const right = await uploadRecord(clinician, caseId, {
    files: [{ name: 'a.dcm', bytes: madeScan(OTTOLINE) }]
  })

  const specialist = exchange.people.specialistGb.accountId
  const share = (records: string[]) =>
    clinician.send('POST', `/v1/cases/${caseId}/shares`, { specialist, records, purpose: PURPOSE })
  const { result: blocked, events } = await exchange.eventsOf(() => share([right.id, wrong.id]))
  t.match(blocked, { status: 409, json: { code: 'patient-mismatch', problems: [wrong.id] } })
  t.match(events, [
    { action: 'share.create', outcome: 'refused', code: 'patient-mismatch', recordId: wrong.id }
  ])
  t.equal((await share([right.id])).status, 201, 'the other record can be')

  const path = `/v1/records/${wrong.id}/patient-confirmation`
  const reason = 'SMITH is the name she was registered by at the scanner.'
  t.equal((await clinician.send('POST', path, { reason: ' ' })).status, 400)
  t.match(
    await clinician.send('POST', `/v1/records/${right.id}/patient-confirmation`, { reason }),
    {
      status: 409,
      json: { code: 'confirmation-not-needed' }
    }
  )
  await exchange.client('colleague').token()
  const { result: confirmed, events: stated } = await exchange.eventsOf(() =>
    exchange.client('colleague').json<RecordSummary>('POST', path, { reason })
  )
  const by = exchange.people.colleague.accountId
  t.match(confirmed, { patientMatch: 'mismatch', patientConfirmation: { by, reason } })
  t.match(stated, [{ action: 'record.confirm-patient', outcome: 'success', details: { reason } }])
  t.match(await clinician.send('POST', path, { reason }), {
    status: 409,
    json: { code: 'confirmation-not-needed' }
  })

  const made = await shareRecords(exchange, caseId, [wrong.id])
  const opened = await openShare(exchange.client('specialistGb'), made.link)
  t.match(opened.records, [{ patientMatch: 'mismatch', patientConfirmation: { by } }])
  const manifest = await exchange
    .client('specialistGb')
    .json<ShareManifest>('GET', `/v1/shares/${made.id}`)
  t.match(manifest.records, [{ patientMatch: 'mismatch', objects: [{}, {}] }])
  t.notMatch(JSON.stringify([opened, manifest]), /SMITH/, 'the specialist is not told the reason')
  const { read } = exchange.exchange.database
  const rows = [
    ...(await read.select().from(read.tables.objects)),
    ...(await read.select().from(read.tables.records))
  ]
  const atRest = rows
    .flatMap(row => Object.values(row))
    .map(String)
    .join()
  t.notMatch(atRest, /SMITH|9990000042|CT Head/, 'nothing of it is in clear')
})

t.test('the database holds a verdict and a reason for good', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { id } = await uploadRecord(clinician, caseId, {
    files: [{ name: 'b.dcm', bytes: madeScan(SOMEBODY_ELSE) }]
  })
  const intruder = await intrude(t, exchange.config)
  const change = (set: string) => intruder.run(`UPDATE records SET ${set}`)
  await t.rejects(change("patient_match = 'match'"), /verdict on a record cannot be changed/)
  const path = `/v1/records/${id}/patient-confirmation`
  const both = await Promise.all(
    ['clinician', 'colleague'].map(who =>
      exchange.client(who as 'clinician').send('POST', path, { reason: 'She was renamed in May.' })
    )
  )
  t.same(both.map(({ status }) => status).sort(), [200, 409], 'of two at once one states it')
  await t.rejects(change('patient_confirmed_at = 0'), /a stated reason stands/)
})

t.test('what is there twice is told to those who may know of both', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const image = { name: 'a.dcm', bytes: madeScan(OTTOLINE) }
  const changed = { name: 'b.dcm', bytes: madeScan({ ...OTTOLINE, pixels: Buffer.alloc(8, 1) }) }
  const first = await uploadRecord(clinician, caseId, { files: [image, image] })
  t.match(first.duplicates, [{ by: 'content', count: 2 }])
  const second = await uploadRecord(clinician, caseId, { files: [changed] })
  t.match(second.duplicates, [{ by: 'instance', count: 3 }])
  const ids = second.duplicates[0]?.objects.map(({ record }) => record)
  t.same(ids, [first.id, first.id, second.id])

  const made = await shareRecords(exchange, caseId, [second.id])
  await openShare(exchange.client('specialistGb'), made.link)
  const manifest = await exchange
    .client('specialistGb')
    .json<ShareManifest>('GET', `/v1/shares/${made.id}`)
  t.same(manifest.records[0]?.duplicates, [], 'of a record that was not shared nothing is told')
  const { id: otherCase } = await createCase(clinician)
  const elsewhere = await uploadRecord(clinician, otherCase, { files: [image] })
  t.same(elsewhere.duplicates, [], 'another case is another matter')
})

t.test('three bad files of twenty are named, and the others are stored', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const files = brainSeries().map(sampleFile)
  files[3] = { name: 'thumbs.exe', bytes: Buffer.from('MZ\x90\0') }
  files[7] = { name: 'cut.dcm', bytes: Buffer.from(files[7]?.bytes.subarray(0, -9) ?? '') }
  files[19] = { name: 'empty.dcm', bytes: Buffer.alloc(0) }
  const { result, events } = await exchange.eventsOf(() => sendRecord(clinician, caseId, { files }))
  t.equal(result.status, 201)
  t.match(result.json, {
    refused: [
      { position: 4, fileName: 'thumbs.exe', code: 'file-type-refused', detail: /^Send/ },
      { position: 8, fileName: 'cut.dcm', code: 'file-truncated', title: /\w/ },
      { position: 20, fileName: 'empty.dcm', code: 'file-empty' }
    ]
  })
  const { objects } = result.json as { objects: { position: number }[] }
  t.equal(objects.length, 17)
  t.notOk(objects.some(({ position }) => [4, 8, 20].includes(position)))
  const recordId = String(result.json.id)
  t.match(events, [
    { action: 'record.create', outcome: 'success', details: { objects: 17, refused: 3 } },
    { outcome: 'refused', code: 'file-type-refused', recordId, details: { filePosition: 4 } },
    { outcome: 'refused', code: 'file-truncated', recordId, details: { filePosition: 8 } },
    { outcome: 'refused', code: 'file-empty', recordId, details: { filePosition: 20 } }
  ])
  const blobs = []
  for await (const { name } of exchange.exchange.blobs.list()) blobs.push(name)
  t.equal(blobs.length, 17, 'nothing of the others is kept')
  t.notMatch(exchange.logged(), /thumbs|cut\.dcm/, 'their names are in no log')
})

t.test('of very many bad files the log tells the first and counts all', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const bad = Array.from({ length: 60 }, () => ({ name: 'a.txt', bytes: Buffer.alloc(0) }))
  const good = { name: 'letter.txt', bytes: Buffer.from('Dear colleague') }
  const { result, events } = await exchange.eventsOf(() =>
    sendRecord(clinician, caseId, { files: [...bad, good] })
  )
  t.equal((result.json.refused as unknown[]).length, 60)
  t.equal(events.length, 21)
  t.match(events[0], { details: { refused: 60, objects: 1 } })
})
