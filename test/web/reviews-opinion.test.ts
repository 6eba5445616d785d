import t from 'tap'
import { numberedText, sha256, startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { type OpinionView, opinionPath, underReview } from '../opinions/scene.ts'

const PROBE = '"><img src=x onerror=alert(1)>'
const HOUR = 3_600_000
const fields = {
  version: '0',
  'stance-1': 'yes',
  'answer-1': `Excise it.\r\nSoon. ${PROBE}`,
  'declined-2': `Not my field ${PROBE}`,
  diagnosis: 'confirms',
  plan: 'refines',
  'plan-comment': `Rest first ${PROBE}`,
  recommendations: `Rest ${PROBE}`,
  'further-tests': `A scan ${PROBE}`,
  limits: `No slides ${PROBE}`
}

/** What is stored, as it is saved. */
function opinionOf({
  answers,
  diagnosis,
  plan,
  recommendations,
  furtherTests,
  limits
}: OpinionView) {
  return { answers, diagnosis, plan, recommendations, furtherTests, limits }
}

t.test('an opinion is written, kept and submitted with plain forms', async t => {
  const exchange = await startExchange(t)
  const { share } = await underReview(exchange)
  const specialist = await signedIn(exchange, 'specialistGb')
  const home = `/reviews/${share.id}/opinion`

  await t.test('the form asks what is asked, beside the records', async t => {
    const { status, text } = await specialist.get(home)
    t.equal(status, 200)
    t.match(text, 'Is the bittern to be excised at all?')
    t.match(text, 'name="answer-2"')
    t.match(text, `/reviews/${share.id}/records/`)
  })

  await t.test('a draft comes back as it was typed, and what is missing is said', async t => {
    const partly = { ...fields, 'declined-2': '', plan: '', 'plan-comment': '' }
    const saved = await specialist.post(home, { ...partly, onward: 'check' })
    t.match([saved.status, saved.headers.get('location')], [303, `${home}/submit`])
    const check = (await specialist.get(`${home}/submit`)).text
    t.match(check, 'question 2 is neither answered nor declined')
    t.notMatch(check, 'Submit the opinion')
    t.match((await specialist.get('/reviews')).text, 'Draft saved')
    const { text } = await specialist.get(home)
    t.match(text, /Excise it\.\nSoon\. &quot;&gt;&lt;img/)
    t.match(text, 'name="version" value="1"')
    t.notMatch(text, '<img src=x')
  })

  await t.test('of two windows neither loses anything', async t => {
    const mine = { ...fields, version: '0', recommendations: 'Of the other window' }
    const refused = await specialist.post(home, mine)
    t.equal(refused.status, 412)
    t.match(refused.text, 'Your opinion was changed elsewhere')
    t.match(refused.text, 'Of the other window', 'what was typed here')
    t.match(refused.text, 'Rest &quot;', 'and what is saved')
    t.match(refused.text, /<dt><strong>What you recommend<\/strong>/, 'called as in the form')
    t.notMatch(refused.text, /<strong>recommendations</)
    t.match(refused.text, 'name="version" value="1"', 'saving again replaces it')
    t.notMatch(refused.text, '<img src=x')
    t.equal((await specialist.post(home, { ...fields, version: '1' })).status, 303)
  })

  await t.test('words that could not be kept are not taken in silence', async t => {
    // Given what is said about the plan, and not whether it is agreed with
    const lone = { ...fields, version: '2', plan: '', 'plan-comment': 'Rest is enough' }

    // When it is saved
    const refused = await specialist.post(home, lone)

    // Then it is said what is missing, beside the words
    t.match([refused.status, refused.text.includes('There is a problem')], [400, true])
    t.match(refused.text, /Do you agree with the planned treatment\? Without an answer/)
    t.match(refused.text, /name="plan-comment"[^>]*>Rest is enough</)
  })

  await t.test('a text that is too long is refused and kept', async t => {
    const long = { ...fields, version: '2', limits: 'x'.repeat(10_001) }
    const refused = await specialist.post(home, long)
    t.equal(refused.status, 400)
    t.match(refused.text, 'Limits of this review is longer than 10,000 characters')
    t.match(refused.text, 'x'.repeat(10_001))
  })

  await t.test('a file goes with it', async t => {
    const form = new FormData()
    form.append('title', `Sketch ${PROBE}`)
    form.append('date', '2026-11-02')
    form.append('file', new Blob([new Uint8Array(numberedText(33).bytes)]), 'sketch.txt')
    const answer = await fetch(`${exchange.url}${home}/attachments`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: specialist.cookie, 'sec-fetch-site': 'same-origin', accept: 'text/html' },
      body: form
    })
    t.equal(answer.status, 303, await answer.text())
    const { text } = await specialist.get(home)
    t.match(text, 'Sketch &quot;&gt;&lt;img')
    t.match(text, 'name="version" value="3"')
  })

  await t.test('files come in a race with saving, and none of it is lost', async t => {
    const attach = (name: string) => {
      const form = new FormData()
      form.append('title', name)
      form.append('date', '2026-11-02')
      form.append('file', new Blob([new Uint8Array(numberedText(40).bytes)]), `${name}.txt`)
      const headers = { cookie: specialist.cookie, 'sec-fetch-site': 'same-origin' }
      const init = { method: 'POST', redirect: 'manual', headers, body: form } as const
      return fetch(`${exchange.url}${home}/attachments`, init)
    }
    const client = exchange.client('specialistGb')
    const stored = () => client.json<OpinionView>('GET', opinionPath(share.id))
    const before = await stored()
    const writing = (async () => {
      for (let i = 0; i < 8; i += 1) {
        const { version, attachments = [] } = await stored()
        const words = { ...opinionOf(before), limits: `Version ${version}`, attachments }
        await client.send('PUT', opinionPath(share.id), words, { 'if-match': `"${version}"` })
      }
    })()
    const answers = await Promise.all([attach('one'), attach('two'), attach('three')])
    t.same(
      answers.map(({ status }) => status),
      [303, 303, 303]
    )
    await writing
    t.equal((await stored()).attachments?.length, 4)
    const files = await exchange.auditEvents({ action: 'record.create', outcome: 'success' })
    t.equal(files.filter(({ shareId }) => shareId === share.id).length, 4, 'each came once')

    // A window that was opened before they came does not put them out.
    const { version } = await stored()
    const old = await specialist.post(home, { ...fields, version: String(version - 1) })
    t.equal(old.status, 412)
    t.equal(old.text.match(/name="attachments"[^>]* checked/g)?.length, 4)
    t.equal((await specialist.post(home, { ...fields, version: String(version) })).status, 303)
  })

  await t.test('a save that is repeated is no change of somebody else', async t => {
    const client = exchange.client('specialistGb')
    const before = await client.json<OpinionView>('GET', opinionPath(share.id))
    const words = opinionOf(before)
    const ifMatch = { 'if-match': `"${before.version - 1}"` }
    const again = await client.send('PUT', opinionPath(share.id), words, ifMatch)
    t.match(again, { status: 200, json: { version: before.version } })
    const other = { ...words, limits: 'Other words' }
    t.equal((await client.send('PUT', opinionPath(share.id), other, ifMatch)).status, 412)
  })

  await t.test('what was reviewed is shown before it is submitted, for good', async t => {
    const check = await specialist.get(`${home}/submit`)
    t.match(check.text, 'What you reviewed')
    t.match(check.text, 'not at all')
    t.notMatch(check.text, '<img src=x')
    const early = await specialist.post(`${home}/submit`, { version: '2' })
    t.match([early.status, early.text.includes('There is a problem')], [412, true])
    t.match(early.text, 'Check it again')
    const version = /name="version" value="(\d+)"/.exec(check.text)?.[1] ?? ''
    t.equal((await specialist.post(`${home}/submit`, { version })).status, 303)
    const twice = await specialist.post(`${home}/submit`, { version })
    t.equal(twice.status, 303, 'pressed twice, it is submitted once')
    t.match((await specialist.get(home)).text, 'Your opinion was submitted')
    t.match((await specialist.get('/reviews')).text, 'Submitted')
    const late = await specialist.post(home, { ...fields, version: '3' })
    t.match([late.status, late.text.includes('This could not be saved')], [409, true])
    t.match(late.text, 'Excise it.', 'and what was typed is there to be copied')
    t.match(late.text, /for="typed-\d">\s*Your answer to question 1/, 'called as in the form')
  })

  await t.test('the signed documents are its writer’s to read, on record', async t => {
    const added = await specialist.post(`${home}/addenda`, { text: `One more thing ${PROBE}` })
    t.equal(added.status, 303)
    const nothing = await specialist.post(`${home}/addenda`, { text: ' ' })
    t.match(nothing, { status: 400, text: /Type what you want to add/ })
    const { text } = await specialist.get(home)
    t.match(text, 'One more thing &quot;')
    for (const path of [`${home}/content`, `${home}/addenda/1/content`]) {
      const { result, events } = await exchange.eventsOf(() => specialist.get(path))
      t.match([result.status, result.headers.get('content-type')], [200, 'application/pdf'])
      t.match(events, [{ outcome: 'granted', shareId: share.id }, { outcome: 'complete' }])
    }
    t.equal((await specialist.get(`${home}/addenda/2/content`)).status, 404)
    const stranger = await signedIn(exchange, 'stranger')
    for (const path of [home, `${home}/submit`, `${home}/content`, `${home}/attachments`]) {
      t.equal((await stranger.get(path)).status, 404, path)
    }
    t.ok(sha256(Buffer.from(text)))
  })

  await t.test('a draft outlives its share', async t => {
    const other = await underReview(exchange)
    const draft = `/reviews/${other.share.id}/opinion`
    await specialist.post(draft, fields)
    exchange.clock.advance(73 * HOUR)
    const later = await signedIn(exchange, 'specialistGb')
    const kept = await later.get(draft)
    t.match(kept.text, 'your draft is kept')
    t.match(kept.text, 'Excise it.')
    const tooLate = await later.post(draft, { ...fields, version: '1', limits: 'Typed too late' })
    t.equal(tooLate.status, 410)
    t.match(tooLate.text, 'Typed too late')
  })
})
