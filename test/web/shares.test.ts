import t from 'tap'
import { addAccount } from '../../src/identity/enrol.ts'
import {
  createCase,
  numberedText,
  openShare,
  shareRecords,
  startExchange,
  uploadRecord
} from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { someCase, startWithMail } from '../notices/stage.ts'

const PROBE = '"><img src=x onerror=alert(1)>'

t.test('what is shared: looked at, talked about, given more time, ended', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const specialist = exchange.client('specialistGb')
  const browser = await signedIn(exchange, 'clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, {
    title: PROBE,
    files: [numberedText(1000)]
  })
  const purpose = `For ${PROBE}`
  const share = await shareRecords(exchange, caseId, [record.id], { purpose })
  const other = await shareRecords(exchange, caseId, [record.id], { with: 'specialistIe' })
  const path = `/shares/${share.id}`

  await t.test('a list, the first to end first', async t => {
    const before = await browser.get('/shares')
    t.match(before.text, '2 shares are live.')
    t.match(before.text, '2 have not been opened.')
    await openShare(specialist, share.link)
    await specialist.send('GET', `/v1/shares/${share.id}/records/${record.id}/content`)
    await exchange.auditEvents()
    const { text } = await browser.get('/shares')
    t.match(text, /1 time, last (this minute|\d+ minutes? ago)/)
    t.match(text, /Last (this minute|\d+ minutes? ago)/)
    const all = await browser.get('/shares?state=all')
    t.match(all, { status: 200, text: /Dr Niamh Redstart/ })
  })

  await t.test('one share with its history, and messages', async t => {
    await specialist.json('POST', `/v1/shares/${share.id}/messages`, { text: `Ask ${PROBE}` })
    const sent = await browser.post(`${path}/messages`, { message: `Answer ${PROBE}` })
    t.equal(sent.status, 303)
    const { text } = await browser.get(path)
    for (const seen of [
      'Ask &quot;',
      'Answer &quot;',
      'Opened the link: saw the patient',
      'For &quot;'
    ]) {
      t.match(text, seen)
    }
    t.match(text, 'Complete. 1,000 bytes handed to the network.')
    t.notMatch(text, '<img src=x')
    t.match(await browser.post(`${path}/messages`), { status: 400, text: /Type a message/ })
  })

  await t.test('more time is declined, and given', async t => {
    const ask = () =>
      specialist.json('POST', `/v1/shares/${share.id}/more-time`, { words: `Leave ${PROBE}` })
    await ask()
    const { text } = await browser.get(path)
    t.match(text, 'More time is asked for')
    t.notMatch(text, '<img src=x')
    t.match((await browser.get('/shares')).text, 'More time asked for')
    const none = await browser.post(`${path}/more-time/decline`)
    t.match(none, { status: 400, text: /Say why not/ })
    t.match(await browser.post(`${path}/more-time/decline`, { reason: PROBE }), { status: 303 })
    await ask()
    const shorter = await browser.post(`${path}/more-time`, { hours: '24' })
    t.match(shorter, { status: 422, text: /It would end no later than it does now/ })
    const given = await browser.post(`${path}/more-time`, { hours: '168' })
    t.equal(given.status, 303)
    t.match(given.headers.get('location'), /^\/shares\/[0-9a-f-]+\/link$/)
    const after = await browser.get(path)
    t.match(after.text, 'A newer share gave more time')
    t.notMatch(after.text, '<img src=x')
    t.notMatch(after.text, 'name="unasked"', 'one that has ended gets no more')

    const newer = String(given.headers.get('location')).replace('/link', '')
    t.match((await browser.get(newer)).text, 'name="unasked"')
    t.match(
      await browser.post(`${newer}/more-time`, { hours: '336' }),
      { status: 409 },
      'not asked'
    )
    const both = await Promise.all(
      [1, 2].map(() => browser.post(`${newer}/more-time`, { hours: '336', unasked: 'yes' }))
    )
    t.same(both.map(({ status }) => status).sort(), [303, 410], 'given unasked, once')
    t.match(await exchange.auditEvents({ action: 'more-time.give', outcome: 'success' }), [{}, {}])
  })

  await t.test('one is ended with a reason, after a second look', async t => {
    const look = await browser.get(`/shares/${other.id}/end`)
    t.match(look.text, 'Dr Niamh Redstart cannot open anything')
    const { result, events } = await exchange.eventsOf(() =>
      browser.post(`/shares/${other.id}/end`, { reason: 'Not needed any more' })
    )
    t.equal(result.status, 303)
    t.match(events.at(-1), {
      action: 'share.revoke',
      outcome: 'success',
      details: { reason: 'Not needed any more' }
    })
    const again = await browser.post(`/shares/${other.id}/end`)
    t.match(again, { status: 409, text: /This share has ended already/ })
  })

  await t.test('many are ended at once', async t => {
    const made = [
      await shareRecords(exchange, caseId, [record.id]),
      await shareRecords(exchange, caseId, [record.id], { with: 'specialistIe' })
    ]
    t.match(await browser.post('/shares/end'), { status: 400, text: /Choose at least one share/ })
    const fields = made.map(({ id }): [string, string] => ['shares', id])
    const look = await browser.post('/shares/end', fields)
    t.match(look.text, 'Dr Niamh Redstart')
    const done = await browser.post('/shares/end/confirm', fields)
    t.match(done.headers.get('location'), '/shares?ended=2')
    const { text } = await browser.get('/shares?ended=2&of=3')
    t.match(text, '2 shares were ended.')
    t.match(text, '1 of those chosen had ended before.')
  })

  await t.test('a reason that is too long is cut between two characters', async t => {
    // Given a share, and a reason whose last character that fits takes two units of UTF-16
    const { id } = await shareRecords(exchange, caseId, [record.id])
    const fits = `${'x'.repeat(999)}\u{1f600}`
    // When the share is ended with others
    const fields = { shares: id, reason: `${fits} and so on` }
    const { result, events } = await exchange.eventsOf(() =>
      browser.post('/shares/end/confirm', fields)
    )
    // Then it is, with as much of the reason
    t.equal(result.status, 303)
    t.match(events, [{ action: 'share.revoke', outcome: 'success', details: { reason: fits } }])
  })

  await t.test('a share of another organisation does not exist', async t => {
    const stranger = await signedIn(exchange, 'otherClinician')
    for (const page of ['', '/link', '/end']) {
      t.match(await stranger.get(path + page), { status: 404 }, page)
    }
    for (const act of ['/end', '/messages', '/more-time', '/more-time/decline']) {
      const fields = { message: 'x', hours: '24', reason: 'x' }
      t.match(await stranger.post(path + act, fields), { status: 404 }, act)
    }
  })
})

t.test('nobody is said to have been mailed who has no address', async t => {
  const { x } = await startWithMail(t)
  const { specialistGb } = x.people
  const silent = await addAccount(x.exchange, {
    organisation: specialistGb.organisationId,
    role: 'specialist',
    name: 'Dr Ned Bunting',
    professionalBody: 'GMC',
    registrationNumber: '1234567'
  })
  const { caseId, recordId } = await someCase(x)
  const browser = await signedIn(x, 'clinician')
  const pageAfter = async (specialist: string) => {
    const { json } = await x.client('clinician').send('POST', `/v1/cases/${caseId}/shares`, {
      specialist,
      records: [recordId],
      purpose: 'Second opinion'
    })
    return (await browser.get(`/shares/${json.id}/link`)).text
  }
  t.match(await pageAfter(specialistGb.accountId), 'has been sent an e-mail with the link')
  t.match(
    await pageAfter(silent),
    'Nothing was mailed to Dr Ned Bunting. Pass the link on yourself'
  )
})
