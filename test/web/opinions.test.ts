import t from 'tap'
import { openShare, shareRecords, startExchange } from '../helpers/exchange.ts'
import { signedIn } from '../helpers/signed-in.ts'
import { giveOpinion, underReview, wholeOpinion } from '../opinions/scene.ts'

const PROBE = '"><img src=x onerror=alert(1)>'

t.test('opinions come back, are read, and acknowledged', async t => {
  const exchange = await startExchange(t)
  const specialist = exchange.client('specialistGb')
  const browser = await signedIn(exchange, 'clinician')
  const { caseId, letterId, share } = await underReview(exchange)
  const path = `/cases/${caseId}/opinions/${share.id}`
  await specialist.send('GET', `/v1/shares/${share.id}/records/${letterId}/content`)
  await exchange.auditEvents()

  await t.test('none yet', async t => {
    t.match((await browser.get(`/cases/${caseId}/opinions`)).text, 'Awaited')
    t.match(await browser.get(path), { status: 404, text: /No opinion yet/ })
  })

  await t.test('one, with what was reviewed, and an addendum', async t => {
    await giveOpinion(specialist, share.id, wholeOpinion({ recommendations: `Rest ${PROBE}` }))
    const addenda = `/v1/shares/${share.id}/opinion/addenda`
    await specialist.json('POST', addenda, { text: `Also ${PROBE}` })
    const { text } = await browser.get(path)
    const all = [
      'The bittern is to be excised',
      'Not answered: No curlew',
      'Confirmed.',
      'Also &quot;'
    ]
    for (const seen of [...all, 'Reviewed 1 of 1 file.', 'Rest &quot;']) t.match(text, seen)
    t.notMatch(text, '<img src=x')
    const [pdf = ''] = /\/v1\/records\/[0-9a-f-]+\/content/.exec(text) ?? []
    const sent = await browser.get(pdf)
    t.match(sent, { status: 200, text: /^%PDF/ })
  })

  await t.test('receipt is acknowledged once', async t => {
    const { result, events } = await exchange.eventsOf(() => browser.post(`${path}/acknowledge`))
    t.equal(result.status, 303)
    t.match(events.at(-1), { action: 'opinion.acknowledge', outcome: 'success' })
    t.match((await browser.get(path)).text, 'Receipt was acknowledged')
    const again = await browser.post(`${path}/acknowledge`)
    t.match(again, { status: 409, text: /acknowledged before/ })
  })

  await t.test('of two that differ a third is suggested', async t => {
    const other = await shareRecords(exchange, caseId, [letterId], { with: 'specialistIe' })
    const niamh = exchange.client('specialistIe')
    await openShare(niamh, other.link)
    await giveOpinion(niamh, other.id, wholeOpinion({ diagnosis: { agreement: 'differs' } }))
    const { text } = await browser.get(`/cases/${caseId}/opinions`)
    t.match(text, 'Ask a third specialist')
    t.match(text, 'Diagnosis. They differ.')
    t.match(text, 'Not agreed with.')
  })

  await t.test('one who declines says why', async t => {
    const third = await shareRecords(exchange, caseId, [letterId])
    await specialist.json('POST', `/v1/shares/${third.id}/decline`, { reason: `Away ${PROBE}` })
    const { text } = await browser.get(`/cases/${caseId}/opinions`)
    t.match(text, 'Declined: Away &quot;')
    t.notMatch(text, '<img src=x')
  })

  await t.test('who saw what, and a report for the patient', async t => {
    const { text } = await browser.get(`/cases/${caseId}/access`)
    t.match(text, 'Dr Carol Goldcrest · Royal Review Centre · United Kingdom: Opened the link')
    const { result, events } = await exchange.eventsOf(() =>
      browser.get(`/cases/${caseId}/access/report`)
    )
    t.match(result, { status: 200, text: /^%PDF/ })
    t.match(result.headers.get('content-disposition'), /attachment; filename="disclosure-report/)
    t.match(events, [{ action: 'audit.report', outcome: 'success' }])
  })

  await t.test('all of it is of this organisation alone', async t => {
    const stranger = await signedIn(exchange, 'otherClinician')
    for (const page of [path, `/cases/${caseId}/opinions`, `/cases/${caseId}/access`]) {
      t.match(await stranger.get(page), { status: 404 }, page)
    }
    t.match(await stranger.get(`/cases/${caseId}/access/report`), { status: 404 })
    t.match(await stranger.post(`${path}/acknowledge`), { status: 404 })
  })
})

t.test('the register, and an invitation to it', async t => {
  const exchange = await startExchange(t)
  const browser = await signedIn(exchange, 'clinician')
  const typed = {
    name: `Dr Ida ${PROBE}`,
    email: 'ida@abroad.example',
    country: 'NO',
    organisation: `Fjord ${PROBE}`,
    specialty: 'Neurosurgery',
    codeChannel: 'telephone'
  }

  await t.test('search, and one entry', async t => {
    const { text } = await browser.post('/specialists', { country: 'IE' })
    t.match(text, 'Dr Niamh Redstart')
    t.notMatch(text, 'Dr Carol Goldcrest')
    const [entry = ''] = /\/specialists\/[0-9a-f-]{36}/.exec(text) ?? []
    t.match(await browser.get(entry), { status: 200, text: /IMC, AB 99-401/ })
    t.match(await browser.get('/specialists/00000000-0000-7000-8000-000000000000'), { status: 404 })
  })

  await t.test('link and code may not take one way', async t => {
    const missing = await browser.post('/specialists/invite', { ...typed, name: '', email: '' })
    t.match(missing, { status: 400, text: /Give their e-mail address/ })
    const same = await browser.post('/specialists/invite', { ...typed, codeAddress: typed.email })
    t.match(same, { status: 422, text: /Link and code may not take the same way/ })
    t.match(same.text, 'Dr Ida &quot;', 'what was typed is there again')
    t.notMatch(same.text, '<img src=x')
  })

  await t.test('the code is told once', async t => {
    const made = await browser.post('/specialists/invite', typed)
    t.equal(made.status, 303)
    const location = String(made.headers.get('location'))
    const [once = ''] = String(made.headers.get('set-cookie')).split(';')
    const { text, headers } = await browser.get(location, { cookie: `${browser.cookie}; ${once}` })
    t.match(text, 'Read this out. Do not send it with the link.')
    t.match(text, /sharing-copy">[A-Z0-9-]{8,}</)
    t.notMatch(text, '<img src=x')
    t.notMatch(text, '/i#', 'the link is not on this page')
    t.equal(headers.get('cache-control'), 'no-store')
    const again = await browser.get(location)
    t.notMatch(again.text, 'Read this out')
    t.match(again.text, 'The code is shown only once')
  })

  await t.test('invitations are listed, sent again and withdrawn', async t => {
    const list = () => browser.get('/specialists/invitations')
    const first = await list()
    t.match(first, { status: 200, text: /Waits for them/ })
    t.notMatch(first.text, '<img src=x')
    const [path = ''] = /\/specialists\/invitations\/[0-9a-f-]{36}/.exec(first.text) ?? []
    const unnamed = await browser.post(`${path}/resend`, { codeAddress: PROBE })
    t.match(unnamed, { status: 400, text: /Choose how you will pass the code on/ })
    t.notMatch(unnamed.text, '<img src=x')
    const same = { codeChannel: 'telephone', codeAddress: typed.email }
    t.match(await browser.post(`${path}/resend`, same), { status: 422, text: /the same way/ })
    const again = await exchange.eventsOf(() =>
      browser.post(`${path}/resend`, { codeChannel: 'in-person' })
    )
    t.match(again.result, { status: 303 })
    t.ok(
      again.events.some(
        ({ action, outcome }) => `${action} ${outcome}` === 'invitation.resend success'
      )
    )
    const [once = ''] = String(again.result.headers.get('set-cookie')).split(';')
    const told = await browser.get(path, { cookie: `${browser.cookie}; ${once}` })
    t.match(told.text, /sharing-copy">[A-Z0-9-]{8,}</)

    const stranger = await signedIn(exchange, 'otherClinician')
    t.match(await stranger.get(path), { status: 404 })
    for (const act of ['resend', 'withdraw']) {
      const answer = await stranger.post(`${path}/${act}`, { codeChannel: 'in-person' })
      t.match(answer, { status: 404, text: /No such invitation/ }, act)
    }
    const gone = await browser.post(`${path}/withdraw`)
    t.equal(gone.headers.get('location'), '/specialists/invitations?done=withdrawn')
    t.match((await list()).text, /Withdrawn/)
    t.match(await browser.post(`${path}/withdraw`), { status: 409 })
    const late = await browser.post(`${path}/resend`, { codeChannel: 'in-person' })
    t.match(late, { status: 409 })
    t.notMatch((await browser.get(path)).text, 'Send again')
  })
})
