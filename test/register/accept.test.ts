import { calculateJwkThumbprint } from 'jose'
import t from 'tap'
import type { InvitationSent } from '../../schemas/invitation.ts'
import { startExchange, type TestExchange } from '../helpers/exchange.ts'
import { accessToken } from '../helpers/identity.ts'
import { intrude } from '../helpers/intruder.ts'
import { entryInput, invite, mailOf, newKey, readEntry, sendAccept, verify } from './scene.ts'

const HOUR = 3_600_000
const wrong = { status: 403, json: { code: 'enrolment-code-wrong' } }

/** An invitation with its link and code. */
async function invited(exchange: TestExchange) {
  const { invitation, code } = await invite(exchange, { message: 'We met in Lyon.' })
  const { link } = await mailOf(exchange, invitation.id)
  return { invitation, code, link }
}

async function storedTries(exchange: TestExchange): Promise<number[]> {
  const { database } = exchange.exchange
  const rows = await database.read.select().from(database.read.tables.invitations)
  return rows.map(row => row.tries)
}

t.test('an invitation is accepted, and its specialist verified', async t => {
  const exchange = await startExchange(t)
  const { invitation, code, link } = await invited(exchange)
  t.match(code, /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/)
  t.match(link, /^http:\/\/localhost:3000\/i#[\w-]+\.[\w-]+\.[\w-]+$/)
  const { key, d } = await newKey()
  // Read out on the telephone, and typed as heard.
  const heard = code.toLowerCase().replace('-', ' ').replace(/0/g, 'o').replace(/1/g, 'l')
  const { result: accepted, events } = await exchange.eventsOf(() =>
    sendAccept(exchange, { link, code: heard, key })
  )
  const { organisationId, name } = exchange.people.clinician
  t.match(accepted, {
    status: 201,
    json: {
      account: invitation.specialist,
      state: 'unverified',
      invitedBy: { organisation: 'City Hospital', clinician: name },
      message: 'We met in Lyon.'
    }
  })
  t.same(
    events.map(event => event.action),
    ['organisation.create', 'client.create', 'account.create', 'invitation.accept']
  )
  t.match(events.at(-1), { organisationId, actorId: invitation.specialist, outcome: 'success' })
  const clientId = String(accepted.json.clientId)
  const kid = await calculateJwkThumbprint(key)
  const token = await accessToken(
    exchange.url,
    { ...key, d, kid, alg: 'ES384', use: 'sig', client_id: clientId },
    exchange.clock.now
  )
  const account = await fetch(`${exchange.url}/v1/account`, {
    headers: { authorization: `Bearer ${token}` }
  })
  t.match(await account.json(), {
    id: invitation.specialist,
    role: 'specialist',
    name: 'Dr Maya Phalarope',
    country: 'CA',
    organisation: { name: 'Toronto Clinic' }
  })
  t.match(await readEntry(exchange, invitation.specialist), {
    account: invitation.specialist,
    state: 'unverified',
    unverifiedReason: 'enrolled'
  })
  const again = { status: 410, json: { code: 'invitation-accepted' } }
  t.match(await sendAccept(exchange, { link, code, key: (await newKey()).key }), again)
  t.match(await verify(exchange, invitation.specialist), {
    status: 422,
    json: { code: 'registration-missing' }
  })
})

t.test('who was verified before is verified anew once they sign in', async t => {
  const exchange = await startExchange(t)
  const made = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', entryInput({ email: 'ines@clinic.example' }))
  await verify(exchange, made.id)
  const sent = await exchange
    .client('clinician')
    .json<{ invitation: { id: string }; code: string }>('POST', '/v1/invitations', {
      specialist: made.id,
      codeChannel: 'in-person'
    })
  const { link, to } = await mailOf(exchange, sent.invitation.id)
  t.equal(to, 'ines@clinic.example')
  const { key } = await newKey()
  t.match(await sendAccept(exchange, { link, code: sent.code, key }), { status: 201 })
  t.match(await readEntry(exchange, made.id), {
    account: made.id,
    state: 'unverified',
    unverifiedReason: 'enrolled'
  })
})

t.test('twenty guesses at once: exactly five are counted, and the code is dead', async t => {
  const exchange = await startExchange(t)
  const { code, link } = await invited(exchange)
  const { key } = await newKey()
  const guess = (n: number) =>
    sendAccept(exchange, { link, code: `00000-0000${n.toString(32).toUpperCase()}`, key })
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => guess(n)))
  const codes = answers.map(answer => String(answer.json.code))
  t.equal(codes.filter(told => told === 'enrolment-code-wrong').length, 5)
  t.equal(codes.filter(told => told === 'invitation-locked').length, 15)
  t.same(await storedTries(exchange), [5])
  t.match(await sendAccept(exchange, { link, code, key }), {
    status: 403,
    json: { code: 'invitation-locked' }
  })
  const { database } = exchange.exchange
  const [row] = await database.read.select().from(database.read.tables.invitations)
  t.equal(row?.codeRef, null, 'not even its hash is left')
  const events = await exchange.auditEvents({ action: 'invitation.accept', outcome: 'refused' })
  t.equal(events.length, 21, 'each on the log')
  const { organisationId } = exchange.people.clinician
  t.ok(
    events.every(event => event.organisationId === organisationId),
    'of who sent it'
  )
})

t.test('the right code among many at once is taken once', async t => {
  const exchange = await startExchange(t)
  const { code, link } = await invited(exchange)
  const keys = await Promise.all(Array.from({ length: 4 }, newKey))
  const answers = await Promise.all(
    keys.map(({ key }) => sendAccept(exchange, { link, code, key }))
  )
  t.same(answers.map(answer => answer.status).sort(), [201, 410, 410, 410])
})

