import { createReadStream } from 'node:fs'
import t, { type Test } from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import type { InvitationSent } from '../../schemas/invitation.ts'
import { finishAcceptanceThrough } from '../../src/register/accept-by-issuer.ts'
import { gmcRegister } from '../../src/register/gmc.ts'
import { importRegister } from '../../src/register/import-register.ts'
import { postgresOnly } from '../helpers/databases.ts'
import { eventually, startExchange, type TestExchange } from '../helpers/exchange.ts'
import { type Intruder, intrude } from '../helpers/intruder.ts'
import { entryInput, invitationInput, invite, verify } from './scene.ts'

// What two transactions do to each other on PostgreSQL, where each stops at a row that the other has.

const trace = { requestId: 'test', method: 'POST', route: '/i', address: '127.0.0.1' }

/** Locks are waited for all the time, but not for long: the log takes turns. */
const WAITING = `SELECT count(*)::int AS n FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'
  AND clock_timestamp() - query_start > interval '300 milliseconds'`

/** Resolves once so many statements wait for what is held. */
function waiting(intruder: Intruder, wanted: number): Promise<unknown> {
  return eventually(`${wanted} wait`, async () => {
    const [row] = await intruder.run(WAITING)
    return Number(row?.n) >= wanted ? true : undefined
  })
}

/** Runs both at once: the first stops at a row that is held, and lets the second come to its end or wait. */
async function crossed<A, B>(
  t: Test,
  exchange: TestExchange,
  hold: [statement: string, ...values: string[]],
  acts: [first: () => Promise<A>, second: () => Promise<B>]
): Promise<[PromiseSettledResult<A>, PromiseSettledResult<B>]> {
  const intruder = await intrude(t, exchange.config)
  const looker = await intrude(t, exchange.config)
  await intruder.run('BEGIN')
  await intruder.run(...hold)
  const first = acts[0]()
  await waiting(looker, 1)
  const second = acts[1]()
  await Promise.race([second.catch(() => {}), waiting(looker, 2)])
  await intruder.run('COMMIT')
  return Promise.allSettled([first, second])
}

t.test(
  'who accepts at the moment in which it is withdrawn or sent again does, or does not',
  { skip: postgresOnly },
  async t => {
    const exchange = await startExchange(t)
    const { database } = exchange.exchange
    const clinician = exchange.client('clinician')
    for (const act of ['withdraw', 'resend'] as const) {
      const { invitation } = await invite(exchange)
      const { invitations } = database.read.tables
      const [row] = await database.read
        .select()
        .from(invitations)
        .where(eq(invitations.id, invitation.id))
      const errand = {
        kind: 'invitation' as const,
        about: { linkId: row?.linkId },
        person: async () => ({ issuer: 'https://issuer.example', subject: act })
      }
      const path = `/v1/invitations/${invitation.id}`
      const [accepted, other] = await crossed(
        t,
        exchange,
        ['SELECT id FROM specialists WHERE id = ? FOR UPDATE', invitation.specialist],
        [
          () => finishAcceptanceThrough(exchange.exchange, trace, errand),
          () =>
            act === 'withdraw'
              ? clinician.send('DELETE', path)
              : clinician.send('POST', `${path}/resend`, { codeChannel: 'letter' })
        ]
      )
      t.match(accepted, { status: 'fulfilled' }, act)
      t.match(other, { value: { status: 409, json: { code: 'invitation-ended' } } }, act)
    }
  }
)

t.test(
  'who is judged while another file comes to count is judged by one of the two',
  { skip: postgresOnly },
  async t => {
    const exchange = await startExchange(t)
    const file = createReadStream(new URL('fixtures/gmc-register.csv', import.meta.url))
    const wanted = { asOf: '2026-11-20', mayShrink: false }
    await importRegister(exchange.exchange, gmcRegister, file, wanted)
    const input = entryInput({
      country: 'GB',
      professionalBody: 'GMC',
      registrationSystem: 'https://fhir.hl7.org.uk/Id/gmc-number',
      registrationNumber: '7100005'
    })
    const { id } = await exchange
      .client('administrator')
      .json<{ id: string }>('POST', '/v1/specialists', input)
    const intruder = await intrude(t, exchange.config)
    await intruder.run('BEGIN')
    await intruder.run('LOCK TABLE register_rows')
    const verified = verify(exchange, id)
    await waiting(await intrude(t, exchange.config), 1)
    // The same file of the next day is read, and the rows of this one are removed.
    const next = '0fffffff-ffff-7000-8000-000000000000'
    await intruder.run(
      'INSERT INTO register_files SELECT ?, source, as_of + 86400000, sha256, rows, imported_at FROM register_files',
      next
    )
    await intruder.run('UPDATE register_rows SET file_id = ?', next)
    await intruder.run('COMMIT')
    t.match(await verified, { status: 200, json: { state: 'verified' } })
  }
)

t.test('whom two clinicians invite at once is entered once', { skip: postgresOnly }, async t => {
  const exchange = await startExchange(t)
  const by = (who: 'clinician' | 'otherClinician') => () =>
    exchange.client(who).json<InvitationSent>('POST', '/v1/invitations', invitationInput())
  const [one, other] = await crossed(
    t,
    exchange,
    ['LOCK TABLE specialists IN SHARE MODE'],
    [by('clinician'), by('otherClinician')]
  )
  const specialist = one.status === 'fulfilled' && one.value.invitation.specialist
  t.match(other, { status: 'fulfilled', value: { invitation: { specialist } } })
})
