import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  createCase,
  numberedText,
  type SampleFile,
  sampleFile,
  sendRecord,
  sha256,
  sharedRecord,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { readZip } from '../helpers/zip.ts'
import { ageFile, jpeg, pdf, png, tiff } from '../records/inspect/made-files.ts'
import { brainSeries, pathologyReport, transferSyntaxes } from '../samples/samples.ts'

t.test(
  'a series of twenty slices, and nine other transfer syntaxes, come back as they were',
  async t => {
    const exchange = await startExchange(t)
    const clinician = exchange.client('clinician')
    const { id: caseId } = await createCase(clinician)
    for (const paths of [brainSeries(), transferSyntaxes()]) {
      const files = paths.map(sampleFile)
      const record = await uploadRecord(clinician, caseId, { kind: 'scan', files })
      t.equal(record.objects.length, files.length)
      for (const [index, object] of record.objects.entries()) {
        const file = files[index] as SampleFile
        t.match(object, {
          position: index + 1,
          fileName: file.name,
          type: 'application/dicom',
          endToEnd: false,
          bytes: file.bytes.length,
          sha256: sha256(file.bytes)
        })
        const path = `/v1/records/${record.id}/objects/${object.id}/content`
        const answer = await clinician.send('GET', path)
        t.ok(answer.bytes.equals(file.bytes), `${file.name} is byte for byte the same`)
        t.equal(answer.headers.get('content-type'), 'application/dicom')
        t.match(answer.headers.get('content-disposition'), `attachment; filename="${file.name}"`)
      }
    }
  }
)

t.test('every accepted type is told by its bytes, whatever it is called', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const { binary, armoured } = ageFile()
  const files: [name: string, bytes: Buffer, type: string, endToEnd: boolean][] = [
    ['report.pdf', pdf('1.7'), 'application/pdf', false],
    ['image.png', png(), 'image/png', false],
    ['photo.jpg', jpeg(), 'image/jpeg', false],
    ['slide.tiff', tiff({ little: true, big: true }), 'image/tiff', false],
    ['letter.txt', Buffer.from('Liebe Kollegin, größten Dank.'), 'text/plain', false],
    ['for-your-eyes.age', binary, 'application/age', true],
    ['for-your-eyes.age', armoured, 'application/age', true],
    ['without-extension', pdf('1.4'), 'application/pdf', false]
  ]
  const record = await uploadRecord(clinician, caseId, {
    files: files.map(([name, bytes]) => ({ name, bytes }))
  })
  for (const [index, [fileName, bytes, type, endToEnd]] of files.entries()) {
    const object = record.objects[index]
    t.match(object, { fileName, type, endToEnd, bytes: bytes.length, sha256: sha256(bytes) })
  }
  t.same(await clinician.json('GET', `/v1/records/${record.id}`), record, 'and so it is shown')
})

t.test('a file its sender encrypted to the specialist goes through as it is', async t => {
  const exchange = await startExchange(t)
  // What follows the header of an age file is noise to everybody but the recipient.
  const noise = Buffer.alloc(200_000, 'MZ\x7fELF<script>')
  const secret = { name: 'opinion.age', bytes: Buffer.concat([ageFile().binary, noise]) }
  const { path, record } = await sharedRecord(exchange, [secret])
  t.match(record.objects, [{ type: 'application/age', endToEnd: true }])
  const answer = await exchange.client('specialistGb').send('GET', path)
  t.ok(answer.bytes.equals(secret.bytes))
  t.equal(answer.headers.get('content-type'), 'application/octet-stream', 'no browser opens it')
})

t.test('the type a sender declares cannot make a file pass for another', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const refused: [label: string, file: SampleFile, status: number, code: string][] = [
    ['an SVG', { name: 'a.svg', bytes: Buffer.from('<svg xmlns="x"/>') }, 415, 'file-type-refused'],
    ['HTML as PDF', { name: 'a.pdf', bytes: Buffer.from('<html><p>') }, 415, 'file-type-refused'],
    ['a ZIP', { name: 'a.zip', bytes: Buffer.from('PK\x03\x04....') }, 415, 'file-type-refused'],
    ['a program', { name: 'a.dcm', bytes: Buffer.from('MZ\x90\x00') }, 415, 'file-type-refused'],
    ['a PDF as DICOM', { name: 'a.dcm', bytes: pdf('1.7') }, 415, 'file-mislabelled'],
    ['a PNG as text', { name: 'a', type: 'text/plain', bytes: png() }, 415, 'file-mislabelled'],
    ['nothing', { name: 'a.txt', bytes: Buffer.alloc(0) }, 422, 'file-empty'],
    ['half a PNG', { name: 'a.png', bytes: png().subarray(0, 20) }, 400, 'file-truncated']
  ]
  for (const [label, file, status, code] of refused) {
    const { result, events } = await exchange.eventsOf(() =>
      sendRecord(clinician, caseId, { files: [file] })
    )
    const told = [{ position: 1, fileName: file.name, code, detail: /\w+/ }]
    t.match(result, { status, json: { code, filePosition: 1, refused: told } }, label)
    t.match(events, [{ action: 'record.create', outcome: 'refused', code }], label)
  }
  t.same(await clinician.json('GET', `/v1/cases/${caseId}/records`), { records: [] })
})

