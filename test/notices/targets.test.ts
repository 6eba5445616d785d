import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { openPost } from '../../src/notices/webhooks/post.ts'
import { newSecret, signWebhook } from '../../src/notices/webhooks/sign.ts'
import { isPublicAddress, openTargets } from '../../src/notices/webhooks/targets.ts'
import { mailAuthority } from '../helpers/mail-server.ts'
import { receiverCheck, startReceiver } from '../helpers/webhook-receiver.ts'

setDefaultCACertificates([...getCACertificates('bundled'), mailAuthority])

const never = new AbortController().signal
const post = (url: string, secrets = [newSecret()]) => ({
  id: '01930000-0000-7000-8000-000000000001',
  url,
  body: '{"type":"share-opened"}',
  secrets,
  now: Date.now()
})

const refused = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.7',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  'not an address'
]
const allowed = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '126.255.255.255',
  '128.0.0.1',
  '168.63.129.15',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.1',
  '192.167.255.255',
  '193.0.0.1',
  '198.17.255.255',
  '223.255.255.255',
  '2001:4860:4860::8888',
  '2606:4700::1111',
  '2a00:1450::1'
]

t.test('only one host on the public internet is public', async t => {
  for (const address of refused) t.notOk(isPublicAddress(address), address)
  for (const address of allowed) t.ok(isPublicAddress(address), address)
})

t.test('a name is refused for any one of its addresses', async t => {
  const names: Record<string, string[]> = {
    'public.example': ['8.8.8.8', '2606:4700::1111'],
    'inside.example': ['10.0.0.1'],
    'mixed.example': ['8.8.8.8', '127.0.0.1'],
    'six.example': ['8.8.8.8', 'fd00::1'],
    'metadata.example': ['169.254.169.254'],
    'nothing.example': []
  }
  const targets = openTargets([], async host => {
    const found = names[host]
    if (found === undefined) throw new Error('ENOTFOUND')
    return found
  })
  const check = (url: string) => targets.check(new URL(url))
  t.match(await check('https://public.example/hook'), { address: '8.8.8.8' })
  for (const name of ['inside', 'mixed', 'six', 'metadata']) {
    await t.rejects(check(`https://${name}.example/`), { code: 'target-refused' }, name)
  }
  for (const name of ['nothing', 'unknown']) {
    await t.rejects(check(`https://${name}.example/`), { code: 'target-unknown' }, name)
  }
})

t.test('an address in any spelling is the address that it is', async t => {
  const targets = openTargets([], async () => ['8.8.8.8'])
  for (const host of [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '[::1]',
    '[::ffff:7f00:1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
    '[fd00:ec2::254]',
    '①②⑦.0.0.1'
  ]) {
    await t.rejects(targets.check(new URL(`https://${host}/`)), { code: 'target-refused' }, host)
  }
})

t.test('the form of an address is checked before anything is looked up', async t => {
  const targets = openTargets(['127.0.0.1'])
  for (const url of [
    'https://a.example/',
    'https://a.example:8443/x?y=z',
    'http://127.0.0.1:99/'
  ]) {
    t.equal(targets.problemOf(url), undefined, url)
  }
  for (const url of [
    'a.example',
    'http://a.example/',
    'ftp://a.example/',
    'file:///etc/passwd',
    'gopher://a.example/',
    'https://user@a.example/',
    'https://user:password@a.example/',
    'https://a.example/#x',
    'https://a.example:22/',
    'https://a.example:25/',
    'http://localhost:99/',
    'http://127.0.0.2:99/',
    'http://169.254.169.254/latest/meta-data/'
  ]) {
    t.type(targets.problemOf(url), 'string', url)
  }
})

t.test('a network of the operator is allowed, and nothing beside it', async t => {
  const targets = openTargets(['10.1.2.0/24', 'fd12::/48'], async host => [
    host === 'inside.example' ? '10.1.2.7' : '10.1.3.7'
  ])
  t.match(await targets.check(new URL('https://inside.example/')), { address: '10.1.2.7' })
  t.match(await targets.check(new URL('https://[fd12::9]/')), { address: 'fd12::9' })
  await t.rejects(targets.check(new URL('https://beside.example/')), { code: 'target-refused' })
  await t.rejects(targets.check(new URL('http://inside.example/')), { code: 'target-refused' })
})

t.test('however wide a network of the operator is, some addresses are never in it', async t => {
  const targets = openTargets([
    '169.0.0.0/8',
    '168.0.0.0/8',
    '100.0.0.0/8',
    '192.0.0.0/8',
    'fd00::/8',
    'fe00::/8'
  ])
  for (const address of [
    '169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    '[fd00:ec2::254]',
    '[fe80::1]'
  ]) {
    const refused = targets.check(new URL(`https://${address}/`))
    await t.rejects(refused, { code: 'target-refused' }, address)
  }
  t.match(await targets.check(new URL('https://[fd00::1]/')), { address: 'fd00::1' })
})

