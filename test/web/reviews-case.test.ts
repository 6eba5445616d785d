import { join } from 'node:path'
import t from 'tap'
import {
  createCase,
  numberedText,
  openShare,
  sampleFile,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { madeScan } from '../helpers/made-dicom.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { underReview } from '../opinions/scene.ts'

const PROBE = '"><img src=x onerror=alert(1)>'
const pdf = sampleFile(join(import.meta.dirname, '../samples/referral-letter.pdf'))

t.test('the case on one page', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const letter = await uploadRecord(clinician, caseId, {
    kind: 'letter',
    title: PROBE,
    files: [{ ...pdf, name: '<img src=x onerror=alert(1)>.pdf' }]
  })
  const many = await uploadRecord(clinician, caseId, {
    files: Array.from({ length: 130 }, (_, at) => numberedText(20 + at, `${at}.txt`))
  })
  const scan = await uploadRecord(clinician, caseId, {
    kind: 'scan',
    files: [{ name: 'probe.dcm', bytes: madeScan({ description: PROBE }) }]
  })
  const records = [letter.id, many.id, scan.id]
  const share = await shareRecords(exchange, caseId, records, { purpose: PROBE })
  const [file] = letter.objects
  const specialist = await signedIn(exchange, 'specialistGb')
  const home = `/reviews/${share.id}`
  const filePath = `${home}/records/${letter.id}/objects/${file?.id}`

  await t.test('is closed until it was opened', async t => {
    const { text } = await specialist.get(home)
    t.match(text, 'A case was sent to you')
    t.notMatch(text, /glioma|QUILLFEATHER/)
    t.equal((await specialist.get(`${filePath}/content`)).status, 403)
    await openShare(exchange.client('specialistGb'), share.link)
  })

  await t.test('tells everything, as it is written', async t => {
    const { result, events } = await exchange.eventsOf(() => specialist.get(home))
    const { text } = result
    for (const each of ['QUILLFEATHER', 'glioma', 'See all 130 files', String(file?.sha256)]) {
      t.match(text, each)
    }
    t.notMatch(text, '<img src=x')
    const escaped = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'
    t.match(text, `CT HEAD ${escaped}: 1 image`, 'of the headers of a scan too')
    t.match(text, `<strong>${escaped}</strong>`)
    t.notMatch(/<title>[^<]*/.exec(text)?.[0], /QUILL|img/)
    t.same(
      events.map(({ action }) => action),
      ['share.list', 'share.read', 'message.list']
    )
    const last = await specialist.get(`${home}/records/${many.id}?page=2`)
    t.match(last.text, '130.txt'.replace('130', '129'))
    t.match(last.text, 'Page 2 of 2')
    t.notMatch((await specialist.get(filePath)).text, '<img src=x')
  })

  await t.test(
    'shows a harmless file in place, framed by us alone, and saves all others',
    async t => {
      const shown = await specialist.get(`${filePath}/content`)
      t.match([shown.status, shown.headers.get('content-type')], [200, 'application/pdf'])
      t.equal(shown.headers.get('content-disposition'), 'inline')
      t.equal(shown.headers.get('x-frame-options'), 'SAMEORIGIN')
      t.match(
        shown.headers.get('content-security-policy'),
        /default-src 'none'.*frame-ancestors 'self'/
      )
      t.equal(shown.headers.get('x-content-type-options'), 'nosniff')
      const text = many.objects[0]?.id
      const saved = await specialist.get(`${home}/records/${many.id}/objects/${text}/content`)
      t.match(saved.headers.get('content-disposition'), /^attachment/)
      t.match(saved.headers.get('content-security-policy'), /^sandbox/)
      const fromElsewhere = {
        'sec-fetch-site': 'cross-site',
        'sec-fetch-dest': 'document'
      }
      const api = `/v1/shares/${share.id}/records/${letter.id}/content`
      t.equal((await specialist.get(api, fromElsewhere)).status, 403)
    }
  )

  await t.test('is nobody else’s', async t => {
    const stranger = await signedIn(exchange, 'stranger')
    for (const path of [
      home,
      filePath,
      `${home}/messages`,
      `${home}/decline`,
      `${home}/more-time`
    ]) {
      const { status, text } = await stranger.get(path)
      t.equal(status, 404, path)
      t.notMatch(text, /Kestrel|City Hospital|QUILL/)
    }
  })

  await t.test('messages go to and fro, and what was typed is not lost', async t => {
    const sent = await specialist.post(`${home}/messages`, { text: `Is there more? ${PROBE}` })
    t.match([sent.status, sent.headers.get('location')], [303, `${home}/messages`])
    await clinician.json('POST', `/v1/shares/${share.id}/messages`, { text: `No. ${PROBE}` })
    for (const path of [home, `${home}/messages`]) {
      const { text } = await specialist.get(path)
      t.match(text, 'Is there more?')
      t.match(text, 'Dr Alice Kestrel')
      t.notMatch(text, '<img src=x')
    }
    const empty = await specialist.post(`${home}/messages`, { text: '' })
    t.match(empty, { status: 400, text: /There is a problem[\s\S]*Type a message\./ })
  })

  await t.test('declining ends it, with a reason', async t => {
    const why = await specialist.post(`${home}/decline`, { reason: ' ' })
    t.match(why, { status: 400, text: /Say why, in 1,000 characters at most/ })
    const declined = await specialist.post(`${home}/decline`, { reason: `Not my field ${PROBE}` })
    t.equal(declined.status, 303)
    t.match((await specialist.get(home)).text, 'You have declined this case')
    t.match((await specialist.get(`${filePath}/content`)).text, /share-declined|declined/)
  })
})

t.test('a PDF in which something may run is only saved', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { caseId } = await underReview(exchange)
  const bytes = Buffer.from(
    String(pdf.bytes.toString('latin1')).replace(
      '/Type /Catalog',
      '/Type /Catalog /OpenAction << /S /JavaScript /JS (app.alert(1)) >>'
    ),
    'latin1'
  )
  const record = await uploadRecord(clinician, caseId, { files: [{ name: 'x.pdf', bytes }] })
  t.ok((record.objects[0]?.summary.pdf?.flags ?? []).length > 0)
  const share = await shareRecords(exchange, caseId, [record.id])
  await openShare(exchange.client('specialistGb'), share.link)
  const specialist = await signedIn(exchange, 'specialistGb')
  const path = `/reviews/${share.id}/records/${record.id}/objects/${record.objects[0]?.id}`
  t.match((await specialist.get(path)).text, 'This file cannot be shown here')
  const { headers } = await specialist.get(`${path}/content`)
  t.match(headers.get('content-disposition'), /^attachment/)
  t.match((await specialist.get(`/reviews/${share.id}`)).text, 'Write your opinion')
})
