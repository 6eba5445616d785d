import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startRealService } from '../faults/real-service.ts'
import { PUBLIC_URL } from '../helpers/data.ts'
import { createCase } from '../helpers/exchange.ts'
import { accessToken } from '../helpers/identity.ts'
import { runScript } from './run-script.ts'

t.test('people are enrolled while the service runs and is busy', async t => {
  const service = await startRealService(t)
  const run = (script: string, ...args: string[]) => runScript(script, service.settings, ...args)
  let busy = true
  let made = 0
  const work = (async () => {
    while (busy) {
      await createCase(service.client('clinician'))
      made += 1
    }
  })()

  const trust = ['--name', 'St Example', '--ods', 'RJ7', '--country', 'GB']
  const organisation = await run('add-organisation', ...trust)
  t.match(organisation, { exit: 0, err: '', out: /^[0-9a-f-]{36}$/ })
  const person = ['--organisation', 'RJ7', '--role', 'clinician', '--name', 'Dr Ada Example']
  const account = await run('add-account', ...person, '--body', 'GMC', '--number', '1234567')
  t.match(account, { exit: 0, err: '', out: /^[0-9a-f-]{36}$/ })
  const keyFile = join(t.testdirName, 'client.json')
  const client = await run('add-client', '--account', account.out, '--out', keyFile)
  t.match(client, { exit: 0, out: '', err: /private key of client/ })
  busy = false
  await work
  t.ok(made > 0, 'the service was at work meanwhile')

  t.equal(statSync(keyFile).mode & 0o777, 0o600, 'only this user may read the key')
  const before = readFileSync(keyFile, 'utf8')
  t.notMatch(client.err, JSON.parse(before).d, 'which is shown nowhere else')
  const again = await run('add-client', '--account', account.out, '--out', keyFile)
  t.match(again, { exit: 1, out: '', err: /exists already/ })
  t.equal(readFileSync(keyFile, 'utf8'), before, 'and is never overwritten')

  const token = await accessToken(service.url, JSON.parse(before))
  const headers = { authorization: `Bearer ${token}` }
  const answer = await fetch(`${service.url}/v1/account`, { headers })
  t.match(await answer.json(), { id: account.out, role: 'clinician' }, 'the service knows them')
  const cases = await fetch(`${service.url}/v1/cases`, { headers })
  t.match(await cases.json(), { cases: [] }, 'and shows them nothing of other organisations')

  const twice = await run('add-organisation', ...trust)
  t.match(twice, { exit: 1, out: '', err: /Nothing was changed/ })
  const wrongRole = await run(
    'add-account',
    '--organisation',
    'RJ7',
    '--role',
    'owner',
    '--name',
    'A'
  )
  t.match(wrongRole, { exit: 1, out: '', err: /Nothing was changed/ })
  t.match(await run('add-account', '--role', 'auditor'), { exit: 2, out: '', err: /Missing: --/ })
  t.match(await run('add-client', '--key', 'x'), { exit: 2, out: '', err: /--key/ })

  // What the service calls itself is not where it listens here, so its endpoint has no such address.
  const elsewhere = await run('token', '--client', keyFile, '--url', service.url)
  t.match(elsewhere, { exit: 1, out: '', err: /401 invalid_client/ })
  const nowhere = await run('token', '--client', keyFile, '--url', PUBLIC_URL.replace('3000', '1'))
  t.match(nowhere, { exit: 1, out: '', err: /does not answer/ })
})
