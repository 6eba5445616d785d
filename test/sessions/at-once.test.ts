import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { addStaff, changeRole, disableStaff, enableStaff } from '../../src/identity/staff.ts'
import { deleteOtherIdentities } from '../../src/sessions/identity-queries.ts'
import {
  addOptions,
  addPasskey,
  removePasskey,
  renewRecoveryCodes
} from '../../src/sessions/own-passkeys.ts'
import { holdAccount } from '../../src/sessions/passkey-queries.ts'
import {
  callerOfSession,
  endSessions,
  listSessions,
  proveAgain
} from '../../src/sessions/session.ts'
import { signInThrough } from '../../src/sessions/through-issuer.ts'
import { Authenticator, withPasskey } from '../helpers/authenticator.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { startExchange } from '../helpers/exchange.ts'
import { sessionCookieOf } from '../helpers/signed-in.ts'
import { callerAs } from './scene.ts'

/** So long one waits in which the other would have gone on, had nothing kept it. */
const WAIT_MILLISECONDS = 500

/** Where two transactions run at once. */
async function setUp(t: Test) {
  const { url } = await freshPostgres()
  const x = await startExchange(t, { env: { DATABASE_URL: url } })
  const { accountId } = x.people.clinician
  return { x, exchange: x.exchange, accountId, caller: callerAs(x, 'clinician') }
}

t.test('signing out everywhere ends a session that is proven at that moment', async t => {
  if (!hasPostgres(t)) return
  // Given a session whose holder is just proving who they are
  const { x, exchange, accountId, caller } = await setUp(t)
  const cookie = await sessionCookieOf(x, 'clinician')
  const { sessionId } = await callerOfSession(exchange, cookie)
  const [proven, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const proving = exchange.database.write(async tx => {
    await proveAgain(tx, exchange, { accountId, sessionId })
    proven.resolve()
    await goOn.promise
  })
  await proven.promise
  // When they sign out everywhere before that is stored
  const ending = endSessions(exchange, caller)
  await sleep(WAIT_MILLISECONDS)
  goOn.resolve()
  await Promise.all([proving, ending])
  // Then no session is left
  t.same(await listSessions(exchange, accountId), [])
})

t.test('an identity that is taken away at that moment lets nobody in', async t => {
  if (!hasPostgres(t)) return
  // Given somebody who uses an enrolment code, for which their identity elsewhere goes
  const { exchange, accountId, caller } = await setUp(t)
  const person = { issuer: 'https://city.example', subject: 'wren' }
  await exchange.database.write(async tx => {
    await tx.insert(tx.tables.identities).values({ ...person, accountId, createdAt: 1 })
  })
  const [taken, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const enrolling = exchange.database.write(async tx => {
    await holdAccount(tx, accountId)
    await deleteOtherIdentities(tx, accountId)
    taken.resolve()
    await goOn.promise
  })
  await taken.promise
  // When that identity signs in before that is stored
  const errand = { kind: 'sign-in' as const, person: async () => person }
  const signingIn = signInThrough(exchange, caller.trace, errand)
  const refused = t.rejects(signingIn, { name: 'Refusal', code: 'account-unknown' })
  await sleep(WAIT_MILLISECONDS)
  goOn.resolve()
  await enrolling
  // Then it is refused, and there is no session
  await refused
  t.same(await listSessions(exchange, accountId), [])
})

t.test('what a session has begun gives no way in once it has ended', async t => {
  const exchange = await startExchange(t)
  const { exchange: parts } = exchange
  const { id } = await withPasskey(exchange, 'clinician')
  // Given somebody who is known, with a challenge for one more passkey
  const cookie = await sessionCookieOf(exchange, 'clinician')
  const { principal } = await callerOfSession(parts, cookie)
  const caller = { ...principal, trace: callerAs(exchange, 'clinician').trace }
  const codes = await renewRecoveryCodes(parts, caller)
  t.equal(codes.length, 10)
  const answer = new Authenticator().register(await addOptions(parts, caller))
  // When their sessions end before what they sent is done
  await endSessions(parts, caller)
  // Then it is not done any more
  const ended = { name: 'Refusal', code: 'session-ended' }
  await t.rejects(addPasskey(parts, caller, answer, 'Mine'), ended, 'another passkey')
  await t.rejects(renewRecoveryCodes(parts, caller), ended, 'other recovery codes')
  await t.rejects(removePasskey(parts, caller, id), ended, 'one passkey less')
})

t.test('of two administrators who end each other one stays', async t => {
  const x = await startExchange(t)
  const { exchange } = x
  // Given two administrators of one organisation
  const one = callerAs(x, 'administrator')
  const added = await addStaff(exchange, one, { role: 'administrator', name: 'B Second' })
  const other = { ...one, accountId: added.accountId, subject: added.accountId }
  const acts = {
    'by disabling': (by: typeof one, id: string) => disableStaff(exchange, by, id),
    'by another role': (by: typeof one, id: string) =>
      changeRole(exchange, by, id, { role: 'auditor' })
  }
  for (const [how, act] of Object.entries(acts)) {
    // When each does it to the other at once
    const done = await Promise.allSettled([act(one, other.accountId), act(other, one.accountId)])
    // Then one of them has, and the other is refused, and adds nobody any more
    t.same(done.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], how)
    const [winner, loser] = done[0]?.status === 'fulfilled' ? [one, other] : [other, one]
    await t.rejects(addStaff(exchange, loser, { role: 'auditor', name: 'C Third' }), {
      name: 'Refusal'
    })
    if (how === 'by disabling') await enableStaff(exchange, winner, loser.accountId)
  }
})