t.test('a file keeps its name as far as any system can keep it, and no further', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const names: [sent: string, kept: string][] = [
    ['../../etc/passwd.txt', 'passwd.txt'],
    ['C:\\Temp\\letter.txt', 'letter.txt'],
    ['größe – 診断.txt', 'größe – 診断.txt'],
    ['invoice\u202etxt.exe.txt', 'invoicetxt.exe.txt'],
    ['set-cookie: a=b.txt', 'set-cookie a=b.txt'],
    ['.hidden.txt', 'hidden.txt'],
    [`${'long'.repeat(100)}.txt`, `${'long'.repeat(36)}lo.txt`]
  ]
  const files = names.map(([name]) => ({ name, bytes: Buffer.from(name) }))
  const record = await uploadRecord(clinician, caseId, { files })
  t.same(
    record.objects.map(object => object.fileName),
    names.map(([, kept]) => kept)
  )
  for (const [index, object] of record.objects.entries()) {
    const path = `/v1/records/${record.id}/objects/${object.id}/content`
    const { headers, bytes } = await clinician.send('GET', path)
    const disposition = String(headers.get('content-disposition'))
    const [, extended = ''] = /filename\*=UTF-8''([^;]+)$/.exec(disposition) ?? []
    t.equal(decodeURIComponent(extended), names[index]?.[1])
    t.match(disposition, /^attachment; filename="[\x20-\x7e]*"; /)
    t.equal(bytes.toString(), names[index]?.[0])
  }
  const archive = await clinician.send('GET', `/v1/records/${record.id}/content`)
  t.same(
    readZip(archive.bytes).map(entry => entry.name),
    names.map(([, kept], index) => `${index + 1}-${kept}`)
  )
})

t.test('a study of many files comes as one ZIP', async t => {
  const exchange = await startExchange(t)
  const twins = ['same name.txt', 'same name.txt', 'größe.txt'].map((name, n) => ({
    ...numberedText(70_000 + n, name)
  }))
  const files = [
    ...brainSeries().slice(1, 8).map(sampleFile),
    ...twins,
    sampleFile(pathologyReport)
  ]
  const { path } = await sharedRecord(exchange, files)
  const specialist = exchange.client('specialistGb')
  const answer = await specialist.send('GET', path)

  t.match(answer, { status: 200 })
  t.equal(answer.headers.get('content-type'), 'application/zip')
  t.equal(Number(answer.headers.get('content-length')), answer.bytes.length)
  const entries = readZip(answer.bytes)
  t.equal(entries.length, files.length)
  t.equal(new Set(entries.map(entry => entry.name)).size, files.length, 'no two names alike')
  for (const [index, { name, bytes }] of entries.entries()) {
    const file = files[index] as SampleFile
    t.ok(name.endsWith(`-${file.name}`), name)
    t.ok(bytes.equals(file.bytes), `${name} is byte for byte the same`)
  }
  const [granted, complete] = await exchange.auditEvents({ action: 'content.read' })
  t.match(granted, { outcome: 'granted', details: { archive: files.length }, objectId: null })
  t.match(complete, { outcome: 'complete', bytesHandedOver: answer.bytes.length })

  t.test('other programs read it too', async t => {
    const archive = join(t.testdir(), 'study.zip')
    writeFileSync(archive, answer.bytes)
    const tools = [
      ['unzip', '-t', archive],
      ['python3', '-m', 'zipfile', '-t', archive]
    ] as const
    let tried = 0
    for (const [program, ...args] of tools) {
      const { error, status, stdout } = spawnSync(program, args, { encoding: 'utf8' })
      if (error !== undefined) continue
      tried += 1
      t.equal(status, 0, `${program} finds nothing wrong: ${stdout}`)
    }
    if (tried === 0) t.pass('neither is on this machine; readZip has read it')
    t.test('and unpack the same bytes', { skip: !has('unzip') }, async t => {
      const folder = t.testdir()
      execFileSync('unzip', ['-q', archive, '-d', folder], {
        env: { ...process.env, LC_ALL: 'C.UTF-8' }
      })
      for (const [index, { name }] of entries.entries()) {
        t.ok(readFileSync(join(folder, name)).equals((files[index] as SampleFile).bytes), name)
      }
    })
  })
})

function has(program: string): boolean {
  return spawnSync(program, ['-v']).error === undefined
}
