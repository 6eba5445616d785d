import t from 'tap'
import { startExchange } from '../helpers/exchange.ts'
import { issuerSettings } from '../helpers/openid-issuer.ts'

t.test('help is for everybody, and privacy says what is set', async t => {
  const exchange = await startExchange(t, {
    env: {
      CONSILIUM_COPY_DAYS: '41',
      CONSILIUM_CONSENT: 'required',
      // Nobody asks them anything here.
      ...issuerSettings(t, [
        { name: 'city', issuer: 'http://127.0.0.1:9' },
        { name: 'nhs', issuer: 'http://127.0.0.1:9/nhs' }
      ])
    }
  })
  const read = async (path: string) => {
    const answer = await fetch(exchange.url + path, { headers: { accept: 'text/html' } })
    t.equal(answer.status, 200, path)
    return answer.text()
  }
  t.match(await read('/help'), /I was sent a link/)
  t.match(await read('/accessibility'), /2\.2, level AA/)
  const privacy = await read('/privacy')
  t.match(privacy, /41 days after the day on which their case was closed/)
  t.match(privacy, /Nothing is shared before the patient’s consent/)
  t.match(privacy, /No e-mail is sent/)
  t.match(privacy, /Who signs in through the account of city or the account of nhs is known there/)
})
