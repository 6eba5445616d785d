import t from 'tap'
import type { ShareView } from '../../schemas/share.ts'
import { numberedText, sharedRecord, startExchange } from '../helpers/exchange.ts'

const env = {
  CONSILIUM_TRUSTED_PROXIES: '127.0.0.1',
  CONSILIUM_COUNTRY_HEADER: 'CF-IPCountry'
}
const file = numberedText(100)

t.test('an access from another country is shown to the sender, and goes through', async t => {
  const exchange = await startExchange(t, { env })
  const { share, path } = await sharedRecord(exchange, [file], { opened: false })
  const specialist = exchange.client('specialistGb')
  const from = (country: string) => ({ 'cf-ipcountry': country })
  const open = (country: string) =>
    specialist.send('POST', '/v1/links/open', { link: share.link }, from(country))
  const seen = async () => {
    const { shares }: { shares: ShareView[] } = await exchange
      .client('clinician')
      .json('GET', '/v1/shares')
    return shares[0]?.accessesElsewhere?.map(({ country }) => country)
  }

  for (const usual of ['GB', 'gb', 'XX', 'T1', 'nowhere', '']) await open(usual)
  t.equal((await specialist.send('GET', path)).status, 200, 'the proxy may say nothing')
  t.equal(await seen(), undefined)

  t.equal((await open('FR')).status, 200)
  t.equal((await specialist.send('GET', path, undefined, from('TH'))).status, 200)
  t.equal(
    (await specialist.send('GET', `/v1/shares/${share.id}`, undefined, from('TH'))).status,
    200
  )
  t.same(await seen(), ['FR', 'TH'], 'each country once')
  const events = await exchange.auditEvents({
    shareId: share.id,
    actorId: exchange.people.specialistGb.accountId
  })
  const abroad = events.filter(({ details }) => details.elsewhere === true)
  // The second event of the content may come after what was asked for next.
  t.same(abroad.map(({ action, details }) => `${action} ${details.country}`).sort(), [
    'content.read TH',
    'content.read TH',
    'link.open FR',
    'share.read TH'
  ])
})

t.test('a country is believed of a trusted proxy alone', async t => {
  const places: [told: string, env: Record<string, string>][] = [
    ['without the setting', { CONSILIUM_TRUSTED_PROXIES: '127.0.0.1' }],
    ['from anybody else', { ...env, CONSILIUM_TRUSTED_PROXIES: '192.0.2.7' }]
  ]
  for (const [told, settings] of places) {
    const exchange = await startExchange(t, { env: settings })
    const { share } = await sharedRecord(exchange, [file], { opened: false })
    const answer = await exchange
      .client('specialistGb')
      .send('POST', '/v1/links/open', { link: share.link }, { 'cf-ipcountry': 'FR' })
    t.equal(answer.status, 200)
    const [event] = await exchange.auditEvents({ action: 'link.open' })
    t.equal(event?.details.country, undefined, told)
    t.equal(event?.details.elsewhere, undefined, told)
  }
})
