import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { disableAccount } from '../../src/identity/enrol.ts'
import { changeRole } from '../../src/identity/staff.ts'
import { endSessions } from '../../src/sessions/session.ts'
import { type Authenticator, withPasskey } from '../helpers/authenticator.ts'
import {
  createCase,
  eventually,
  numberedText,
  sharedRecord,
  startExchange,
  type TestExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { callerAs, cookieOf, optionsFrom, stranger } from './scene.ts'

const NAME = '__Host-consilium'
const ACCOUNT = '/v1/account'
const MIB = 1024 ** 2

async function signInAs(exchange: TestExchange, device: Authenticator, cookie = '') {
  const browser = stranger(exchange, { cookie })
  const answer = device.authenticate(await optionsFrom(browser, '/sign-in/options'))
  return cookieOf(await browser.post('/sign-in', { answer }))
}

const knows = async (exchange: TestExchange, cookie: string) =>
  (await stranger(exchange, { cookie }).get(ACCOUNT)).status === 200

t.test('a session is known by a cookie of ours, and by the newest alone', async t => {
  const exchange = await startExchange(t)
  const device = await withPasskey(exchange, 'clinician')

  await t.test('one from before signing in is worth nothing after', async t => {
    const planted = `${NAME}=${'A'.repeat(43)}`
    const own = await signInAs(exchange, device, planted)
    t.not(own, planted)
    t.same([await knows(exchange, planted), await knows(exchange, own)], [false, true])
  })

  await t.test('signing in anew ends the session that the browser had, and no other', async t => {
    const elsewhere = await signInAs(exchange, device)
    const first = await signInAs(exchange, device)
    const { result: second, events } = await exchange.eventsOf(() =>
      signInAs(exchange, device, first)
    )
    const now = [first, second, elsewhere].map(cookie => knows(exchange, cookie))
    t.same(await Promise.all(now), [false, true, true])
    t.match(events, [{ action: 'session.begin' }, { action: 'session.end' }])
    const other = await withPasskey(exchange, 'colleague')
    const theirs = await signInAs(exchange, other, second)
    t.same([await knows(exchange, second), await knows(exchange, theirs)], [false, true])
  })

  await t.test('a proof gives it a new cookie', async t => {
    const before = await signInAs(exchange, device)
    const browser = stranger(exchange, { cookie: before })
    const prove = async () => {
      const answer = device.authenticate(await optionsFrom(browser, '/prove/options'))
      return browser.post('/prove', { answer })
    }
    const proven = await prove()
    const after = cookieOf(proven)
    t.match(proven, { status: 303 })
    t.not(after, before)
    t.same([await knows(exchange, before), await knows(exchange, after)], [false, true])
    const { text } = await stranger(exchange, { cookie: after }).get('/account')
    t.match(text, /Your account/, 'and where it began is still told')
  })

  await t.test('other cookies are none', async t => {
    const own = await signInAs(exchange, device)
    const value = own.slice(NAME.length + 1)
    const none = [
      `consilium=${value}`,
      `__Secure-consilium=${value}`,
      `__host-consilium=${value}`,
      `${NAME}=${value}x`,
      `${NAME}=${value.slice(1)}`,
      `${NAME}="${value}`,
      `${NAME}=${value.toLowerCase()}!`,
      `x${NAME}=${value}`,
      `${NAME}-once=${value}`,
      `${NAME}=${'A'.repeat(43)}; ${own}`,
      `${NAME}=${'x'.repeat(4000)}; ${own}`
    ]
    for (const cookie of none) t.notOk(await knows(exchange, cookie), cookie.slice(0, 80))
    t.ok(await knows(exchange, `a=b; ${own}; c=d`), 'beside cookies of others it is')
    const long = `a=${'x'.repeat(20_000)}; ${own}`
    // What is more than a request may hold is refused, or not even read.
    t.notOk(await knows(exchange, long).catch(() => false))
  })

  await t.test('an ended one is known nowhere', async t => {
    const cookie = await signInAs(exchange, device)
    const browser = stranger(exchange, { cookie })
    const left = await browser.post('/sign-out')
    t.equal(
      left.headers.get('clear-site-data'),
      '"cache"',
      'nor is a page of it kept to go back to'
    )
    t.match(left.headers.get('set-cookie'), `${NAME}=; Max-Age=0`)
    for (const path of [ACCOUNT, '/v1/cases', '/cases', '/account']) {
      t.match(String((await browser.get(path)).status), /^(401|303)$/, path)
    }
    t.match(await browser.post('/cases/search', {}), { status: 401 })
  })
})

t.test('what runs for long ends with whoever it runs for', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const big = numberedText(24 * MIB)
  const { record, path } = await sharedRecord(exchange, [big])
  const { id: caseId } = await createCase(clinician, '9990000026')

  /** Reads the beginning, acts, and reads on: how much of it came. */
  const readWhile = async (cookie: string, at: string, act: () => Promise<unknown>) => {
    const answer = await fetch(exchange.url + at, {
      headers: { cookie, 'sec-fetch-site': 'same-origin' }
    })
    t.equal(answer.status, 200)
    const reader = answer.body?.getReader()
    let bytes = (await reader?.read())?.value?.byteLength ?? 0
    await act()
    await eventually('the stream is cut', () =>
      exchange.exchange.streams.count() === 0 ? 1 : undefined
    )
    const rest = async (): Promise<void> => {
      const piece = await reader?.read()
      if (piece === undefined || piece.done) return
      bytes += piece.value.byteLength
      return rest()
    }
    await rest().catch(() => {})
    return bytes
  }
  const outcomeOf = async () =>
    (await exchange.auditEvents({ action: 'content.read' })).at(-1)?.outcome

  const specialist = await signedIn(exchange, 'specialistGb')
  const signOut = () => specialist.post('/account/sign-out-everywhere')
  t.ok(
    (await readWhile(specialist.cookie, path, signOut)) < big.bytes.length,
    'a specialist who signs out'
  )
  t.equal(await outcomeOf(), 'revoked')

  const browser = await signedIn(exchange, 'clinician')
  const own = `/v1/records/${record.id}/content`
  const { accountId } = exchange.people.clinician
  // One that stands still in the middle of its file.
  const uploading = request(`${exchange.url}/cases/${caseId}/upload`, {
    method: 'POST',
    headers: {
      cookie: browser.cookie,
      'sec-fetch-site': 'same-origin',
      'content-type': 'multipart/form-data; boundary=x'
    }
  })
  uploading.on('error', () => {})
  const closed = new Promise(resolve => uploading.once('close', resolve))
  const fields = { kind: 'letter', title: 'Letter', date: '2026-11-02' }
  for (const [name, value] of Object.entries(fields)) {
    uploading.write(`--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
  }
  uploading.write(
    '--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nA line'
  )
  await eventually('it is uploading', () =>
    exchange.exchange.uploads.count() === 1 ? 1 : undefined
  )
  const disable = () => disableAccount(exchange.exchange, { accountId })
  t.ok((await readWhile(browser.cookie, own, disable)) < big.bytes.length, 'somebody disabled')
  t.equal(await outcomeOf(), 'revoked')
  await closed
  t.equal(exchange.exchange.uploads.count(), 0, 'and an upload')
  t.same(await exchange.auditEvents({ action: 'record.create', caseId, outcome: 'success' }), [])
  await t.rejects(uploadRecord(clinician, caseId, { files: [numberedText(10)] }))
})

t.test('what is sent slowly is judged again when it has come', async t => {
  const x = await startExchange(t)
  const { accountId } = x.people.clinician
  const patient = {
    identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' },
    name: 'TEST, Patient One',
    birthDate: '1970-01-01'
  }
  const body = JSON.stringify({ patient, question: 'Is surgery advisable?' })

  /** Sends half of a request, acts, and sends the other half: the status of the answer. */
  const sendWhile = (headers: Record<string, string>, act: () => Promise<unknown>) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sending = request(`${x.url}/v1/cases`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'content-length': body.length }
      })
      sending.on('error', reject)
      sending.on('response', answer => resolve(answer.resume().statusCode))
      sending.write(body.slice(0, 20))
      sleep(2 * x.exchange.limits.cutMillisecondsMax)
        .then(act)
        .then(() => void sending.end(body.slice(20)))
        .catch(reject)
    })
  const session = async () => {
    const { cookie } = await signedIn(x, 'clinician')
    return { cookie, 'sec-fetch-site': 'same-origin' }
  }

  // Given nothing that happens meanwhile, when it has come, then it is done
  t.equal(await sendWhile(await session(), async () => {}), 201)
  // Given somebody who signs out everywhere meanwhile, then it is refused
  const signOut = () => endSessions(x.exchange, callerAs(x, 'clinician'))
  t.equal(await sendWhile(await session(), signOut), 401, 'of a session that ended')
  // Given a machine whose account gets another role meanwhile, or is disabled, then it is refused
  const authorization = `Bearer ${await x.client('clinician').token()}`
  const by = callerAs(x, 'administrator')
  const retire = () => changeRole(x.exchange, by, accountId, { role: 'auditor' })
  t.equal(await sendWhile({ authorization }, retire), 403, 'of another role')
  await changeRole(x.exchange, by, accountId, { role: 'clinician' })
  const disable = () => disableAccount(x.exchange, { accountId })
  t.equal(await sendWhile({ authorization }, disable), 403, 'of an account that was disabled')
  const codes = (await x.auditEvents({ action: 'case.create' })).map(({ code }) => code)
  t.same(codes, [null, 'session-ended', 'role-refused', 'account-disabled'])
})
