import t from 'tap'
import type { NoticeList } from '../../schemas/notice.ts'
import { eventually, type TestExchange } from '../helpers/exchange.ts'
import { deliver, outbox, startWithMail, untilEnded } from '../notices/stage.ts'
import { invite, mailOf, newKey, sendAccept } from './scene.ts'

const HOUR = 3_600_000
const MESSAGE = 'Could you look at scans of mine?'

const resend = (x: TestExchange, id: string) =>
  x
    .client('clinician')
    .json<{ code: string }>('POST', `/v1/invitations/${id}/resend`, { codeChannel: 'letter' })

t.test('an invitation goes out with its link, and with nothing that anybody wrote', async t => {
  const { x, server } = await startWithMail(t)
  const { invitation, code } = await invite(x, { message: MESSAGE })
  const { link, to } = await mailOf(x, invitation.id)
  const running = deliver(t, x)
  const [row] = await untilEnded(x)
  await running.stop()
  t.match(row, { state: 'sent', recipientSealed: null, invitationId: invitation.id })
  const [mail] = server.taken
  t.same(mail?.recipients, [to])
  t.equal(mail?.parsed.subject, 'You are invited to give a second opinion')
  for (const part of [String(mail?.parsed.text), String(mail?.parsed.html)]) {
    t.ok(part.includes(link) && part.includes('City Hospital') && part.includes(invitation.id))
    t.match(part, /Ends: /)
    for (const secret of [MESSAGE, code, code.replace('-', ''), 'Phalarope', 'Kestrel']) {
      t.notOk(part.includes(secret), secret)
    }
  }
  const { key } = await newKey()
  t.match(await sendAccept(x, { link, code, key }), { status: 201 })
  const { notices } = await x.client('colleague').json<NoticeList>('GET', '/v1/notices')
  t.match(notices, [{ kind: 'invitation', state: 'sent', invitation: invitation.id }])
  t.notOk(x.logged().includes(to) || x.logged().includes(link))
})

t.test('what was sent again, withdrawn or accepted ends the mail that has not left', async t => {
  const { x, server } = await startWithMail(t)
  const again = await invite(x)
  const withdrawn = await invite(x)
  const accepted = await invite(x)
  const older = await mailOf(x, again.invitation.id)
  await resend(x, again.invitation.id)
  const newer = await mailOf(x, again.invitation.id)
  await x.client('clinician').json('DELETE', `/v1/invitations/${withdrawn.invitation.id}`)
  const { link } = await mailOf(x, accepted.invitation.id)
  const { key } = await newKey()
  await sendAccept(x, { link, code: accepted.code, key })
  deliver(t, x)
  const rows = await untilEnded(x)
  t.same(rows.map(row => `${row.state} ${row.code}`).sort(), [
    'dropped overtaken',
    'dropped overtaken',
    'dropped overtaken',
    'sent null'
  ])
  t.equal(server.taken.length, 1)
  t.ok(server.taken[0]?.parsed.text?.includes(newer.link))
  t.not(older.link, newer.link)
})

t.test('who does not answer is reminded once of each link, a day before it ends', async t => {
  const { x, server } = await startWithMail(t)
  x.clock.set('2027-03-27T09:00:00Z')
  const { invitation } = await invite(x)
  const accepted = await invite(x)
  const { link } = await mailOf(x, accepted.invitation.id)
  const { key } = await newKey()
  await sendAccept(x, { link, code: accepted.code, key })
  for (let turn = 0; turn < 2; turn += 1) deliver(t, x)
  const reminders = async () =>
    (await outbox(x)).filter(row => row.kind === 'invitation-reminder').length
  const rounds = () => new Promise(resolve => setTimeout(resolve, 150))
  const end = Date.parse(invitation.expiresAt)
  x.clock.set(end - 24 * HOUR - 1)
  await rounds()
  t.equal(await reminders(), 0)
  x.clock.set(end - 24 * HOUR)
  await eventually('it is due', async () => ((await reminders()) === 1 ? true : undefined))
  await rounds()
  t.equal(await reminders(), 1, 'once, and nobody who has accepted')
  await untilEnded(x)
  const reminder = server.taken.at(-1)?.parsed
  t.equal(reminder?.subject, 'Your invitation to give a second opinion')
  t.ok(reminder?.text?.includes((await mailOf(x, invitation.id)).link))

  await resend(x, invitation.id)
  x.clock.advance(48 * HOUR)
  await eventually('of the new link too', async () =>
    (await reminders()) === 2 ? true : undefined
  )
  x.clock.advance(30 * HOUR)
  await rounds()
  t.equal(await reminders(), 2, 'and of nothing that has ended')
})
