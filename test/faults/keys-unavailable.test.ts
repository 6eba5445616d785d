import { rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { keysUnder } from '../../src/housekeeping/rotate-keys.ts'
import { dataPaths } from '../../src/open-data.ts'
import { KEYRING_HEALTH_MILLISECONDS } from '../../src/sealing/keyrings/health.ts'
import {
  createCase,
  isSound,
  numberedText,
  sendRecord,
  sharedRecord,
  startExchange
} from '../helpers/exchange.ts'
import { faultProxy } from '../helpers/fault-proxy.ts'
import { kmsServer, transitServer } from '../helpers/keyrings.ts'
import { PATIENT_NAME } from '../helpers/story.ts'
import { runScript } from '../scripts/run-script.ts'

const MINUTE = 61_000
const always = () => true

/** A key service of this kind behind a proxy, with the settings for these of its keys. */
async function keyService(t: Test, kind: 'kms' | 'transit') {
  const server = kind === 'kms' ? await kmsServer(t) : await transitServer(t)
  if (server === undefined) return undefined
  const proxy = await faultProxy(t, 'endpoint' in server ? server.endpoint : server.url)
  const keks: Record<string, string> = {}
  return {
    proxy,
    server,
    /** Makes a key and gives the settings with it in front. */
    async settings(id: string, kinds: string) {
      keks[id] = await server.makeKey()
      const newestFirst = Object.fromEntries(Object.entries(keks).reverse())
      const place = kind === 'kms' ? 'CONSILIUM_KMS_ENDPOINT' : 'CONSILIUM_TRANSIT_URL'
      return { ...server.env(newestFirst), CONSILIUM_KEYRING: kinds, [place]: proxy.url }
    },
    keks
  }
}

for (const kind of ['kms', 'transit'] as const) {
  t.test(`${kind}: while it is down, what is remembered is read and nothing is lost`, async t => {
    const service = await keyService(t, kind)
    if (service === undefined) return
    const { proxy } = service
    const x = await startExchange(t, { env: await service.settings('first', kind) })
    const file = numberedText(50_000)
    const shared = await sharedRecord(x, [file])
    const clinician = x.client('clinician')
    const read = () => x.client('specialistGb').send('GET', shared.path)
    t.ok((await read()).bytes.equals(file.bytes))

    proxy.fail(always, { cutUpAfter: 0 }, 1_000_000)
    t.ok((await read()).bytes.equals(file.bytes), 'for a minute')
    x.clock.advance(MINUTE)
    const unavailable = { status: 503, json: { code: 'keys-unavailable' } }
    t.match(await read(), unavailable)
    t.match(await clinician.send('GET', `/v1/cases/${shared.caseId}`), unavailable)
    t.match(await sendRecord(clinician, shared.caseId, { files: [file] }), unavailable)
    const { cases } = x.exchange.database.read.tables
    const count = async () => (await x.exchange.database.read.select().from(cases)).length
    const before = await count()
    await t.rejects(createCase(clinician), /keys-unavailable/)
    t.equal(await count(), before)
    t.notMatch(x.logged(), PATIENT_NAME)
    const refused = await x.auditEvents({ code: 'keys-unavailable' })
    t.ok(refused.length >= 4, 'each refusal is on the log')

    proxy.heal()
    t.ok((await read()).bytes.equals(file.bytes), 'it is back')
    t.match(await createCase(clinician), { organisation: x.people.clinician.organisationId })
    await isSound(t, x)
  })

  t.test(`${kind}: readiness tells it apart, and asks it twice a minute at most`, async t => {
    const service = await keyService(t, kind)
    if (service === undefined) return
    const { proxy } = service
    const x = await startExchange(t, { env: await service.settings('first', kind) })
    const ready = () => x.client().send('GET', '/readyz')
    t.match(await ready(), { status: 200, json: { checks: { keyring: 'ok' } } })
    const asked = proxy.requests.length
    for (let n = 0; n < 20; n += 1) await ready()
    t.equal(proxy.requests.length, asked)
    t.ok(KEYRING_HEALTH_MILLISECONDS >= 30_000)
    await x.app.stop()
    proxy.fail(always, { cutUpAfter: 0 }, 1_000_000)
    await t.rejects(x.restart(), /The key service does not do what it has to/, 'nor does it start')
    proxy.heal()
    await x.restart()
    proxy.fail(always, { cutUpAfter: 0 }, 1_000_000)
    t.match(await ready(), {
      status: 503,
      json: { checks: { keyring: 'failing', database: 'ok' } }
    })
  })

  t.test(`${kind}: an exchange moves there from a file, and on to a new key`, async t => {
    const service = await keyService(t, kind)
    if (service === undefined) return
    const { server, keks } = service
    const x = await startExchange(t)
    const file = numberedText(70_000)
    const shared = await sharedRecord(x, [file])
    const read = async () => (await x.client('specialistGb').send('GET', shared.path)).bytes
    const rotate = (env: Record<string, string>) =>
      runScript('rotate-keys', {
        ...x.settings,
        AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID ?? '',
        AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY ?? '',
        ...env
      })

    const moving = await service.settings('first', `${kind},file`)
    await x.restart(moving)
    t.ok((await read()).equals(file.bytes), 'the file still unwraps')
    t.match(await rotate(moving), {
      exit: 0,
      out: /^Wrapped under first: 5 keys\.\nNothing uses kek-/
    })
    rmSync(dataPaths(x.directory).keyring)
    await x.restart({ ...moving, CONSILIUM_KEYRING: kind })
    t.ok((await read()).equals(file.bytes), 'without the file')

    const next = await service.settings('second', kind)
    await x.restart(next)
    t.match(await rotate(next), { exit: 0, out: /second: 5 keys\.\nNothing uses first any more\./ })
    if ('destroyKey' in server) await server.destroyKey(keks['first'] ?? '')
    delete keks['first']
    await x.restart({ ...server.env(keks), CONSILIUM_KEYRING: kind })
    t.ok((await read()).equals(file.bytes), 'byte for byte, without the first key')
    t.equal(await keysUnder(x.exchange, 'second'), 5)
    await isSound(t, x)
  })
}