t.test('a delivery is signed so that the receiver can check it', async t => {
  const receiver = await startReceiver(t, 'https')
  const [secret, older] = [newSecret(), newSecret()]
  const send = openPost(openTargets(['127.0.0.1'], async () => ['127.0.0.1']))
  const url = `https://localhost:${receiver.port}/hook?tenant=7`
  t.same(await send(post(url, [secret, older]), never), { result: 'sent' })
  const [hook] = receiver.received
  if (hook === undefined) throw new Error('nothing came')
  t.match(hook, {
    path: '/hook?tenant=7',
    host: `localhost:${receiver.port}`,
    servername: 'localhost',
    body: '{"type":"share-opened"}'
  })
  const seen = new Set<string>()
  t.equal(receiverCheck(secret, seen)(hook), 'good')
  t.equal(receiverCheck(older, new Set())(hook), 'good', 'by the older secret too')
  t.equal(receiverCheck(secret, seen)(hook), 'again', 'a replay')
  t.equal(receiverCheck(secret, new Set(), Date.now() + 600_000)(hook), 'old', 'a late replay')
  t.equal(receiverCheck(newSecret(), new Set())(hook), 'forged')
  t.equal(receiverCheck(secret, new Set())({ ...hook, body: `${hook.body} ` }), 'forged')
  t.equal(receiverCheck(secret, new Set())({ ...hook, id: 'x' }), 'forged')
  const later = String(Number(hook.timestamp) + 1)
  t.equal(receiverCheck(secret, new Set())({ ...hook, timestamp: later }), 'forged')
})

t.test('the signature is that of the example of Standard Webhooks', async t => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const message = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1614265330,
    body: '{"test": 2432232314}'
  }
  t.equal(signWebhook(message, [secret]), 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

t.test('a name that leads elsewhere the second time gains nothing', async t => {
  const inside = await startReceiver(t, 'https')
  const url = `https://localhost:${inside.port}/`
  let asked = 0
  const changing = (first: string, then: string) => async () => {
    asked += 1
    return [asked === 1 ? first : then]
  }
  // The connection goes to the address that was checked: the name is looked up once.
  const allowed = openTargets(['127.0.0.1'], changing('127.0.0.1', '127.0.0.2'))
  t.same(await openPost(allowed)(post(url), never), { result: 'sent' })
  t.equal(asked, 1)
  // And at the next delivery it is checked again.
  asked = 0
  const strict = openTargets([], changing('8.8.8.8', '127.0.0.1'))
  t.match(await strict.check(new URL(url)), { address: '8.8.8.8' }, 'as when it was added')
  t.match(await openPost(strict)(post(url), never), { code: 'webhook-target-refused' })
  t.equal(inside.received.length, 1)
})

t.test('no redirect is followed', async t => {
  const inside = await startReceiver(t, 'http')
  for (const status of [301, 302, 303, 307, 308]) {
    const outside = await startReceiver(t, 'http', (_turn, response) => {
      response.writeHead(status, { location: `http://127.0.0.1:${inside.port}/secret` }).end()
    })
    const send = openPost(openTargets(['127.0.0.1']))
    t.same(await send(post(`http://127.0.0.1:${outside.port}/`), never), {
      result: 'later',
      code: 'webhook-redirect'
    })
    t.equal(outside.received.length, 1)
  }
  t.same(inside.received, [])
})

t.test('what an answer may be, and how long it may take', async t => {
  const send = openPost(
    openTargets(['127.0.0.1'], async () => ['127.0.0.1']),
    400
  )
  const cases: [name: string, expected: object, respond: Parameters<typeof startReceiver>[2]][] = [
    ['200', { result: 'sent' }, (_n, r) => void r.writeHead(200).end('fine')],
    [
      'endless body',
      { result: 'sent' },
      (_n, r) => {
        r.writeHead(200)
        r.on('error', () => {})
        const more = setInterval(() => r.write(Buffer.alloc(65_536)), 1)
        r.on('close', () => clearInterval(more))
      }
    ],
    ['404', { result: 'later', code: 'webhook-404' }, (_n, r) => void r.writeHead(404).end()],
    ['410', { result: 'failed', code: 'webhook-gone' }, (_n, r) => void r.writeHead(410).end()],
    ['500', { result: 'later', code: 'webhook-500' }, (_n, r) => void r.writeHead(500).end()],
    [
      'another protocol',
      { result: 'later', code: 'webhook-unreachable' },
      (_n, r) => {
        r.socket?.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n')
        r.socket?.write('Upgrade: elsewhere\r\n\r\n')
      }
    ],
    ['silence', { result: 'later', code: 'webhook-timeout' }, () => {}],
    ['cut', { result: 'later', code: 'webhook-unreachable' }, (_n, r) => void r.destroy()],
    [
      'a huge head',
      { result: 'later', code: 'webhook-unreachable' },
      (_n, r) => {
        r.writeHead(200, { 'x-padding': 'x'.repeat(20_000) }).end()
      }
    ]
  ]
  for (const [name, expected, respond] of cases) {
    const receiver = await startReceiver(t, 'http', respond)
    t.same(await send(post(`http://127.0.0.1:${receiver.port}/`), never), expected, name)
  }
  const plain = await startReceiver(t, 'http')
  const tls = `https://localhost:${plain.port}/`
  t.match(await send(post(tls), never), { result: 'later', code: 'webhook-tls' }, 'no TLS at all')
  const other = await startReceiver(t, 'https')
  const misnamed = `https://other.example:${other.port}/`
  t.same(await send(post(misnamed), never), { result: 'later', code: 'webhook-tls' }, 'misnamed')
  t.same(other.received, [])
})
