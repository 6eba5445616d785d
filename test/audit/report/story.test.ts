import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openCheckpoint } from '../../../src/audit/tlog/checkpoint.ts'
import { noteVerifier, parseVerifierKey } from '../../../src/audit/tlog/note.ts'
import { decodeEntries, tilePath } from '../../../src/audit/tlog/tiles.ts'
import { frontier, leafHash } from '../../../src/audit/tlog/tree.ts'
import { touchHead } from '../../../src/audit/tree/queries.ts'
import {
  createCase,
  NHS_NUMBER,
  NHS_SYSTEM,
  openShare,
  PATIENT_NAME,
  PURPOSE,
  sharedPath,
  shareRecords,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../../helpers/exchange.ts'
import { readPdf } from './read-pdf.ts'
import { askReport, LARGE, SMALL, secondOpinion, sendAsk } from './scene.ts'

const patient = { system: NHS_SYSTEM, value: NHS_NUMBER }

t.test('the report tells who saw what, on whose authority, and how it ended', async t => {
  const exchange = await startExchange(t)
  const { caseId, letter, scan, home, abroad, received } = await secondOpinion(exchange)
  const { clinician, specialistGb, specialistIn, auditor } = exchange.people
  const report = await askReport(exchange, { patient })

  t.match(report.patients, [{ name: PATIENT_NAME, identifier: patient, cases: [caseId] }])
  t.match(report.organisation, { name: 'City Hospital', odsCode: 'RX1', country: 'GB' })
  t.match(report.madeBy, { id: auditor.accountId, name: auditor.name })
  t.equal(report.about.case, undefined)

  const atHome = { share: home.id, reader: { name: specialistGb.name, country: 'GB' } }
  const inIndia = { share: abroad.id, reader: { name: specialistIn.name, country: 'IN' } }
  const letterFile = { id: letter.objects[0]?.id, name: SMALL.name, bytes: 1000 }
  t.match(report.disclosures, [
    { ...atHome, what: { kind: 'summary', case: caseId }, ending: { state: 'complete' } },
    {
      ...atHome,
      reader: { organisation: { name: 'Royal Review Centre' } },
      what: {
        kind: 'file',
        record: { id: letter.id, kind: 'letter', title: 'Letter of referral' },
        file: letterFile
      },
      address: '127.0.0.1',
      ending: { state: 'complete', bytes: 1000 }
    },
    {
      ...atHome,
      what: { kind: 'file', record: { id: scan.id }, file: { name: LARGE.name } },
      ending: { state: 'aborted' }
    },
    { ...inIndia, what: { kind: 'summary' } },
    {
      ...inIndia,
      what: { kind: 'part-of-file', file: letterFile, range: { first: 10, last: 99 } },
      ending: { state: 'complete', bytes: 90 }
    }
  ])
  t.equal(report.disclosures.length, 5, 'and nothing else')
  const sent = Number(report.disclosures[2]?.ending.bytes)
  t.ok(sent >= received && sent < LARGE.bytes.length, 'what was handed over before they left')

  t.match(report.shares, [
    { id: home.id, purpose: PURPOSE, transfer: { basis: 'uk' }, withdrawn: undefined },
    {
      id: abroad.id,
      madeBy: { name: clinician.name },
      specialist: { name: specialistIn.name, organisation: { name: 'Delhi Institute' } },
      transfer: { basis: 'idta', country: 'IN', safeguard: { reference: 'IDTA-2026-014' } },
      records: [{ title: 'Letter of referral' }],
      notBefore: abroad.notBefore,
      expiresAt: abroad.expiresAt,
      withdrawn: { by: { name: clinician.name } }
    }
  ])
  t.equal(report.shares.length, 2)
  t.same(report.refused, {
    total: 2,
    reasons: [
      { code: 'share-not-found', title: 'No such share', count: 1 },
      { code: 'share-revoked', title: 'Share was withdrawn by its sender', count: 1 }
    ]
  })
})

t.test('the printed report tells the same', async t => {
  const exchange = await startExchange(t)
  const { caseId, received } = await secondOpinion(exchange)
  const json = await askReport(exchange, { case: caseId })
  const answer = await sendAsk(exchange, { case: caseId })
  t.equal(answer.headers.get('content-type'), 'application/pdf')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(answer.bytes.subarray(0, 5).toString(), '%PDF-')

  const { lines } = readPdf(answer.bytes)
  const text = lines.join('\n')
  const values = (label: string) =>
    lines.filter(line => line.startsWith(`${label}: \t`)).map(line => line.split('\t')[1])
  t.same(values('Patient'), [PATIENT_NAME])
  t.same(values('Number'), ['NHS number 999 000 0018'])
  const { specialistGb, specialistIn } = exchange.people
  const gb = `${specialistGb.name} · Royal Review Centre · United Kingdom`
  const india = `${specialistIn.name} · Delhi Institute · India`
  t.same(values('For'), [gb, india])
  t.same(values('Who'), [gb, gb, gb, india, india])
  t.same(
    values('Permission').map(value => value?.slice(0, 12)),
    [...Array(3).fill('permission 1'), ...Array(2).fill('permission 2')]
  )
  t.match(values('Ended'), [
    'Complete.',
    'Complete. 1,000 bytes handed to the network.',
    /^Broken off at the reader’s end\. [\d,]+ bytes/,
    'Complete.',
    'Complete. 90 bytes handed to the network.'
  ])
  const sent = Number(values('Ended')[2]?.replace(/\D/g, ''))
  t.ok(sent >= received, 'the same bytes as on the log')
  t.match(text, /1 time: \t“Share was withdrawn by its sender”/)
  for (const { event, index, london } of json.disclosures) {
    t.ok(text.includes(`log entry ${index} · event ${event}`))
    t.ok(text.includes(london))
  }
  const [origin = '', ...rest] = json.log.checkpoint.split('\n')
  t.ok(lines.includes(origin), 'the checkpoint is printed')
  t.match(text, new RegExp(`^— ${rest.at(-2)?.split(' ')[1]} [A-Za-z0-9+/=]+$`, 'm'))
  for (const key of json.log.keys) t.ok(lines.includes(key))
})

/** Every entry of the log up to a size, as anyone can fetch them. */
async function publicEntries(exchange: TestExchange, size: number): Promise<Buffer[]> {
  const entries: Buffer[] = []
  for (let index = 0; entries.length < size; index += 1) {
    const width = Math.min(256, size - entries.length)
    const path = tilePath({ level: 'entries', index, width })
    const { bytes } = await exchange.client().send('GET', `/v1/audit/${path}`)
    entries.push(...decodeEntries(bytes))
  }
  return entries
}

t.test('every line is in the log that the report is signed by, and so is the report', async t => {
  const exchange = await startExchange(t)
  const { caseId } = await secondOpinion(exchange)
  const report = await askReport(exchange, { case: caseId })
  const { log } = report
  const verifiers = log.keys.map(key => noteVerifier(parseVerifierKey(key)))
  const { size, root } = openCheckpoint(log.checkpoint, log.origin, verifiers)
  t.equal(size, log.size)

  const entries = await publicEntries(exchange, size)
  const tree = frontier()
  for (const entry of entries) tree.add(leafHash(entry))
  t.same(tree.root(), root, 'these are the entries that were signed')

  const leaves = entries.map(entry => JSON.parse(entry.toString()))
  for (const line of report.disclosures) {
    const { event, index, at, share, ending } = line
    t.match(leaves[index], { id: event, at, ...(share && { share }) })
    if (ending.entry === undefined) continue
    const { state: outcome, bytes } = ending
    t.match(leaves[ending.entry.index], { id: ending.entry.event, grant: event, outcome, bytes })
  }
  for (const { id, entry, withdrawn } of report.shares) {
    t.match(leaves[Number(entry?.index)], { id: entry?.event, action: 'share.create', share: id })
    if (withdrawn === undefined) continue
    t.match(leaves[Number(withdrawn.entry?.index)], { action: 'share.revoke', share: id })
  }
  t.match(
    leaves.find(({ id }) => id === report.id),
    { action: 'audit.report', outcome: 'success' }
  )

  const [line] = report.disclosures
  const address = log.proofs
    .replace(/^https?:\/\/[^/]+/, '')
    .replace('{event}', String(line?.event))
  const proof = await exchange.client().send('GET', address)
  t.equal(proof.status, 200, 'where the report says that proofs are, they are')
})

t.test('asking is an event of its own, with the id of the report, and of no name', async t => {
  const exchange = await startExchange(t)
  const { caseId } = await secondOpinion(exchange)
  // The token is an event of its own.
  await exchange.client('auditor').token()
  for (const format of ['json', 'pdf']) {
    const { result, events } = await exchange.eventsOf(() => sendAsk(exchange, { patient, format }))
    t.equal(events.length, 1)
    const [event] = events
    t.match(event, {
      action: 'audit.report',
      outcome: 'success',
      actorId: exchange.people.auditor.accountId,
      details: { asked: { format } }
    })
    t.notMatch(JSON.stringify(event?.details), new RegExp(NHS_NUMBER))
    const name = `attachment; filename="disclosure-report-${event?.id}.${format}"`
    t.equal(result.headers.get('content-disposition'), name)
  }
  const { events } = await exchange.eventsOf(() => askReport(exchange, { case: caseId }))
  t.match(events, [{ action: 'audit.report', caseId }])
})

t.test('a patient of two cases gets both; a case, itself alone', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const cases: string[] = []
  for (const title of ['Letter of the first case', 'Letter of the second case']) {
    const { id } = await createCase(clinician)
    const record = await uploadRecord(clinician, id, { kind: 'letter', title, files: [SMALL] })
    const share = await shareRecords(exchange, id, [record.id])
    await openShare(exchange.client('specialistGb'), share.link)
    await exchange.client('specialistGb').send('GET', sharedPath(share.id, record.id))
    cases.push(id)
  }
  const titles = (report: Awaited<ReturnType<typeof askReport>>) =>
    report.disclosures.flatMap(({ what }) => what.record?.title ?? [])
  const all = await askReport(exchange, { patient })
  t.same(titles(all), ['Letter of the first case', 'Letter of the second case'])
  t.same(all.patients.length, 1)
  t.same([...(all.patients[0]?.cases ?? [])].sort(), [...cases].sort())
  const one = await askReport(exchange, { case: cases[1] })
  t.same(titles(one), ['Letter of the second case'])
  t.equal(one.shares.length, 1)
})

