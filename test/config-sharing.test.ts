import t from 'tap'
import { ConfigError, readConfig } from '../src/config.ts'

function problemsOf(env: Record<string, string>): string {
  try {
    readConfig(env)
    return ''
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err
    return err.message
  }
}

t.test('consent is recorded unless it is required', async t => {
  t.equal(readConfig({}).consent, 'recorded')
  t.equal(readConfig({ CONSILIUM_CONSENT: '' }).consent, 'recorded')
  t.equal(readConfig({ CONSILIUM_CONSENT: 'required' }).consent, 'required')
  for (const CONSILIUM_CONSENT of ['Required', 'no', 'off']) {
    t.match(problemsOf({ CONSILIUM_CONSENT }), 'one of recorded, required')
  }
})

t.test('a country is read from a header that a trusted proxy sets', async t => {
  const proxies = { CONSILIUM_TRUSTED_PROXIES: '10.0.0.7' }
  t.equal(readConfig({}).countryHeader, undefined)
  t.equal(
    readConfig({ ...proxies, CONSILIUM_COUNTRY_HEADER: ' CF-IPCountry ' }).countryHeader,
    'cf-ipcountry'
  )
  t.match(problemsOf({ CONSILIUM_COUNTRY_HEADER: 'cf-ipcountry' }), 'CONSILIUM_TRUSTED_PROXIES')
  for (const name of ['x country', 'a:b', 'Authorization', 'X-Forwarded-For', 'länge']) {
    t.match(problemsOf({ ...proxies, CONSILIUM_COUNTRY_HEADER: name }), 'a header of its own', name)
  }
})
