import { execFile } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import Fastify from 'fastify'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { refusalCounter } from '../../src/http/refusal-counter.ts'
import { createAuthenticator } from '../../src/identity/authenticate.ts'
import { embeddedIssuer } from '../../src/identity/issuer.ts'
import { openData, prepareData, readSigningKeys } from '../../src/open-data.ts'
import { nodeForScript, plainEnvironment } from '../helpers/own-process.ts'

interface Ran {
  exit: number
  out: string
  err: string
}

/** Runs one of our scripts as an operator would. */
function run(data: string, script: string, ...args: string[]): Promise<Ran> {
  const file = new URL(`../../scripts/${script}.ts`, import.meta.url).pathname
  const env = { ...plainEnvironment(), CONSILIUM_DATA: data }
  const [node, ...options] = nodeForScript(script, env)
  return new Promise(resolve => {
    execFile(node, [...options, file, ...args], { env }, (err, out, errors) => {
      const exit = err === null ? 0 : Number(err.code)
      resolve({ exit, out: out.trim(), err: errors })
    })
  })
}

/** A service with new data that runs while the scripts do. */
async function startService(t: Test, directory: string) {
  const config = readConfig({ CONSILIUM_DATA: directory })
  const lock = await prepareData(config)
  const data = await openData(config)
  const app = Fastify()
  const server = createServer((request, response) => app.routing(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const publicUrl = `http://127.0.0.1:${port}`
  const { issuer } = await readSigningKeys(config)
  const refusals = refusalCounter(config.limits.refusalsPerMinuteMax, data.clock)
  const log = pino({ level: 'silent' })
  const embedded = embeddedIssuer({ ...data, publicUrl, log, refusals }, issuer)
  embedded.routes(app)
  await app.ready()
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await app.close()
    await data.close()
    lock.release()
  })
  return { publicUrl, authenticate: createAuthenticator(data, [embedded.trusted]) }
}

t.test('from an organisation to an access token', async t => {
  const directory = join(t.testdir(), 'data')
  const keyFile = join(t.testdirName, 'client.json')
  const { publicUrl, authenticate } = await startService(t, directory)
  const script = (name: string, ...args: string[]) => run(directory, name, ...args)

  const organisation = await script(
    'add-organisation',
    '--name',
    'St Example',
    '--ods',
    'RJ1',
    '--country',
    'GB'
  )
  t.match(organisation, { exit: 0, err: '', out: /^[0-9a-f-]{36}$/ })

  const person = ['--name', 'Dr Ada Example', '--body', 'GMC', '--number', '1234567']
  const account = await script(
    'add-account',
    '--organisation',
    'RJ1',
    '--role',
    'clinician',
    ...person
  )
  t.match(account, { exit: 0, err: '', out: /^[0-9a-f-]{36}$/ })

  t.match(await script('add-client', '--account', account.out, '--out', keyFile), {
    exit: 0,
    out: ''
  })
  t.equal(statSync(keyFile).mode & 0o777, 0o600)
  const again = await script('add-client', '--account', account.out, '--out', keyFile)
  t.match(again, { exit: 1, err: /exists already/ }, 'never overwrites a key')

  const token = await script('token', '--client', keyFile, '--url', publicUrl)
  t.match(token, { exit: 0, err: '' })
  const principal = await authenticate({ authorization: `Bearer ${token.out}` })
  t.match(principal, {
    accountId: account.out,
    organisationId: organisation.out,
    role: 'clinician'
  })

  const printed = await script('add-client', '--account', account.out)
  t.match(printed, { exit: 0, err: '' })
  t.match(JSON.parse(printed.out), { kty: 'EC', alg: 'ES384', d: String, client_id: String })

  t.test('a client that is not enrolled gets none', async t => {
    const stranger = join(t.testdir(), 'stranger.json')
    writeFileSync(stranger, printed.out.replace(/"client_id": "[^"]+"/, '"client_id": "nobody"'), {
      mode: 0o600
    })
    const refused = await script('token', '--client', stranger, '--url', publicUrl)
    t.match(refused, { exit: 1, out: '', err: /401 invalid_client/ })
  })

  t.test('a key file that others can read is not used', async t => {
    const open = join(t.testdir(), 'open.json')
    writeFileSync(open, readFileSync(keyFile))
    chmodSync(open, 0o644)
    const refused = await script('token', '--client', open, '--url', publicUrl)
    t.match(refused, { exit: 1, out: '', err: /0600/ })
  })

  t.test('a refused client leaves no file', async t => {
    const file = join(t.testdir(), 'none.json')
    const refused = await script('add-client', '--account', 'nobody', '--out', file)
    t.match(refused, { exit: 1, err: /account-not-found/ })
    t.notOk(existsSync(file))
  })

  t.test('every problem is named', async t => {
    const refused = await script('add-organisation', '--name', ' ', '--country', 'UK', '--ods', '!')
    t.match(refused, { exit: 1, out: '', err: /name is missing.*GB.*3 to 12/s })
  })
})

t.test('called wrongly', async t => {
  const directory = join(t.testdir(), 'none')
  for (const script of ['add-organisation', 'add-account', 'add-client', 'token']) {
    t.match(await run(directory, script), { exit: 2, out: '', err: /Missing: --/ }, script)
  }
  t.match(await run(directory, 'token', '--no'), { exit: 2, out: '', err: /--no/ })
  t.match(await run(directory, 'token', '--help'), { exit: 0, err: '', out: /npm run/ })
  const early = await run(directory, 'add-client', '--account', 'x')
  t.match(early, { exit: 1, err: /npm start/ }, 'before the first start')
  t.notOk(existsSync(directory), 'and nothing is made')
  for (const [url, message] of [
    ['http://exchange.example', /https/],
    ['x', /not a URL/]
  ] as const) {
    const file = join(t.testdirName, 'key.json')
    writeFileSync(file, '{"kty":"EC","d":"x","kid":"x","client_id":"x"}', { mode: 0o600 })
    t.match(await run(directory, 'token', '--client', file, '--url', url), {
      exit: 1,
      err: message
    })
  }
})