t.test('who was invited by two and accepts both at once is enrolled once', async t => {
  const exchange = await startExchange(t)
  for (let turn = 0; turn < 3; turn += 1) {
    const first = await invite(exchange)
    const second = await exchange
      .client('otherClinician')
      .json<InvitationSent>('POST', '/v1/invitations', {
        specialist: first.invitation.specialist,
        codeChannel: 'letter'
      })
    const answers = await Promise.all(
      [first, second].map(async ({ invitation, code }) => {
        const { link } = await mailOf(exchange, invitation.id)
        return sendAccept(exchange, { link, code, key: (await newKey()).key })
      })
    )
    const told = answers.map(({ status, json }) => `${status} ${json.code ?? ''}`)
    t.same(told.sort(), ['201 ', '409 invitation-not-needed'])
  }
})

t.test('the database itself lets nobody try six times', async t => {
  const exchange = await startExchange(t)
  await invited(exchange)
  const intruder = await intrude(t, exchange.config)
  await t.rejects(intruder.run('UPDATE invitations SET tries = 6'))
})

t.test('72 hours, to the millisecond', async t => {
  const exchange = await startExchange(t)
  exchange.clock.set('2027-03-26T12:00:00Z')
  const { code, link } = await invited(exchange)
  const { key } = await newKey()
  exchange.clock.advance(72 * HOUR - 1)
  t.match(await sendAccept(exchange, { link, code: '00000-00000', key }), wrong)
  exchange.clock.advance(1)
  const expired = { status: 410, json: { code: 'invitation-expired' } }
  t.match(await sendAccept(exchange, { link, code, key }), expired)
  t.same(await storedTries(exchange), [1], 'and no try is counted any more')
})

t.test('sent again: the old link and the old code are dead, the tries begin anew', async t => {
  const exchange = await startExchange(t)
  const first = await invited(exchange)
  const { key } = await newKey()
  for (let n = 0; n < 5; n += 1) {
    await sendAccept(exchange, { link: first.link, code: `00000-0000${n}`, key })
  }
  const path = `/v1/invitations/${first.invitation.id}`
  const { code } = await exchange
    .client('colleague')
    .json<{ code: string }>('POST', `${path}/resend`, { codeChannel: 'letter' })
  const { link } = await mailOf(exchange, first.invitation.id)
  t.not(code, first.code)
  t.not(link, first.link)
  t.match(await sendAccept(exchange, { link: first.link, code, key }), {
    status: 404,
    json: { code: 'invitation-not-found' }
  })
  t.match(await sendAccept(exchange, { link, code: first.code, key }), wrong)
  t.same(await storedTries(exchange), [1])
  t.match(await sendAccept(exchange, { link, code, key }), { status: 201 })
  t.match(
    await exchange.client('clinician').send('POST', `${path}/resend`, { codeChannel: 'letter' }),
    {
      status: 409,
      json: { code: 'invitation-ended' }
    }
  )
})

t.test('withdrawn', async t => {
  const exchange = await startExchange(t)
  const { invitation, code, link } = await invited(exchange)
  const { key } = await newKey()
  const clinician = exchange.client('clinician')
  const path = `/v1/invitations/${invitation.id}`
  t.match(await clinician.json('DELETE', path), { state: 'withdrawn' })
  t.match(await sendAccept(exchange, { link, code, key }), {
    status: 410,
    json: { code: 'invitation-withdrawn' }
  })
  t.match(await clinician.send('DELETE', path), { json: { code: 'invitation-ended' } })
})

t.test('what is no link, no key and no token', async t => {
  const exchange = await startExchange(t)
  const { code, link } = await invited(exchange)
  const { key } = await newKey()
  const offCurve = { ...key, y: key.x }
  const bearer = String(await exchange.client('specialistGb').token())
  const refused: [body: object, code: string][] = [
    [{ link: link.slice(0, -4), code, key }, 'invitation-not-found'],
    [{ link: 'http://localhost:3000/i', code, key }, 'link-incomplete'],
    [{ link, code }, 'identity-refused'],
    [{ link, code, key, accessToken: bearer }, 'identity-refused'],
    [{ link, code, key: offCurve }, 'identity-refused'],
    [{ link, code, key: { ...key, d: 'secret' } }, 'request-invalid'],
    [{ link, code, key: { ...key, crv: 'P-256' } }, 'request-invalid'],
    [{ link, code, accessToken: 'x.y.z' }, 'token-invalid'],
    [{ link, code, accessToken: bearer }, 'identity-taken']
  ]
  for (const [body, told] of refused)
    t.match(await sendAccept(exchange, body), { json: { code: told } }, told)
  t.same(await storedTries(exchange), [0], 'none of it was a try')
  // A link of the other kind is signed with the same keys.
  const share = await exchange.exchange.links.make({
    shareId: '0190a5b0-0000-7000-8000-000000000000',
    issuedAt: exchange.clock.now(),
    notBefore: exchange.clock.now(),
    expiresAt: exchange.clock.now() + HOUR
  })
  t.match(await sendAccept(exchange, { link: share, code, key }), {
    json: { code: 'invitation-not-found' }
  })
  t.match(await exchange.client('specialistGb').send('POST', '/v1/links/open', { link }), {
    json: { code: 'share-not-found' }
  })
  t.match(await sendAccept(exchange, { link, code, key }), { status: 201 }, 'and it still works')
})
