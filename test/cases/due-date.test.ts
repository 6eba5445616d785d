import t, { type Test } from 'tap'
import { addAccount, addClient, addOrganisation } from '../../src/identity/enrol.ts'
import { makeClient } from '../helpers/client.ts'
import { createCase, startExchange } from '../helpers/exchange.ts'
import { putRequest, readCase, wholeRequest, writeRequest } from '../helpers/request.ts'

/** A due date, when that day is over there, and a moment of it at which it is another day in London. */
const zones: [zone: string, due: string, over: string][] = [
  ['Europe/London', '2027-03-28', '2027-03-28T23:00:00.000Z'],
  ['Europe/London', '2027-10-31', '2027-11-01T00:00:00.000Z'],
  ['America/New_York', '2027-03-14', '2027-03-15T04:00:00.000Z'],
  ['America/New_York', '2027-11-07', '2027-11-08T05:00:00.000Z'],
  ['Asia/Kolkata', '2027-06-30', '2027-06-30T18:30:00.000Z'],
  ['Pacific/Kiritimati', '2027-12-31', '2027-12-31T10:00:00.000Z']
]

/** A clinician of an organisation whose days are those of this zone. */
async function clinicianIn(t: Test, timeZone: string) {
  const stage = await startExchange(t)
  const { exchange } = stage
  const organisation = await addOrganisation(exchange, {
    name: `Clinic of ${timeZone}`,
    country: 'IE',
    timeZone
  })
  const accountId = await addAccount(exchange, {
    organisation,
    role: 'clinician',
    name: 'Dr Una Plover',
    professionalBody: 'IMC',
    registrationNumber: '4711'
  })
  const key = await addClient(exchange, { accountId })
  const person = { name: 'Dr Una Plover', accountId, organisationId: organisation, key }
  return { stage, client: makeClient(() => stage.url, stage.clock.now, person) }
}

for (const [zone, dueDate, over] of zones) {
  t.test(`${dueDate} in ${zone} is over at ${over}`, async t => {
    const { stage, client } = await clinicianIn(t, zone)
    const ends = Date.parse(over)
    stage.clock.set(ends - 1)
    const { id: caseId } = await createCase(client)
    const whole = wholeRequest(ends, { dueDate, funding: 'nhs' })
    delete whole.insurance
    await writeRequest(client, caseId, whole)
    const seenAt = async (at: number) => {
      stage.clock.set(at)
      const { dueAt, warnings } = await readCase(client, caseId)
      return { dueAt, warnings: warnings.map(({ code }) => code) }
    }
    t.same(await seenAt(ends - 1), { dueAt: over, warnings: [] }, 'until its last millisecond')
    t.same(await seenAt(ends), { dueAt: over, warnings: ['overdue'] })

    const { id: next } = await createCase(client)
    const late = await putRequest(client, next, whole)
    t.equal(late.json.code, 'due-date-past', 'nothing can become due on a day that is over')
  })
}

t.test('an organisation has a zone that exists, and London where none is given', async t => {
  const { exchange } = await startExchange(t)
  const { organisations } = exchange.database.read.tables
  const clinic = { name: 'Clinic', country: 'IE' }
  await t.rejects(addOrganisation(exchange, { ...clinic, timeZone: 'Mars/Olympus' }), {
    code: 'request-invalid'
  })
  const id = await addOrganisation(exchange, clinic)
  const rows = await exchange.database.read.select().from(organisations)
  t.equal(rows.find(row => row.id === id)?.timeZone, 'Europe/London')
})
