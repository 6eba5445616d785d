import t from 'tap'
import { openCaseKey } from '../../src/cases/case.ts'
import { openStoredConsents } from '../../src/consents/read.ts'
import { agreed, agreedToTransfer, recordConsent, sendWithdrawal } from '../helpers/consent.ts'
import {
  createCase,
  numberedText,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'

const exchange = await startExchange(t)
const clinician = exchange.client('clinician')

/** What the check of the exchange does with the consents of one case. */
async function checkConsents(caseId: string): Promise<void> {
  const { database, keyring } = exchange.exchange
  // The service looks anew at what others wrote once it has written something itself.
  await clinician.json('GET', '/v1/account')
  const [row] = await database.read
    .select()
    .from(database.read.tables.cases)
    .then(rows => rows.filter(({ id }) => id === caseId))
  if (row === undefined) throw new Error('There is no such case.')
  await openStoredConsents(database.read, await openCaseKey(keyring, row), caseId)
}

async function consentedCase() {
  const { id: caseId } = await createCase(clinician)
  const now = exchange.clock.now()
  const consent = await recordConsent(clinician, caseId, agreed(now))
  const told = await recordConsent(clinician, caseId, agreedToTransfer(now, 'IN'))
  const { id } = await uploadRecord(clinician, caseId, { files: [numberedText(10)] })
  const share = await shareRecords(exchange, caseId, [id])
  return { caseId, consent, told, share }
}

t.test('whoever changes a consent past the service is found out', async t => {
  const { caseId, consent, told } = await consentedCase()
  const other = await consentedCase()
  await checkConsents(caseId)
  const intruder = await intrude(t, exchange.config)
  await intruder.passTriggers()
  const swap = async (statement: string, ...values: string[]) => {
    const before = await intruder.run('SELECT * FROM consents WHERE id = ?', consent.id)
    await intruder.run(statement, ...values)
    await t.rejects(checkConsents(caseId), statement)
    const { details_sealed: details, text_version: version, case_id: of } = before[0] ?? {}
    await intruder.run(
      'UPDATE consents SET details_sealed = ?, text_version = ?, case_id = ? WHERE id = ?',
      details,
      version,
      of,
      consent.id
    )
    await checkConsents(caseId)
  }
  await swap(
    'UPDATE consents SET details_sealed = (SELECT details_sealed FROM consents WHERE id = ?) WHERE id = ?',
    told.id,
    consent.id
  )
  await swap('UPDATE consents SET text_version = 7 WHERE id = ?', consent.id)
  // Its share then rests on a consent that is not of its case.
  await swap('UPDATE consents SET case_id = ? WHERE id = ?', other.caseId, consent.id)
})

t.test('a withdrawal that fails half-way has not happened', async t => {
  const intruder = await intrude(t, exchange.config)
  if (intruder.kind === 'postgres') {
    t.pass('a trigger of SQLite fails it')
    return
  }
  const { caseId, consent, share } = await consentedCase()
  await intruder.run(
    `CREATE TRIGGER no_notice BEFORE INSERT ON notices WHEN NEW.kind = 'consent-withdrawn'
     BEGIN SELECT RAISE (ABORT, 'no'); END`
  )
  const { result, events } = await exchange.eventsOf(() =>
    sendWithdrawal(clinician, caseId, consent.id)
  )
  t.equal(result.status, 500)
  t.same(
    events.filter(({ outcome }) => outcome === 'success'),
    []
  )
  const stateOf = async () => {
    const { shares }: { shares: { id: string; state: string }[] } = await clinician.json(
      'GET',
      `/v1/shares?case=${caseId}`
    )
    return shares.find(({ id }) => id === share.id)?.state
  }
  t.equal(await stateOf(), 'live')
  await intruder.run('DROP TRIGGER no_notice')
  const again = await sendWithdrawal(clinician, caseId, consent.id)
  t.match(again, { status: 200, json: { withdrawnShares: [share.id] } })
  t.equal(await stateOf(), 'revoked')
})
