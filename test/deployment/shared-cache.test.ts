import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { numberedText, PATIENT_NAME, sharedRecord, startExchange } from '../helpers/exchange.ts'
import { startOnFreePort } from '../helpers/local-server.ts'
import { signedIn } from '../helpers/signed-in.ts'

// A cache that many share, such as a hospital's own, in front of the real service: a real nginx that
// keeps whatever the answers let it keep (RFC 9111), by address alone.

function hasNginx(t: Test): boolean {
  if (spawnSync('nginx', ['-v']).status === 0) return true
  if (process.env['CI_SERVICES'] === 'required') t.fail('nginx is not installed')
  else t.pass('behind a cache', { skip: 'nginx is not installed' })
  return false
}

async function startCache(t: Test, place: string, upstream: string): Promise<string> {
  mkdirSync(place, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const server = await startOnFreePort(
    port => {
      const places = temporary.map(name => `${name}_temp_path ${join(place, name)};`)
      const cache = `proxy_cache_path ${join(place, 'cache')} keys_zone=shared:1m;`
      const site = `listen 127.0.0.1:${port}; location / {
        proxy_pass ${upstream}; proxy_cache shared; proxy_cache_key $request_uri;
        proxy_cache_valid any 10m; add_header x-cache $upstream_cache_status always; }`
      writeFileSync(
        join(place, 'nginx.conf'),
        `pid ${join(place, 'pid')}; events {} http { access_log off; ${cache} ${places.join(' ')} server { ${site} } }`
      )
      const args = ['-p', place, '-c', join(place, 'nginx.conf'), '-e', join(place, 'error.log')]
      // No other process of nginx than this one.
      args.push('-g', 'daemon off; master_process off;')
      return { command: 'nginx', args, env: { PATH: process.env['PATH'] ?? '' }, cwd: place }
    },
    { path: '/healthz', status: 200 }
  )
  t.teardown(() => server.stop())
  return server.url
}

t.test('people behind one cache never see pages of each other', async t => {
  if (!hasNginx(t)) return
  const exchange = await startExchange(t)
  const { caseId, record } = await sharedRecord(exchange, [numberedText(100)])
  const cache = await startCache(t, join(exchange.directory, '..', 'nginx'), exchange.url)
  const ask = async (path: string, cookie = '') => {
    const answer = await fetch(cache + path, {
      redirect: 'manual',
      headers: { accept: 'text/html', cookie, 'sec-fetch-site': 'same-origin' }
    })
    return { text: await answer.text(), cache: answer.headers.get('x-cache') }
  }
  const people = ['clinician', 'otherClinician', 'specialistGb', 'auditor'] as const
  const cookies = await Promise.all(people.map(who => signedIn(exchange, who)))
  const pages = exchange.app.routes.filter(({ page, method }) => page && method === 'GET')
  const paths = pages.map(({ url }) =>
    url.replace(':case', caseId).replace(':record', record.id).replaceAll(/:\w+/g, 'x')
  )
  const api = [
    '/v1/account',
    '/v1/cases',
    `/v1/cases/${caseId}`,
    `/v1/records/${record.id}/content`
  ]
  for (const path of [...paths, ...api, '/nowhere']) {
    for (const [n, { cookie }] of cookies.entries()) {
      const { text, cache } = await ask(path, cookie)
      t.equal(cache, 'MISS', `${path} is kept for nobody`)
      // Somebody of another trust may know nobody of this case; the register is everybody's.
      if (people[n] !== 'otherClinician') continue
      const others = [exchange.people.clinician.name, exchange.people.auditor.name, PATIENT_NAME]
      t.notOk(
        others.some(name => text.includes(name)),
        `${path}: nothing of others`
      )
    }
    t.equal((await ask(path)).cache, 'MISS', path)
  }
  const [, asset = ''] = /href="(\/assets\/[^"]+\.css)"/.exec((await ask('/')).text) ?? []
  t.equal((await ask(asset)).cache, 'MISS')
  t.equal((await ask(asset)).cache, 'HIT', 'and it does keep what it may')
})
