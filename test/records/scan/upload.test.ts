import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { RecordView } from '../../../schemas/record.ts'
import { inlineScans } from '../../../src/records/scan/while-sealing.ts'
import { assertSound, blobFiles } from '../../faults/soundness.ts'
import { clamdServer, EICAR, MARKED } from '../../helpers/clamd-server.ts'
import {
  createCase,
  numberedText,
  openShare,
  sampleFile,
  sendRecord,
  sha256,
  shareRecords,
  startExchange,
  uploadRecord
} from '../../helpers/exchange.ts'
import { scriptedClamd } from '../../helpers/scripted-clamd.ts'
import { brainSeries, pathologyReport } from '../../samples/samples.ts'
import { file, objectRows, pdfWith, readRecord, scanNow, sendShare, toldOf } from './scene.ts'

const text = numberedText(20_000_000).bytes
const large = Buffer.concat([text.subarray(0, 9_000_000), MARKED, text.subarray(9_000_000)])

t.test('an infected file is refused while it is uploaded, wherever the infection is', async t => {
  const clamd = await clamdServer(t)
  if (clamd === undefined) return
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const fine = sampleFile(pathologyReport)
  const name = 'quillfeather-letter.txt'
  const infected: Record<string, [ReturnType<typeof file>[], number, string]> = {
    raw: [[file(name, EICAR)], 1, 'Test.EICAR'],
    'in a PDF stream': [[file('a.pdf', pdfWith(EICAR))], 1, 'Test.EICAR'],
    'in a deflated PDF stream': [[file('a.pdf', pdfWith(MARKED, true))], 1, 'Test.Marked'],
    'in the middle of a text': [
      [file(name, Buffer.concat([text.subarray(0, 3e6), MARKED]))],
      1,
      'Test.Marked'
    ]
  }
  for (const [where, [files, filePosition, signature]] of Object.entries(infected)) {
    const { result, events } = await x.eventsOf(() => sendRecord(clinician, caseId, { files }))
    t.match(
      result,
      { status: 422, json: { code: 'file-infected', filePosition, title: 'File is infected' } },
      where
    )
    t.match(Object(result.json).detail, /IT security/)
    t.match(events, [
      {
        action: 'record.create',
        outcome: 'refused',
        code: 'file-infected',
        actorId: x.people.clinician.accountId,
        caseId: null,
        details: { filePosition, signature: `${signature}.UNOFFICIAL`, asked: { case: caseId } }
      }
    ])
    t.same(await objectRows(x), [], 'nothing is recorded')
    t.same(blobFiles(x.directory), [], 'and nothing kept')
  }
  const many = [fine, ...Array(30).fill(numberedText(1000)), file(name, EICAR), fine]
  const { result, events } = await x.eventsOf(() => sendRecord(clinician, caseId, { files: many }))
  t.match(result, {
    status: 201,
    json: { quarantine: 'none', refused: [{ position: 32, code: 'file-infected', fileName: name }] }
  })
  t.match(
    events.find(({ outcome }) => outcome === 'refused'),
    { code: 'file-infected', caseId, details: { signature: 'Test.EICAR.UNOFFICIAL' } }
  )
  t.equal((await objectRows(x)).length, 32, 'the others are recorded')
  t.equal(blobFiles(x.directory).length, 32, 'and kept')
  t.notMatch(x.logged(), /quillfeather/i)

  const record = await uploadRecord(clinician, caseId, { files: [fine, numberedText(10)] })
  t.equal(record.quarantine, 'none')
  for (const object of record.objects) t.match(object, { scan: 'clean', scannedAt: /Z$/ })
  const share = await shareRecords(x, caseId, [record.id])
  const opened = await openShare(x.client('specialistGb'), share.link)
  t.match(opened.records, [{ id: record.id, quarantine: 'none' }])
  const manifest: { records: RecordView[] } = await x
    .client('specialistGb')
    .json('GET', `/v1/shares/${share.id}`)
  t.match(manifest.records, [{ quarantine: 'none', objects: [{ scan: 'clean' }, {}] }])
  await assertSound(t, x, [])
})

t.test('the scanner sees just what is stored, in whatever pieces it comes', async t => {
  const clamd = await scriptedClamd(t)
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
  const { id: caseId } = await createCase(x.client('clinician'))
  for (const bytes of [1, 65_535, 65_536, 1_048_575, 7_000_000]) {
    const one = numberedText(bytes)
    const { objects } = await uploadRecord(x.client('clinician'), caseId, { files: [one] })
    const [seen] = clamd.streams.splice(0)
    t.equal(sha256(seen ?? Buffer.alloc(0)), sha256(one.bytes), `${bytes} bytes`)
    t.match(objects, [{ scan: 'clean', sha256: sha256(one.bytes) }])
  }
})

t.test('memory that sealing takes away is copied first, and no other', async t => {
  const clamd = await scriptedClamd(t)
  const scans = inlineScans({ ...limits, clamd: { path: clamd.address } }, 1, Date.now)
  const whole = text.subarray(0, 2_000_000)
  const scan = scans.begin({ endToEnd: false })
  for (let at = 0; at < whole.length; at += 50_000) {
    // Every second piece is the sole owner of its memory, as a full buffer of a socket is.
    const piece = whole.subarray(at, at + 50_000)
    const isSole = at % 100_000 === 0
    const given = isSole ? new Uint8Array(piece) : piece
    scan.take(given)
    if (isSole) new Uint8Array((given.buffer as ArrayBuffer).transfer()).fill(0)
  }
  t.match(await scan.columns(1), { scan: 'clean' })
  t.equal(sha256(clamd.streams[0] ?? Buffer.alloc(0)), sha256(whole))
})

