import t from 'tap'
import {
  createCase,
  numberedText,
  openShare,
  sharedRecord,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { signedIn } from '../helpers/signed-in.ts'

const PROBE = '"><img src=x onerror=alert(1)>'
const HOUR = 3_600_000

t.test('what a link names is told to its own specialist, before anything is opened', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [numberedText(100)], { opened: false })
  const specialist = await signedIn(exchange, 'specialistGb')

  await t.test('who sent it and until when, without an opening', async t => {
    const { result, events } = await exchange.eventsOf(() =>
      specialist.post('/s/look', { link: share.link })
    )
    t.equal(result.status, 200)
    t.match(result.text, 'Dr Alice Kestrel, City Hospital')
    t.match(result.text, 'A case was sent to you')
    t.notMatch(result.text, /glioma|QUILLFEATHER/, 'and nothing that is in it')
    t.match(events, [{ action: 'share.list', outcome: 'success', shareId: share.id }])
    t.match((await specialist.get('/reviews')).text, 'New')
    t.notMatch((await specialist.get('/reviews')).text, /glioma|QUILLFEATHER/)
  })

  await t.test('to nobody else anything, and all that is not theirs alike', async t => {
    const stranger = await signedIn(exchange, 'stranger')
    const [header, payload] = share.link.split('#')[1]?.split('.') ?? []
    const forged = await stranger.post('/s/look', { link: `${header}.${payload}.AAAA` })
    const foreign = await stranger.post('/s/look', { link: share.link })
    t.equal(foreign.status, 404)
    const stable = (text: string) =>
      text.replaceAll(/nonce="[^"]*"/g, '').replaceAll(/value="[^"]*"/g, '')
    t.equal(stable(foreign.text), stable(forged.text))
    t.match(foreign.text, 'This link is not for the account you are signed in with')
    t.notMatch(foreign.text, /City Hospital|Kestrel/)
    t.match((await signedIn(exchange, 'clinician').then(c => c.get('/s'))).text, 'Dr Alice Kestrel')
  })

  await t.test('a broken link is shown again with what was pasted, harmlessly', async t => {
    const broken = await specialist.post('/s/look', { link: `https://x/s#${PROBE}` })
    t.equal(broken.status, 400)
    t.match(broken.text, 'Your link is incomplete')
    t.match(broken.text, '&lt;img src=x')
    t.notMatch(broken.text, '<img src=x')
  })

  await t.test('the button opens it', async t => {
    const opened = await specialist.post('/s/open', { link: share.link })
    t.match([opened.status, opened.headers.get('location')], [303, `/reviews/${share.id}`])
    t.match((await specialist.get('/reviews')).text, /glioma/)
    const again = await specialist.post('/s/look', { link: share.link })
    t.match(again.text, 'You have this case open')
  })

  await t.test('an expired one offers more time, which its sender gives', async t => {
    exchange.clock.advance(73 * HOUR)
    const later = await signedIn(exchange, 'specialistGb')
    const over = await later.post('/s/look', { link: share.link })
    t.match(over.text, 'The time for this case is over')
    t.match(over.text, `/reviews/${share.id}/more-time`)
    const refused = await later.post('/s/open', { link: share.link })
    t.match([refused.status, refused.text.includes('The case could not be opened')], [410, true])
    const asked = await later.post(`/reviews/${share.id}/more-time`, { days: '7', words: PROBE })
    t.equal(asked.status, 303)
    t.match(
      (await later.get(`/reviews/${share.id}/more-time`)).text,
      'You have asked for more time'
    )
    const twice = await later.post(`/reviews/${share.id}/more-time`, { words: PROBE })
    t.match(
      [twice.status, twice.text.includes('&lt;img src=x')],
      [409, true],
      'what was typed stays'
    )
    const { requests } = await exchange
      .client('clinician')
      .json<{ requests: { hours: number; words: string }[] }>(
        'GET',
        `/v1/shares/${share.id}/more-time`
      )
    t.match(requests, [{ hours: 168, words: PROBE }])
    const path = `/v1/shares/${share.id}/more-time/approve`
    await exchange.client('clinician').json('POST', path, { lifeHours: 168 })
    t.match((await later.get('/reviews')).text, 'Replaced')
    t.match((await later.post('/s/look', { link: share.link })).text, 'newer link')
  })
})

t.test('a share says where it stands', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [numberedText(100)] })
  const specialist = await signedIn(exchange, 'specialistGb')
  const states: [string, string][] = []
  const early = await shareRecords(exchange, caseId, [record.id], {
    notBefore: new Date(exchange.clock.now() + HOUR).toISOString()
  })
  states.push([early.link, 'This case cannot be opened yet'])
  const spent = await shareRecords(exchange, caseId, [record.id], { openingsMax: 1 })
  await openShare(exchange.client('specialistGb'), spent.link)
  states.push([spent.link, 'You have this case open'])
  const revoked = await shareRecords(exchange, caseId, [record.id])
  await clinician.json('DELETE', `/v1/shares/${revoked.id}`)
  states.push([revoked.link, 'The sender has withdrawn this case'])
  const declined = await shareRecords(exchange, caseId, [record.id])
  await exchange
    .client('specialistGb')
    .json('POST', `/v1/shares/${declined.id}/decline`, { reason: 'Not my field' })
  states.push([declined.link, 'You have declined this case'])
  for (const [link, title] of states) {
    const { status, text } = await specialist.post('/s/look', { link })
    t.equal(status, 200)
    t.match(text, title)
  }
  exchange.clock.advance(13 * HOUR)
  const late = await signedIn(exchange, 'specialistGb')
  t.match(
    (await late.post('/s/look', { link: spent.link })).text,
    'All openings of this case are used'
  )
  const list = (await late.get('/reviews')).text
  for (const word of ['Openings used up', 'Withdrawn', 'Declined', 'New']) t.match(list, word)
})

t.test('names and organisations of others are shown as they are written', async t => {
  const exchange = await startExchange(t)
  const { share } = await sharedRecord(exchange, [numberedText(100)], { opened: false })
  // The service itself may not rename anybody.
  const intruder = await intrude(t, exchange.config)
  await intruder.run(`UPDATE organisations SET name = '${PROBE}'`)
  const specialist = await signedIn(exchange, 'specialistGb')
  for (const { text } of [
    await specialist.post('/s/look', { link: share.link }),
    await specialist.get('/reviews'),
    await (await signedIn(exchange, 'stranger')).post('/s/look', { link: share.link })
  ]) {
    t.match(text, '&lt;img src=x')
    t.notMatch(text, '<img src=x')
  }
})
