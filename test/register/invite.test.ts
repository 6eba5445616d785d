import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { NHS_NUMBER, startExchange } from '../helpers/exchange.ts'
import { entryInput, invitationInput, invite } from './scene.ts'

t.test('link and code never take the same way', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const same = { status: 422, json: { code: 'invitation-same-channel' } }
  const ways: [change: object, told: object][] = [
    [{ codeChannel: 'e-mail' }, same],
    [{ codeChannel: 'e-mail', codeAddress: '+44 20 7946 0000' }, same],
    [{ codeChannel: 'telephone', codeAddress: 'Maya.Phalarope@clinic.example' }, same],
    [{ codeChannel: 'text-message', codeAddress: ' maya.phalarope+x@clinic.example ' }, same],
    [{ codeChannel: 'letter', codeAddress: 'other@clinic.example' }, same],
    [{ codeChannel: 'telephone', codeAddress: '+44 20 7946 0000' }, { status: 201 }]
  ]
  for (const [change, told] of ways) {
    const body = invitationInput(change)
    t.match(await clinician.send('POST', '/v1/invitations', body), told, JSON.stringify(change))
  }
  const { invitation } = await invite(exchange)
  t.match(
    await clinician.send('POST', `/v1/invitations/${invitation.id}/resend`, {
      codeChannel: 'e-mail'
    }),
    same
  )
})

t.test('no message names a patient', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const spaced = `${NHS_NUMBER.slice(0, 3)} ${NHS_NUMBER.slice(3, 6)} ${NHS_NUMBER.slice(6)}`
  for (const named of [NHS_NUMBER, spaced, 'A woman, DOB 3/4/51', 'born on 3 May 1951']) {
    const body = invitationInput({ message: `About ${named}.` })
    t.match(await clinician.send('POST', '/v1/invitations', body), {
      status: 422,
      json: { code: 'invitation-names-patient' }
    })
  }
  const telephone = invitationInput({ message: 'Call me on 020 7946 0958 or 1234567890.' })
  t.match(await clinician.send('POST', '/v1/invitations', telephone), { status: 201 })
})

t.test('whom the register has is not entered twice', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { invitation } = await invite(exchange, { email: 'one@clinic.example' })
  const second = await invite(exchange, { email: 'ONE@clinic.example' })
  t.equal(second.invitation.specialist, invitation.specialist)
  const enrolled = exchange.people.specialistGb.accountId
  const send = (body: object) => clinician.send('POST', '/v1/invitations', body)
  t.match(await send({ specialist: enrolled, codeChannel: 'letter' }), {
    status: 409,
    json: { code: 'invitation-not-needed' }
  })
  const { id } = await exchange
    .client('administrator')
    .json<{ id: string }>('POST', '/v1/specialists', entryInput())
  t.match(await send({ specialist: id, codeChannel: 'letter' }), {
    status: 422,
    json: { code: 'invitation-address-missing' }
  })
  t.match(await send({ ...invitationInput(), specialist: id }), {
    json: { code: 'request-invalid' }
  })
  t.match(await send({ codeChannel: 'letter', name: 'Dr X' }), {
    json: { code: 'request-invalid' }
  })
})

t.test('the organisation sees its invitations, and no other does', async t => {
  const exchange = await startExchange(t)
  const { invitation, code } = await invite(exchange)
  const list = await exchange.client('colleague').send('GET', '/v1/invitations')
  t.match(list.json.invitations, [{ id: invitation.id, state: 'open', triesLeft: 5, sends: 1 }])
  t.notOk(list.text.includes(code) || list.text.includes('clinic.example'))
  t.same((await exchange.client('otherClinician').send('GET', '/v1/invitations')).json, {
    invitations: []
  })
})

t.test('of many at once a clinician has so many open and no more', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { invitation } = await invite(exchange)
  const { database } = exchange.exchange
  await database.write(async tx => {
    const { invitations } = tx.tables
    const [row] = await tx.select().from(invitations)
    if (row === undefined) throw new Error('There is no invitation.')
    for (let n = 0; n < 95; n += 1) {
      await tx.insert(invitations).values({ ...row, id: uuidv7(), linkId: uuidv7() })
    }
  })
  const some = (from: number) =>
    Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        clinician.send(
          'POST',
          '/v1/invitations',
          invitationInput({ email: `a${from + n}@clinic.example` })
        )
      )
    )
  const answers = await some(0)
  t.same(answers.map(({ status }) => status).sort(), [201, 201, 201, 201, 429, 429, 429, 429])
  exchange.clock.advance(73 * 3_600_000)
  for (let from = 8; from < 8 + 104; from += 8) await some(from)
  const again = await clinician.send('POST', `/v1/invitations/${invitation.id}/resend`, {
    codeChannel: 'letter'
  })
  t.match(again, { status: 429, json: { code: 'too-many-invitations' } }, 'nor by sending again')
})

t.test('nobody is mailed without end', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { invitation } = await invite(exchange)
  const resend = () =>
    clinician.send('POST', `/v1/invitations/${invitation.id}/resend`, { codeChannel: 'letter' })
  const answers = []
  for (let n = 0; n < 10; n += 1) answers.push(await resend())
  t.same(
    answers.map(answer => answer.status),
    [...new Array<number>(9).fill(200), 409]
  )
  t.match(answers.at(-1), { json: { code: 'invitation-sent-too-often' } })
})
