import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t, { type Test } from 'tap'
import type { MailSettings } from '../../src/config-notices.ts'
import { type MailPatience, openMailer } from '../../src/notices/mailer.ts'
import { mailAuthority, startMailServer } from '../helpers/mail-server.ts'

setDefaultCACertificates([...getCACertificates('bundled'), mailAuthority])

const ID = '01930000-0000-7000-8000-000000000001'
const mail = {
  id: ID,
  to: 'carol@royal.example',
  date: Date.UTC(2026, 10, 22, 10),
  subject: 'A case has been shared with you – zażółć',
  text: 'Plain.\n.\nA line with a full stop alone stood before this one.\n',
  html: '<p>Rich.</p>'
}
const settings = (port: number, change: Partial<MailSettings> = {}): MailSettings => ({
  host: 'localhost',
  port,
  tls: 'none',
  credentials: undefined,
  from: { name: 'Consilium, of "City"', address: 'no-reply@city.example' },
  ...change
})
const hasty: MailPatience = {
  connectMilliseconds: 500,
  greetingMilliseconds: 500,
  silenceMilliseconds: 500,
  totalMilliseconds: 5000
}
const never = new AbortController().signal

t.test('a message arrives as it was written, to one recipient', async t => {
  const server = await startMailServer(t)
  t.same(await openMailer(settings(server.port))(mail, never), { result: 'sent' })
  const [taken] = server.taken
  t.equal(taken?.sender, 'no-reply@city.example')
  t.same(taken?.recipients, [mail.to])
  const { subject, text, html, messageId, date, headers, from } = taken?.parsed ?? {}
  t.match(
    { subject, messageId, html },
    { subject: mail.subject, messageId: `<${ID}@city.example>` }
  )
  t.equal(text?.trim(), mail.text.trim())
  t.match(html, /<p>Rich\.<\/p>/)
  t.equal(date?.getTime(), mail.date)
  t.equal(headers?.get('auto-submitted'), 'auto-generated')
  t.equal(from?.text, '"Consilium, of \\"City\\"" <no-reply@city.example>')
  await openMailer(settings(server.port))(mail, never)
  t.equal(server.taken[1]?.raw, taken?.raw, 'a second attempt sends the same bytes')
})

t.test('over TLS, and with a login', async t => {
  const login = { user: 'consilium', pass: 'pa:ss word' }
  for (const tls of ['starttls', 'implicit'] as const) {
    const server = await startMailServer(t, { tls, login })
    const send = openMailer(settings(server.port, { tls, credentials: login }))
    t.same(await send(mail, never), { result: 'sent' })
    t.match(server.taken, [{ tls: true, user: 'consilium' }], tls)
    const wrong = openMailer(settings(server.port, { tls, credentials: { user: 'x', pass: 'y' } }))
    t.same(await wrong(mail, never), { result: 'later', code: 'smtp-login', all: true })
  }
  const file = join(t.testdir(), 'login')
  writeFileSync(file, 'consilium:pa:ss word\n', { mode: 0o600 })
  const server = await startMailServer(t, { tls: 'starttls', login })
  const send = openMailer(settings(server.port, { tls: 'starttls', credentials: { file } }))
  t.same(await send(mail, never), { result: 'sent' }, 'from a file')
  writeFileSync(file, 'consilium:changed')
  t.match(await send(mail, never), { code: 'smtp-login' }, 'which is read each time')
  const gone = openMailer(settings(server.port, { credentials: { file: `${file}-gone` } }))
  t.match(await gone(mail, never), { code: 'smtp-login' })
})

t.test('nothing is said to a server whose TLS is not as it must be', async t => {
  const plain = await startMailServer(t)
  const login = { user: 'consilium', pass: 'secret' }
  const starttls = settings(plain.port, { tls: 'starttls', credentials: login })
  t.match(await openMailer(starttls)(mail, never), { result: 'later', all: true }, 'not offered')
  const other = await startMailServer(t, { tls: 'implicit' })
  setDefaultCACertificates(getCACertificates('bundled'))
  const unknown = settings(other.port, { tls: 'implicit' })
  t.match(await openMailer(unknown)(mail, never), { result: 'later' }, 'of an unknown authority')
  setDefaultCACertificates([...getCACertificates('bundled'), mailAuthority])
  t.same([...plain.taken, ...other.taken], [])
})

t.test('what a server says for good of a recipient or a message is believed', async t => {
  const cases: [habit: Parameters<typeof startMailServer>[1], expected: object][] = [
    [{ recipient: () => '550 5.1.1 no such user' }, { result: 'failed', code: 'smtp-550' }],
    [{ message: () => '554 5.6.0 spam' }, { result: 'failed', code: 'smtp-554' }],
    [{ recipient: () => '450 4.2.1 greylisted' }, { result: 'later', code: 'smtp-450' }],
    [{ message: () => '452 4.3.1 full' }, { result: 'later', code: 'smtp-452' }],
    [{ recipient: () => '421 closing' }, { result: 'later', code: 'smtp-421', all: true }],
    [{ connect: () => '554 nobody is served' }, { result: 'later', all: true }],
    [{ connect: () => '421 busy' }, { result: 'later', all: true }]
  ]
  for (const [habits = {}, expected] of cases) {
    const server = await startMailServer(t, habits)
    t.match(await openMailer(settings(server.port))(mail, never), expected)
    t.same(server.taken, [])
  }
})

/** A server that says these lines, one after each line it is told, and then does this. */
async function scripted(t: Test, lines: string[], then: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    let next = 0
    const say = () => {
      const line = lines[next]
      next += 1
      if (line === undefined) then(socket)
      else socket.write(`${line}\r\n`)
    }
    say()
    socket.on('data', () => say())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

t.test(
  'a connection that is cut, or falls silent, at any stage is a reason to try again',
  async t => {
    const whole = ['220 hello', '250 hello', '250 sender', '250 recipient', '354 go on']
    for (let stage = 0; stage <= whole.length; stage += 1) {
      for (const [how, end] of Object.entries({
        cut: (socket: Socket) => void socket.destroy(),
        silent: () => {}
      })) {
        const port = await scripted(t, whole.slice(0, stage), end)
        const attempt = await openMailer(settings(port), hasty)(mail, never)
        t.match(
          attempt,
          { result: 'later', code: /^smtp-(unreachable|timeout)$/, all: true },
          `${how} ${stage}`
        )
      }
    }
    const closed = await scripted(t, [], () => {})
    t.match(await openMailer(settings(closed, { port: 1 }), hasty)(mail, never), {
      code: 'smtp-unreachable'
    })
  }
)

t.test('it ends when it is told to, and when it takes too long in all', async t => {
  const port = await scripted(t, ['220 hello'], () => {})
  const stop = new AbortController()
  const sending = openMailer(settings(port))(mail, stop.signal)
  setTimeout(() => stop.abort(), 50)
  t.same(await sending, { result: 'later', code: 'stopped', all: true })
  const slow = openMailer(settings(port), {
    ...hasty,
    silenceMilliseconds: 60_000,
    totalMilliseconds: 200
  })
  t.same(await slow(mail, never), { result: 'later', code: 'smtp-timeout', all: true })
})

t.test('nothing that a notice holds becomes a header or a command', async t => {
  const server = await startMailServer(t)
  const hostile = {
    ...mail,
    subject: 'Fine\r\nBcc: eve@evil.example\r\n\r\nbody',
    to: 'carol@royal.example'
  }
  await openMailer(settings(server.port))(hostile, never)
  t.same(server.taken[0]?.recipients, ['carol@royal.example'])
  t.notOk(server.taken[0]?.parsed.headers.has('bcc'))
})
