import t from 'tap'
import { fonts, printable } from '../../../src/audit/report/fonts.ts'
import { reportAsPdf } from '../../../src/audit/report/pdf.ts'
import { addAccount, addClient } from '../../../src/identity/enrol.ts'
import { makeClient } from '../../helpers/client.ts'
import {
  NHS_NUMBER,
  NHS_SYSTEM,
  numberedText,
  openShare,
  sharedPath,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../../helpers/exchange.ts'
import { readPdf } from './read-pdf.ts'
import { askReport, sendAsk } from './scene.ts'

t.test('text is printed as it is, or what is not shown is told', async t => {
  const { regular } = await fonts()
  const cases: [written: string, printed: string][] = [
    ['Dr Łukasz Żółć', 'Dr Łukasz Żółć'],
    ['Ελένη Παπαδοπούλου, Наталія', 'Ελένη Παπαδοπούλου, Наталія'],
    ['O’Brien “Bob” – €5', 'O’Brien “Bob” – €5'],
    ['e\u0301', 'é'],
    ['王芳', '[U+738B][U+82B3]'],
    ['a\u{e0041}b', 'a[U+E0041]b'],
    ['two\nlines\r\nand\ttabs', 'two lines and tabs'],
    ['  blank  ', 'blank'],
    ['a\u0000b\u001bc', 'a[U+0000]b[U+001B]c'],
    ['Dr \u202egnorW\u202c', 'Dr [U+202E]gnorW[U+202C]'],
    ['zero\u200bwidth', 'zero[U+200B]width'],
    [`Z${'\u0308'.repeat(4)}`, 'Z\u0308\u0308[U+0308][U+0308]'],
    ['משה לוי', 'משה\u00a0לוי'],
    ['\ud800', '[U+D800]']
  ]
  for (const [written, printed] of cases) {
    t.equal(printable(written, regular), printed, JSON.stringify(written))
  }
  const long = printable('x'.repeat(5000), regular)
  t.ok(long.length < 800)
  t.match(long, /cut here/)
})

/** Names that would add lines to the report, or take some away. */
const FORGED = 'Dr Evil   Who: Dr Carol Goldcrest   99. 1 January 2020, 00:00:00 GMT'
const TURNED = 'Report \u202eevil\u202c'
/** In a body line breaks of every kind come through. */
const BROKEN = `${'\u0301'.repeat(300)}\n\nEnded: \tnever\r\nWho: \tnobody`

/** A case all of whose names are hostile, read by a specialist whose name is. */
async function hostileCase(exchange: TestExchange) {
  const clinician = exchange.client('clinician')
  const { now } = exchange.clock
  const { organisationId: organisation } = exchange.people.specialistIe
  const details = { organisation, role: 'specialist', name: FORGED }
  const registered = { professionalBody: 'IMC', registrationNumber: '1' }
  const accountId = await addAccount(exchange.exchange, { ...details, ...registered })
  const key = await addClient(exchange.exchange, { accountId })
  const reader = makeClient(() => exchange.url, now, {
    name: FORGED,
    accountId,
    organisationId: organisation,
    key
  })

  const { id: caseId }: { id: string } = await clinician.json('POST', '/v1/cases', {
    patient: {
      identifier: { system: NHS_SYSTEM, value: NHS_NUMBER },
      name: `Łukasz 王芳${'W'.repeat(150)}\nWho: \tnobody`,
      birthDate: '1951-03-17'
    },
    question: 'What now?'
  })
  const record = await uploadRecord(clinician, caseId, {
    kind: 'letter',
    title: TURNED,
    files: [numberedText(100)]
  })
  const share: { id: string; link: string } = await clinician.json(
    'POST',
    `/v1/cases/${caseId}/shares`,
    {
      specialist: accountId,
      records: [record.id],
      purpose: BROKEN
    }
  )
  await openShare(reader, share.link)
  await reader.send('GET', sharedPath(share.id, record.id))
  await exchange.auditEvents()
  return caseId
}

t.test('no name can add a line, break the page or turn the text around', async t => {
  const exchange = await startExchange(t)
  const caseId = await hostileCase(exchange)
  const { lines, pages } = readPdf((await sendAsk(exchange, { case: caseId })).bytes)
  const labels = (label: string) => lines.filter(line => line.startsWith(`${label}: \t`))
  t.equal(labels('Who').length, 2, 'the opening and the download')
  t.same(
    lines.filter(line => /^\d+\. /.test(line)).map(line => line.split('.')[0]),
    ['1', '2']
  )
  t.equal(labels('Ended').length, 2)
  t.ok(labels('Who').every(line => line.startsWith('Who: \tDr Evil Who: Dr Carol')))
  t.ok(lines.some(line => line.includes('[U+202E]evil[U+202C]')))
  t.ok(labels('Patient')[0]?.startsWith('Patient: \tŁukasz [U+738B][U+82B3]WWW'))
  t.notMatch(lines.join('\n'), /\ufffd/, 'every glyph can be read back')
  for (const page of pages) t.match(page.join('\n'), /Page \d+/)
})

t.test('many lines flow over pages, each with its heading, number and foot', async t => {
  const exchange = await startExchange(t)
  const caseId = await hostileCase(exchange)
  const [granted] = await exchange.auditEvents({ action: 'content.read', outcome: 'granted' })
  const { database, audit } = exchange.exchange
  await database.write(async tx => {
    for (let i = 0; i < 60; i += 1) {
      const { organisationId, actorId, recordId, objectId, shareId } = granted ?? {}
      await audit.append(tx, {
        action: 'content.read',
        outcome: 'success',
        ...Object.fromEntries(
          Object.entries({ organisationId, actorId, recordId, objectId, shareId })
        ),
        caseId,
        details: { address: `192.0.2.${i}` }
      })
    }
  })
  const report = await askReport(exchange, { case: caseId })
  t.equal(report.disclosures.length, 62)
  const first = await sendAsk(exchange, { case: caseId })
  const { pages, lines, structure, elements } = readPdf(first.bytes)
  t.ok(pages.length > 5)
  const id = /disclosure-report-([0-9a-f-]+)\.pdf/.exec(
    String(first.headers.get('content-disposition'))
  )?.[1]
  for (const [at, page] of pages.entries()) {
    const foot = `Consilium · disclosure report ${id}\tPage ${at + 1}`
    t.equal(page.filter(line => line === foot).length, 1)
    t.equal(page.filter(line => line.endsWith(', continued')).length, at === 0 ? 0 : 1)
  }
  const headings = lines.filter(line => /^\d+\. \d+ \w+ \d{4}, /.test(line))
  t.same(
    headings.map(line => Number(line.split('.')[0])),
    Array.from({ length: 62 }, (_, i) => i + 1),
    'every line once, in order'
  )
  t.equal(lines.at(-1), `This is the end of the report. It has ${pages.length} pages.`)

  t.match(structure, /\/Lang \(en-GB\)/)
  t.match(structure, /\/Marked true/)
  t.match(structure, /\/DisplayDocTitle true/)
  t.notMatch(structure, /\/(URI|JS|JavaScript|Launch|EmbeddedFile)\b/, 'it does nothing by itself')
  t.equal(elements.filter(type => type === 'H3').length, 62 + 1)
  t.equal(elements.filter(type => type === 'Document').length, 1)
  t.notOk(first.bytes.toString('latin1').includes('Quillfeather'))
})

t.test('a short report is one page, and the same report the same bytes', async t => {
  const exchange = await startExchange(t)
  const report = await askReport(exchange, {
    patient: { system: NHS_SYSTEM, value: NHS_NUMBER }
  })
  const print = async () => {
    const pieces: Buffer[] = []
    for await (const piece of reportAsPdf(report)) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  const printed = await print()
  t.equal(readPdf(printed).pages.length, 1)
  t.ok(printed.equals(await print()))
})
