import t from 'tap'
import {
  type AuditRow,
  numberedText,
  sharedRecord,
  startExchange,
  type TestExchange
} from '../helpers/exchange.ts'

const file = numberedText(100)
const PROBES = 50

async function shareRow(exchange: TestExchange, id: string) {
  const { read } = exchange.exchange.database
  const rows = await read.select().from(read.tables.shares)
  return rows.find(row => row.id === id)
}

t.test('mail scanners and previews spend nothing, start nothing and prove nothing', async t => {
  const exchange = await startExchange(t)
  const { share, path } = await sharedRecord(exchange, [file], { opened: false, openingsMax: 1 })
  const before = await shareRow(exchange, share.id)
  t.match(before, { openings: 0, openUntil: null })
  const scanner = exchange.client()
  const token = share.link.split('#')[1] ?? ''
  const page = ['/s', `/s?token=${token}`, '/v1/links/open', path]

  for (let probe = 0; probe < PROBES; probe += 1) {
    const url = String(page[probe % page.length])
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const answer = await scanner.send(method, url)
      t.match(
        String(answer.status),
        url.startsWith('/s') && method !== 'OPTIONS' ? /^200$/ : /^40[145]$/
      )
      t.notOk(answer.text.includes(share.id))
    }
    const posted = await scanner.send('POST', '/v1/links/open', { link: share.link })
    t.match(posted, { status: 401, json: { code: 'token-missing' } })
    t.equal((await scanner.send('POST', '/s', { link: share.link })).status, 404)
  }

  t.same(await shareRow(exchange, share.id), before, 'the share is as it was')
  t.same(await exchange.auditEvents({ shareId: share.id, outcome: 'granted' }), [])
  const opened = await exchange
    .client('specialistGb')
    .send('POST', '/v1/links/open', { link: share.link })
  t.match(opened, { status: 200, json: { openings: 1 } }, 'the one opening is still there')
})

t.test(
  'the page a link leads to is the same for every link, and runs only what is ours',
  async t => {
    const exchange = await startExchange(t)
    await sharedRecord(exchange, [file])
    const page = await exchange.client().send('GET', '/s')
    t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    t.match(page.headers.get('content-security-policy'), /default-src 'none'/)
    t.equal(page.headers.get('referrer-policy'), 'same-origin')
    t.equal(page.headers.get('cache-control'), 'no-store')
    t.notMatch(page.text, /<form|http-equiv|<iframe|City Hospital/i)
    for (const [script] of page.text.matchAll(/<script[^>]*>/g)) t.match(script, 'nonce=')
    const other = await exchange.client().send('GET', '/s?x=1')
    const stable = (text: string) => text.replaceAll(/nonce="[^"]*"/g, '')
    t.equal(stable(other.text), stable(page.text))
  }
)

t.test('what a caller calls its program makes no difference', async t => {
  const exchange = await startExchange(t)
  const { share, path } = await sharedRecord(exchange, [file])
  const agents = ['WhatsApp/2.23', '', 'Mozilla/5.0 (X11) Chrome/131.0', 'Googlebot/2.1', 'curl/8']
  const comparable = ({ id, idx, at, leaf, grantId, details, ...row }: AuditRow) => {
    const { requestId, userAgent, ...others } = details
    t.equal(userAgent ?? '', agent, 'it is only noted')
    return { ...row, details: others }
  }
  let agent = ''
  const seen = []
  for (agent of agents) {
    const headers = { 'user-agent': agent }
    const { events } = await exchange.eventsOf(async () => {
      await exchange.client('specialistGb').send('GET', path, undefined, headers)
      await exchange
        .client('specialistGb')
        .send('GET', `/v1/shares/${share.id}`, undefined, headers)
      await exchange.client('stranger').send('GET', path, undefined, headers)
      await exchange.client().send('POST', '/v1/links/open', { link: share.link }, headers)
    })
    const rows = events
      .filter(event => event.action !== 'token.issue')
      // The second event of a disclosure may come after the next request.
      .sort((a, b) => `${a.action} ${a.outcome}`.localeCompare(`${b.action} ${b.outcome}`))
    t.equal(rows.length, 5)
    seen.push(rows.map(comparable))
  }
  for (const rows of seen) t.same(rows, seen[0])
})
