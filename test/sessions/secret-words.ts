import { addStaff } from '../../src/identity/staff.ts'
import { Authenticator } from '../helpers/authenticator.ts'
import type { TestExchange } from '../helpers/exchange.ts'
import { CLIENT_SECRET } from '../helpers/openid-issuer.ts'
import type { ScriptedIssuer, TokenTwist } from '../helpers/scripted-issuer.ts'
import { hrefIn, visitor } from './issuer-scene.ts'
import { callerAs, cookieOf, optionsFrom, optionsIn, stranger } from './scene.ts'

const PASSKEY_NAME = 'Turquoise gallinule phone'

/** Somebody enrols, signs in, renames, recovers, and leaves a challenge unanswered: what is secret of it. */
export async function wordsOfSigningIn(exchange: TestExchange): Promise<Map<string, string>> {
  const words = new Map<string, string>([['name of a passkey', PASSKEY_NAME]])
  const browser = stranger(exchange)
  const person = { role: 'auditor', name: 'Sora Crake' }
  const { id, code } = await addStaff(
    exchange.exchange,
    callerAs(exchange, 'administrator'),
    person
  )
  words.set('enrolment code of a person', code)
  await browser.post(`/enrol/${id}`, { code: '00000-00000' })
  const { text } = await browser.post(`/enrol/${id}`, { code })
  const made = optionsIn(text)
  words.set('challenge of an enrolment', made.challenge)
  const device = new Authenticator()
  const done = await browser.post(`/enrol/${id}/passkey`, { answer: device.register(made) })
  words.set('first cookie', String(cookieOf(done).split('=')[1]))
  const codes = done.text.match(/[0-9A-Z]{5}(-[0-9A-Z]{5}){3}/g) ?? []
  for (const [n, recovery] of codes.entries()) words.set(`recovery code ${n}`, recovery)
  const options = await optionsFrom(browser, '/sign-in/options')
  words.set('challenge that was answered', options.challenge)
  const answer = device.authenticate(options)
  const entered = await browser.post('/sign-in', { answer })
  words.set('cookie', String(cookieOf(entered).split('=')[1]))
  await browser.post('/sign-in', { answer })
  const inside = stranger(exchange, { cookie: cookieOf(entered) })
  await inside.post('/account/passkeys/rename', { passkey: device.id, name: PASSKEY_NAME })
  await inside.get('/account')
  await browser.post('/recover', { code: String(codes[0]) })
  const { challenge } = await optionsFrom(browser, '/sign-in/options')
  words.set('challenge that waits', challenge)
  return words
}

/**
 * Somebody joins with an identity elsewhere, signs in with it, and is refused in every way that has
 * something secret in it: what is secret of that. One way out is not come back from.
 */
export async function wordsOfIssuer(
  exchange: TestExchange,
  issuer: ScriptedIssuer
): Promise<Map<string, string>> {
  const words = new Map<string, string>([['secret of the client', CLIENT_SECRET]])
  const keep = (when: string) => {
    for (const [label, word] of issuer.given) words.set(`${label} ${when}`, word)
  }
  const by = callerAs(exchange, 'administrator')
  const { id, code } = await addStaff(exchange.exchange, by, { role: 'auditor', name: 'Ada Coot' })
  const here = visitor(exchange)
  const chosen = await here.post(`/enrol/${id}`, { code })
  await here.get(issuer.signIn(hrefIn(chosen.text), 'ada'))
  keep('of joining')
  const out = async () => String((await here.get('/sign-in/with/city')).headers.get('location'))
  const ways: [when: string, subject: string, twist?: TokenTwist][] = [
    ['of signing in', 'ada'],
    ['of a stranger', 'nobody'],
    ['of a forger', 'ada', { signed: 'by another' }],
    ['of a failure', 'ada', { answer: { status: 500, body: '{}' } }]
  ]
  for (const [when, subject, twist] of ways) {
    const path = issuer.signIn(await out(), subject, twist)
    await here.get(path)
    keep(when)
    await here.get(path)
    await visitor(exchange).get(path)
  }
  issuer.signIn(await out(), 'ada')
  keep('that waits')
  for (const [name, value] of here.cookies) words.set(`cookie ${name} of an issuer`, value)
  return words
}
