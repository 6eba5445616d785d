import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, readConfig } from '../src/config.ts'

function problemsOf(env: Record<string, string>): string {
  try {
    readConfig(env)
    return ''
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err
    return err.message.split('\n').slice(1).join('\n')
  }
}

const mail = {
  CONSILIUM_SMTP_URL: 'smtps://consilium:p%40ss@mail.example.org',
  CONSILIUM_MAIL_FROM: 'City Hospital <no-reply@city.example>'
}

t.test('e-mail is off unless a server is named', async t => {
  t.equal(readConfig({}).mail, undefined)
  t.same(readConfig(mail).mail, {
    host: 'mail.example.org',
    port: 465,
    tls: 'implicit',
    credentials: { user: 'consilium', pass: 'p@ss' },
    from: { name: 'City Hospital', address: 'no-reply@city.example' }
  })
})

t.test('without TLS only on this machine', async t => {
  const settings = (url: string) => readConfig({ ...mail, CONSILIUM_SMTP_URL: url }).mail
  t.match(settings('smtp://mail.example.org'), { tls: 'starttls', port: 587 })
  t.match(settings('smtp://10.0.0.5:25'), { tls: 'starttls', port: 25 })
  t.match(settings('smtps://localhost'), { tls: 'implicit' })
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    t.match(settings(`smtp://${host}:2525`), { tls: 'none', port: 2525 }, host)
  }
  t.match(settings('smtp://[::1]'), { host: '::1' })
})

t.test('credentials may be in a file that nobody else can read', async t => {
  const file = join(t.testdir(), 'login')
  writeFileSync(file, 'user:password', { mode: 0o600 })
  const settings = {
    ...mail,
    CONSILIUM_SMTP_URL: 'smtps://mail.example.org',
    CONSILIUM_SMTP_CREDENTIALS_FILE: file
  }
  t.same(readConfig(settings).mail?.credentials, { file })
  t.match(problemsOf({ ...settings, CONSILIUM_SMTP_URL: mail.CONSILIUM_SMTP_URL }), /: one/)
  chmodSync(file, 0o640)
  t.match(problemsOf(settings), /chmod 600/)
  t.match(problemsOf({ ...settings, CONSILIUM_SMTP_CREDENTIALS_FILE: `${file}-gone` }), /no file/)
})

t.test('what is wrong is said, and the password is not', async t => {
  const cases: [change: Record<string, string>, told: RegExp][] = [
    [{ CONSILIUM_SMTP_URL: '' }, /CONSILIUM_MAIL_FROM without CONSILIUM_SMTP_URL/],
    [{ CONSILIUM_MAIL_FROM: '' }, /CONSILIUM_MAIL_FROM must be/],
    [{ CONSILIUM_MAIL_FROM: 'nobody' }, /CONSILIUM_MAIL_FROM must be/],
    [{ CONSILIUM_MAIL_FROM: 'a <b@c.example> d' }, /CONSILIUM_MAIL_FROM must be/],
    [{ CONSILIUM_MAIL_FROM: 'x\r\nBcc: y <b@c.example>' }, /CONSILIUM_MAIL_FROM must be/],
    [{ CONSILIUM_SMTP_URL: 'https://u:hushhush@mail.example' }, /CONSILIUM_SMTP_URL must be/],
    [{ CONSILIUM_SMTP_URL: 'smtp://u:hushhush@mail.example/x' }, /CONSILIUM_SMTP_URL must be/],
    [{ CONSILIUM_SMTP_URL: 'smtp://u:hushhush@mail.example?tls=no' }, /CONSILIUM_SMTP_URL must/],
    [{ CONSILIUM_SMTP_URL: 'smtp://u:hushhush%zz@mail.example' }, /percent-encoded/],
    [{ CONSILIUM_SMTP_URL: 'mail.example' }, /CONSILIUM_SMTP_URL must be/]
  ]
  for (const [change, told] of cases) {
    const problems = problemsOf({ ...mail, ...change })
    t.match(problems, told, JSON.stringify(change))
    t.notMatch(problems, /hushhush/)
  }
})

t.test('networks that webhooks may go to', async t => {
  const networks = (text: string) =>
    readConfig({ CONSILIUM_WEBHOOK_NETWORKS: text }).webhookNetworks
  t.same(networks(''), [])
  t.same(networks('10.1.2.0/24, 127.0.0.1,fd12::/48'), ['10.1.2.0/24', '127.0.0.1', 'fd12::/48'])
  for (const range of [
    'x',
    '10.0.0.0/33',
    '0.0.0.0/0',
    '169.254.169.254',
    '169.254.0.0/16',
    '224.0.0.1',
    'fe80::/10',
    'ff02::1',
    '::/0'
  ]) {
    t.match(problemsOf({ CONSILIUM_WEBHOOK_NETWORKS: range }), /CONSILIUM_WEBHOOK_NETWORKS/, range)
  }
})
