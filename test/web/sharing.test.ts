import t from 'tap'
import {
  type Client,
  createCase,
  numberedText,
  openShare,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { completeCase, wholeRequest, writeRequest } from '../helpers/request.ts'
import { signedIn } from '../helpers/signed-in.ts'

const PROBE = '"><img src=x onerror=alert(1)>'

/** Where the register has Dr Carol Goldcrest. */
async function entryOfCarol(client: Client): Promise<string | undefined> {
  const { specialists } = await client.json<{ specialists: { id: string; name: string }[] }>(
    'GET',
    '/v1/specialists?limit=200'
  )
  return specialists.find(({ name }) => name === 'Dr Carol Goldcrest')?.id
}

t.test('sharing, step by step, without scripts', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { id: caseId } = await createCase(clinician)
  const title = `Letter ${PROBE}`
  const record = await uploadRecord(clinician, caseId, { title, files: [numberedText(1000)] })
  const { specialists } = await clinician.json<{ specialists: { id: string; name: string }[] }>(
    'GET',
    '/v1/specialists?limit=200'
  )
  const entryOf = (name: string) => specialists.find(entry => entry.name === name)?.id
  const carol = `/cases/${caseId}/share/${entryOf('Dr Carol Goldcrest')}`
  const terms: [string, string][] = [
    ['records', record.id],
    ['purpose', `Opinion ${PROBE}`],
    ['hours', '72'],
    ['pseudonymise', 'no']
  ]

  await t.test('who: everybody who can be sent a case, with what the law needs', async t => {
    const { status, text } = await browser.get(`/cases/${caseId}/share`)
    t.equal(status, 200)
    t.match(text, 'Dr Carol Goldcrest')
    t.match(text, 'Nothing more: they work in the United Kingdom.')
    t.match(text, 'An attestation: United States is adequate only')
    t.match(text, 'A safeguard: the protection of personal data in India')
    const found = await browser.post(`/cases/${caseId}/share`, { name: 'asha', country: 'IN' })
    t.match(found.text, 'Dr Asha Bulbul')
    t.notMatch(found.text, 'Dr Carol Goldcrest')
    const none = await browser.post(`/cases/${caseId}/share`, { condition: PROBE })
    t.match(none.text, 'Nobody in the register fits')
    t.notMatch(none.text, '<img src=x', 'what was typed comes back escaped')
  })

  await t.test('what has to be in place', async t => {
    const { text } = await browser.get(carol)
    t.match(text, 'No consent to the second opinion is recorded')
    const form = await browser.get(`${carol}/consent/second-opinion`)
    t.match(form.text, 'I would like a second opinion on my condition.')
    t.match(form.text, /SHA-256 [0-9a-f]{64}/)
    const bad = await browser.post(`${carol}/consent/second-opinion`, { takenBy: PROBE })
    t.equal(bad.status, 400)
    t.match(bad.text, 'Say how they agreed.')
    t.notMatch(bad.text, '<img src=x')
    const [year = '', month = '', day = ''] = new Date().toISOString().slice(0, 10).split('-')
    const { result, events } = await exchange.eventsOf(() =>
      browser.post(`${carol}/consent/second-opinion`, {
        who: 'patient',
        how: 'in-person',
        takenBy: `Dr Kestrel ${PROBE}`,
        'given-day': day,
        'given-month': month,
        'given-year': year
      })
    )
    t.equal(result.status, 303)
    t.equal(result.headers.get('location'), `${carol}/records`)
    t.match(events.at(-1), { action: 'consent.record', outcome: 'success' })
    const after = await browser.get(carol)
    t.match(after.text, 'taken by Dr Kestrel')
    t.notMatch(after.text, '<img src=x')
  })

  await t.test('which records: none is chosen for anybody', async t => {
    const { text } = await browser.get(`${carol}/records`)
    t.match(text, '1 file')
    t.notMatch(text, / checked/)
    t.notMatch(text, '<img src=x')
    const none = await browser.post(`${carol}/terms`)
    t.match(none, { status: 400, text: /Choose at least one record/ })
  })

  await t.test('how long and what for, then a look at everything', async t => {
    const asked = await browser.post(`${carol}/terms`, [['records', record.id]])
    t.match(asked, { status: 200, text: /How long can they open it/ })
    const bad = await browser.post(`${carol}/review`, [...terms.slice(0, 2), ['hours', '9000']])
    t.match(bad, { status: 400, text: /Choose how long/ })
    t.match(bad.text, 'Opinion &quot;&gt;&lt;img', 'what was typed is there again')
    const { result, events } = await exchange.eventsOf(() => browser.post(`${carol}/review`, terms))
    t.equal(result.status, 200)
    for (const seen of ['Dr Carol Goldcrest', 'Royal Review Centre', 'QUILLFEATHER', '3 days']) {
      t.match(result.text, seen)
    }
    t.match(result.text, 'Share with Dr Carol Goldcrest')
    t.notMatch(result.text, '<img src=x')
    t.notOk(
      events.some(({ action }) => action === 'share.create'),
      'nothing is shared yet'
    )
  })

  await t.test('and the link, once', async t => {
    const { text } = await browser.post(`${carol}/review`, terms)
    const [, attempt = ''] = /name="attempt" value="([\w-]+)"/.exec(text) ?? []
    const press = () => browser.post(`${carol}/confirm`, [...terms, ['attempt', attempt]])
    const { result: pressed, events } = await exchange.eventsOf(() =>
      Promise.all([press(), press(), press()])
    )
    const [result, ...others] = pressed
    t.equal(result.status, 303)
    for (const other of others) {
      t.equal(other.headers.get('location'), result.headers.get('location'), 'pressed again')
    }
    const made = events.filter(({ action }) => action === 'share.create')
    t.match(made, [{ outcome: 'success' }], 'it is one share')
    const location = String(result.headers.get('location'))
    const [once = ''] = String(result.headers.get('set-cookie')).split(';')
    t.match(result.headers.get('set-cookie'), /HttpOnly; Secure/)
    const shown = await browser.get(location, { cookie: `${browser.cookie}; ${once}` })
    t.equal(shown.status, 200)
    const [link = ''] = /http:\/\/localhost:3000\/s#[\w.-]+/.exec(shown.text) ?? []
    t.match(shown.text, 'data:image/svg+xml;base64,')
    t.match(shown.headers.get('set-cookie'), /Max-Age=0/)
    t.equal(shown.headers.get('cache-control'), 'no-store')
    const again = await browser.get(location)
    t.notMatch(again.text, '/s#')
    t.match(again.text, 'The link is shown only once')
    const opened = await exchange.client('specialistGb').json('POST', '/v1/links/open', { link })
    t.match(opened, { purpose: `Opinion ${PROBE}` })
  })

  await t.test('pages of another organisation’s case do not exist', async t => {
    const stranger = await signedIn(exchange, 'otherClinician')
    for (const path of ['', `/${entryOf('Dr Carol Goldcrest')}`]) {
      t.match(await stranger.get(`/cases/${caseId}/share${path}`), { status: 404 })
    }
    t.match(await stranger.post(`${carol}/confirm`, terms), { status: 404 })
  })
})

