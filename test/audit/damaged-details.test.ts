import t from 'tap'
import type { AuditEventView } from '../../schemas/audit-event.ts'
import { numberedText, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { giveOpinion, wholeOpinion } from '../opinions/scene.ts'
import { readPdf } from './report/read-pdf.ts'
import { askReport, sendAsk } from './report/scene.ts'
import { verifyText } from './verify/exports.ts'

// Details that somebody changed past the service hide neither their event nor any other.

t.test('one event with damaged details is told, as damaged, among the others', async t => {
  // Given a download, and one changed byte in the sealed details of its event
  const exchange = await startExchange(t)
  const { caseId, path } = await sharedRecord(exchange, [numberedText(100)])
  await exchange.client('specialistGb').send('GET', path)
  const [read] = await exchange.auditEvents({ action: 'content.read', outcome: 'granted' })
  const hand = await intrude(t, exchange.config)
  const [row] = await hand.run('SELECT details_sealed FROM audit_events WHERE id = ?', read?.id)
  const spoilt = Buffer.from(row?.['details_sealed'] as Buffer)
  spoilt[20] = Number(spoilt[20]) ^ 1
  await hand.passTriggers()
  await hand.run('UPDATE audit_events SET details_sealed = ? WHERE id = ?', spoilt, read?.id)
  await hand.restoreTriggers()
  const auditor = exchange.client('auditor')

  // When the log is asked, then it answers, and says of this one event what it cannot tell
  const { events } = await auditor.json<{ events: AuditEventView[] }>(
    'GET',
    `/v1/audit/events?case=${caseId}`
  )
  t.same(
    events.filter(({ damaged }) => damaged).map(({ id, details }) => ({ id, details })),
    [{ id: read?.id, details: {} }]
  )
  t.match(
    events.find(({ action }) => action === 'share.create'),
    { details: { purpose: /./ } },
    'and of the others everything'
  )
  t.equal((await auditor.send('GET', `/fhir/AuditEvent/${read?.id}`)).status, 200)
  const page = await (await signedIn(exchange, 'auditor')).get(`/log/events/${read?.id}`)
  t.match(page.text, /changed the details of this event in the database/)

  // And so do the exports; the verifier names it
  const asked = (format: string) =>
    auditor.send('POST', '/v1/audit/events/export', { format, case: caseId })
  t.match((await asked('csv')).text, String(read?.id))
  const { faults } = await verifyText(t, (await asked('proof')).text)
  t.match(faults, [/^Line \d+, event \d+: its details were changed where they are kept\.$/])
  t.equal(faults.length, 1)

  // And the report for the patient
  const { disclosures } = await askReport(exchange, { case: caseId })
  t.match(
    disclosures.find(({ event }) => event === read?.id),
    { damaged: true, ending: { state: 'complete' } }
  )
  const printed = await sendAsk(exchange, { case: caseId, format: 'pdf' })
  t.match(readPdf(printed.bytes).lines.join('\n'), /somebody has changed the details of this event/)
})

t.test('an opinion is submitted although the details of a read were changed', async t => {
  // Given a file that was read whole, and changed details of how that ended
  const exchange = await startExchange(t)
  const specialist = exchange.client('specialistGb')
  const { share, path } = await sharedRecord(exchange, [numberedText(100)])
  await specialist.send('GET', path)
  const [ended] = await exchange.auditEvents({ action: 'content.read', outcome: 'complete' })
  const hand = await intrude(t, exchange.config)
  await hand.passTriggers()
  const sql = 'UPDATE audit_events SET details_sealed = ? WHERE id = ?'
  await hand.run(sql, Buffer.alloc(100), ended?.id)
  await hand.restoreTriggers()

  // When its specialist submits, then the manifest says that something of it was handed over
  const answers = [{ number: 1, answer: 'Leave it be.' }]
  const given = await giveOpinion(specialist, share.id, wholeOpinion({ answers }))
  t.match(given.reviewed, [{ handedOver: { whole: 0, part: 1, none: 0 } }])
})