t.test('only what happened in the period is told, with every share that held in it', async t => {
  const exchange = await startExchange(t)
  const HOUR = 3_600_000
  exchange.clock.set('2027-10-31T00:30:00Z')
  const { caseId } = await secondOpinion(exchange)
  const later = new Date(exchange.clock.now() + HOUR).toISOString()
  exchange.clock.advance(2 * HOUR)
  const none = await askReport(exchange, { case: caseId, from: later })
  t.same(none.disclosures, [])
  t.same(none.refused.total, 0)
  t.equal(none.shares.length, 1, 'the one that was not withdrawn before')
  const all = await askReport(exchange, { case: caseId, to: later })
  t.equal(all.disclosures.length, 5)
  t.equal(all.disclosures[0]?.london, '31 October 2027, 01:30:00 BST')
  t.equal(all.period.london.to, '31 October 2027, 01:30:00 GMT', 'an hour later')
})

t.test('a share of this very moment is told with its place on the log', async t => {
  // Given a share that was just made and withdrawn, while something keeps events from their places,
  // where they wait for them
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const letter = await uploadRecord(clinician, caseId, { files: [SMALL] })
  const { database } = exchange.exchange
  const [held, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const isWaiting = database.read.kind === 'postgres'
  const holding = database.write(async tx => {
    await touchHead(tx, 1)
    held.resolve()
    if (isWaiting) await gate.promise
  })
  await held.promise
  const share = await shareRecords(exchange, caseId, [letter.id])
  await clinician.json('DELETE', `/v1/shares/${share.id}`)
  // When the report is asked for
  const asked = askReport(exchange, { case: caseId })
  await pause(isWaiting ? 500 : 0)
  gate.resolve()
  await holding
  // Then it says where both are on record
  const entry = { index: Number, event: String }
  t.match((await asked).shares, [{ id: share.id, entry, withdrawn: { entry } }])
})