t.test('what was changed since the last look is not shared unseen', async t => {
  // Given a clinician who has looked at everything
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { caseId, letterId } = await completeCase(clinician, exchange.clock.now())
  const here = `/cases/${caseId}/share/${await entryOfCarol(clinician)}`
  const terms = { records: letterId, purpose: 'Second opinion', hours: '72', pseudonymise: 'no' }
  const look = async () => {
    const { text } = await browser.post(`${here}/review`, terms)
    const hidden = text.matchAll(/name="(attempt|request-version)" value="([\w-]+)"/g)
    return { ...terms, ...Object.fromEntries([...hidden].map(([, name, value]) => [name, value])) }
  }
  const seen = await look()

  // When a colleague changes the request, and they press the button then
  const change = { diagnosis: 'Nothing that they have seen' }
  await writeRequest(clinician, caseId, wholeRequest(exchange.clock.now(), change))
  const { result, events } = await exchange.eventsOf(() => browser.post(`${here}/confirm`, seen))

  // Then nothing leaves before they have looked once more
  t.match(result, { status: 412, text: /Look at everything once more/ })
  t.notOk(events.some(({ action, outcome }) => action === 'share.create' && outcome === 'success'))
  t.match(await browser.post(`${here}/confirm`, await look()), { status: 303 })
})

t.test('the last look shows what the specialist is asked, whatever was typed', async t => {
  // Given a case whose request asks two questions
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const browser = await signedIn(exchange, 'clinician')
  const { caseId, letterId } = await completeCase(clinician, exchange.clock.now())
  const here = `/cases/${caseId}/share/${await entryOfCarol(clinician)}`
  const terms = {
    records: letterId,
    purpose: 'Second opinion',
    hours: '72',
    pseudonymise: 'yes',
    question: 'Is it to be removed?',
    'as-is': 'It names nobody'
  }

  // When another question is typed in place of that of the case
  const look = await browser.post(`${here}/review`, terms)

  // Then all that goes with the share is there: the request, which its questions are part of
  const attempt = /name="attempt" value="([\w-]+)"/.exec(look.text)?.[1] ?? ''
  const made = await browser.post(`${here}/confirm`, { ...terms, attempt })
  t.equal(made.status, 303)
  const once = decodeURIComponent(made.headers.get('set-cookie') ?? '')
  const [link = ''] = /http\S+#[\w.-]+/.exec(once) ?? []
  const { id } = await openShare(exchange.client('specialistGb'), link)
  const specialist = await signedIn(exchange, 'specialistGb')
  const { text } = await specialist.get(`/reviews/${id}`)
  for (const seen of [
    'Corncrake syndrome',
    'Moorhen disease of the second degree',
    'Excision of the bittern, then rest',
    'Is the bittern to be excised at all?'
  ]) {
    t.match(text, seen)
    t.match(look.text, seen)
  }
  t.notMatch(text, terms.question)
})