const limits = { bytesMax: 1e9, secondsMax: 10 }

t.test('in the middle of a large file, while it arrives or soon after', async t => {
  const clamd = await clamdServer(t)
  if (clamd === undefined) return
  const x = await startExchange(t, { env: { CONSILIUM_CLAMD: clamd.address } })
  const { id: caseId } = await createCase(x.client('clinician'))
  const answer = await sendRecord(x.client('clinician'), caseId, { files: [file('l.txt', large)] })
  // From this machine it may come faster than it can be scanned, and then it waits.
  if (answer.status === 201) {
    const { id } = answer.json as unknown as RecordView
    t.match(await sendShare(x, caseId, [id]), { status: 409 })
    await scanNow(x)
    t.match(await toldOf(x, id), { quarantine: 'held', scan: 'infected' })
  } else t.match(answer, { status: 422, json: { code: 'file-infected' } })
  t.same(blobFiles(x.directory), [])
})

t.test('what is too large to be scanned is for the policy to decide', async t => {
  const clamd = await clamdServer(t)
  if (clamd === undefined) return
  const env = { CONSILIUM_CLAMD: clamd.address, CONSILIUM_SCAN_BYTES_MAX: '100' }
  const x = await startExchange(t, { env })
  const clinician = x.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { tiff } = await import('../inspect/made-files.ts')
  const files = {
    dicom: sampleFile(brainSeries()[1] ?? ''),
    tiff: file('a.tiff', Buffer.concat([tiff({ little: true, big: false }), randomBytes(200)])),
    pdf: sampleFile(pathologyReport),
    text: numberedText(101),
    small: numberedText(100),
    endToEnd: file('a.age', ageFile())
  }
  const ids: Record<string, string> = {}
  for (const [name, one] of Object.entries(files)) {
    ids[name] = (await uploadRecord(clinician, caseId, { files: [one] })).id
  }
  const tooLarge = { scan: 'not-scanned', scanReason: 'too-large' }
  const expected: Record<string, [object, string, string, string]> = {
    dicom: [tooLarge, 'none', 'held', 'none'],
    tiff: [tooLarge, 'none', 'held', 'none'],
    pdf: [tooLarge, 'held', 'held', 'none'],
    text: [tooLarge, 'held', 'held', 'none'],
    small: [{ scan: 'clean' }, 'none', 'none', 'none'],
    endToEnd: [{ scan: 'not-scanned', scanReason: 'end-to-end' }, 'none', 'held', 'none']
  }
  for (const [at, policy] of ['structured', 'refuse', 'release'].entries()) {
    if (at > 0) await x.restart({ ...env, CONSILIUM_UNSCANNED: policy })
    for (const [name, [scan, ...states]] of Object.entries(expected)) {
      const what = `${name}, ${policy}`
      const quarantine = String(states[at])
      const id = String(ids[name])
      t.match(await toldOf(x, id), { ...scan, quarantine }, what)
      const answer = await sendShare(x, caseId, [id])
      if (quarantine === 'none') t.equal(answer.status, 201, what)
      else {
        t.match(answer, { status: 409, json: { code: 'record-in-quarantine' } }, what)
        t.match(Object(answer.json).problems, [`Record ${id} holds a file that could not be`])
      }
    }
    const list = await clinician.json<{ records: RecordView[] }>(
      'GET',
      `/v1/cases/${caseId}/records`
    )
    t.same(
      list.records.map(({ quarantine }) => quarantine),
      Object.values(expected).map(states => states[at + 1]),
      'and in the list'
    )
  }
  const content = await clinician.send('GET', `/v1/records/${ids['text']}/content`)
  t.equal(content.status, 200, 'its owner may read what is held')
})

t.test('without a scanner everything can be shared, and says that it was not scanned', async t => {
  const x = await startExchange(t)
  const { id: caseId } = await createCase(x.client('clinician'))
  const { id } = await uploadRecord(x.client('clinician'), caseId, {
    files: [file('a.txt', EICAR)]
  })
  t.match(await toldOf(x, id), { quarantine: 'none', scan: 'not-scanned', scanReason: 'off' })
  const share = await shareRecords(x, caseId, [id])
  const opened = await openShare(x.client('specialistGb'), share.link)
  t.match(opened.records, [{ quarantine: 'none' }])
  t.match(await x.client('specialistGb').json('GET', `/v1/shares/${share.id}`), {
    records: [{ objects: [{ scan: 'not-scanned', scanReason: 'off' }] }]
  })
  t.match(await x.client().send('GET', '/readyz'), {
    status: 200,
    json: { status: 'ready', checks: { scanner: 'off' } }
  })
  t.equal((await readRecord(x, id)).objects[0]?.scannedAt, undefined)
})

/** As much of an age file as tells that it is one. */
function ageFile(): Buffer {
  const stanza = `-> X25519 ${'A'.repeat(43)}\n${'B'.repeat(43)}\n--- ${'C'.repeat(43)}\n`
  return Buffer.concat([Buffer.from(`age-encryption.org/v1\n${stanza}`), randomBytes(48)])
}
