import type { Page } from 'playwright-core'
import t from 'tap'
import { noBrowser, startBrowser } from '../helpers/browser.ts'
import { openShare, shareRecords, startExchange } from '../helpers/exchange.ts'
import { giveOpinion, underReview, wholeOpinion } from '../opinions/scene.ts'

const press = (page: Page, name: string) => page.getByRole('button', { name }).click()

t.test('what comes of a share, in a browser without JavaScript', { skip: noBrowser() }, async t => {
  const exchange = await startExchange(t)
  const specialist = exchange.client('specialistGb')
  const { caseId, letterId, share } = await underReview(exchange)
  await specialist.send('GET', `/v1/shares/${share.id}/records/${letterId}/content`)
  await exchange.auditEvents()
  const { page } = await startBrowser(t, exchange)
  const window = await page('clinician', { javaScriptEnabled: false })
  window.setDefaultTimeout(8000)
  const text = () => window.textContent('main')

  await t.test('more time is asked for, and given', async t => {
    const words = 'The slides came late'
    await specialist.json('POST', `/v1/shares/${share.id}/more-time`, { hours: 96, words })
    await specialist.json('POST', `/v1/shares/${share.id}/messages`, { text: 'Is there an MRI?' })
    await window.goto('/shares')
    await window.getByRole('link', { name: 'Dr Carol Goldcrest' }).click()
    await window.fill('#message', 'Yes, it follows.')
    await press(window, 'Send')
    t.match(await text(), 'Yes, it follows.')
    await press(window, 'Give more time')
    const link = (await window.textContent('#link')) ?? ''
    await openShare(specialist, link)
    await window.reload()
    t.match(await text(), 'The link is shown only once')
    await window.getByRole('link', { name: 'See this share' }).click()
  })

  await t.test('the opinion is read, and acknowledged', async t => {
    const id = window.url().split('/').at(-1) ?? ''
    await giveOpinion(specialist, id)
    await window.reload()
    await press(window, 'Read the opinion')
    t.match(await text(), 'Reviewed')
    await press(window, 'Acknowledge receipt')
    t.match(await text(), 'Receipt was acknowledged')
    const other = await shareRecords(exchange, caseId, [letterId], { with: 'specialistIe' })
    const niamh = exchange.client('specialistIe')
    await openShare(niamh, other.link)
    await giveOpinion(niamh, other.id, wholeOpinion({ diagnosis: { agreement: 'differs' } }))
    await window.goto(`/cases/${caseId}/opinions`)
    await press(window, 'Ask a third specialist')
    t.match(await window.textContent('h1'), 'Who should look at it?')
    await window.goto(`/cases/${caseId}/access`)
  })

  await t.test('what is shared is ended', async t => {
    await window.goto('/shares')
    await window.getByRole('link', { name: 'Dr Niamh Redstart' }).click()
    await press(window, 'End this share')
    await window.fill('#reason', 'Both have answered')
    await press(window, 'End this share')
    t.match(await text(), 'Ended.')
    await window.goto('/shares')
    await window.getByLabel('Choose the share with Dr Carol Goldcrest').check()
    await press(window, 'End those chosen')
    await press(window, 'End these shares')
    t.match(await text(), '1 share was ended.')
    t.match(await text(), 'Nothing is shared now.')
  })

  await t.test('somebody new is invited', async t => {
    await window.goto('/specialists')
    await window.getByRole('link', { name: 'Dr Asha Bulbul' }).click()
    await window.goto('/specialists/invite')
    await window.fill('#name', 'Dr Ida Lundeby')
    await window.fill('#email', 'ida@abroad.example')
    await window.fill('#organisation', 'Fjord Hospital')
    await window.selectOption('#country', 'NO')
    await window.fill('#specialty', 'Neurosurgery')
    await window.check('text=By telephone')
    await window.fill('#codeAddress', 'ida@abroad.example')
    await press(window, 'Send the invitation')
    await window.fill('#codeAddress', '')
    await press(window, 'Send the invitation')
    t.match(await text(), 'Read this out. Do not send it with the link.')
    await window.goto('/specialists/invitations')
    await window.getByRole('link', { name: 'Dr Ida Lundeby' }).click()
    await window.getByRole('button', { name: 'Send again' }).waitFor()
  })
})
