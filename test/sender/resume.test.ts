import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startRealService } from '../faults/real-service.ts'
import { createCase, type RecordView } from '../helpers/exchange.ts'
import { faultProxy, type ProxiedRequest } from '../helpers/fault-proxy.ts'
import {
  commonArgs,
  consilium,
  fill,
  recordsOf,
  setStage,
  sha256,
  startConsilium,
  studies,
  writeKey
} from './scene.ts'

const isForm = ({ method, url }: ProxiedRequest) => method === 'POST' && /\/records$/.test(url)
const isUpload = ({ url }: ProxiedRequest) => url.startsWith('/v1/uploads')
const isCompletion = ({ url }: ProxiedRequest) => url.endsWith('/complete')
const isToken = ({ url }: ProxiedRequest) => url === '/oidc/token'

/** A study of which one file is too large for a form, so that it goes by tus. */
const largeStudy = (): Record<string, Buffer> => ({
  'study-9/IM1': Object.values(studies(1, 1, 17 * 1024 ** 2))[0] ?? Buffer.alloc(0),
  'study-9/IM2': Object.values(studies(1, 2, 3000))[1] ?? Buffer.alloc(0)
})
const digests = (files: Record<string, Buffer>) => Object.values(files).map(sha256).sort()
const digestsIn = (records: RecordView[]) =>
  records.flatMap(({ objects }) => objects.map(({ sha256 }) => sha256)).sort()

/** Each with the files that meet it. */
function faults() {
  const byForm = studies(2, 5)
  const byTus = largeStudy()
  return [
    ['a form is cut', byForm, isForm, { cutUpAfter: 5000 }],
    ['the answer to a form is lost', byForm, isForm, { loseAnswer: true }],
    ['a gateway answers a form instead', byForm, isForm, { answerInstead: 504 }],
    ['a form is never heard', byForm, isForm, { hangUp: true }],
    ['no token', byForm, isToken, { hangUp: true }],
    ['busy', byForm, isForm, { answer: 429, json: { code: 'too-many-uploads' } }],
    ['an upload is cut', byTus, isUpload, { cutUpAfter: 5_000_000 }],
    ['the answer to an upload is lost', byTus, isUpload, { loseAnswer: true }],
    ['a completion is lost', byTus, isCompletion, { loseAnswer: true }],
    ['restarting', byTus, isUpload, { answer: 503, json: { code: 'service-stopping' } }],
    ['locked', byTus, isUpload, { answer: 423, json: { code: 'upload-locked' } }],
    ['elsewhere', byTus, isUpload, { answer: 409, json: { code: 'upload-offset-conflict' } }],
    ['token too old', byTus, isUpload, { answer: 401, json: { code: 'token-expired' } }]
  ] as const
}

t.test('a line that drops, in every kind of request, and answers that are lost', async t => {
  const stage = await setStage(t)
  const clinician = stage.exchange.client('clinician')
  const queue = faults().entries()
  const meet = async () => {
    for (const [i, [name, files, match, fault]] of queue) {
      const { id: caseId } = await createCase(clinician)
      const folder = fill(stage.path(`out-${i}`), files)
      const proxy = await faultProxy(t, stage.exchange.url)
      proxy.fail(match, fault, 2)
      const common = commonArgs(stage.keyFile('clinician'), proxy.url)
      const ran = await consilium(['send', ...common, '--case', caseId, folder])
      t.equal(ran.exit, 0, `${name}: ${ran.err}`)
      t.ok(proxy.struck() > 0, name)
      const records = await recordsOf(clinician, caseId)
      t.same(digestsIn(records), digests(files), `${name}: everything once`)
      t.equal(records.length, files['study-9/IM1'] ? 1 : 2, name)
    }
  }
  // Three at once: most of their time they wait.
  await Promise.all([meet(), meet(), meet()])
})

t.test('what the service will not have ends the run with its own code', async t => {
  const stage = await setStage(t)
  const folder = fill(stage.path('out'), studies(1, 3))
  const proxy = await faultProxy(t, stage.exchange.url)
  const answers = [
    [401, 'token-invalid', 4],
    [403, 'account-disabled', 4],
    [404, 'case-not-found', 4],
    [507, 'storage-full', 3]
  ] as const
  for (const [status, code, exit] of answers) {
    proxy.fail(isForm, { answer: status, json: { code } }, 3)
    const more = ['--parallel', '1', '--state', stage.path(`${code}.json`)]
    const ran = await stage.send(folder, more, proxy.url)
    t.equal(ran.exit, exit, `${code}: ${ran.err}`)
    t.match(ran.err, code)
    proxy.heal()
  }
  proxy.fail(() => true, { hangUp: true }, 1000)
  const away = await stage.send(folder, ['--patience', '1'], proxy.url)
  t.match(away, { exit: 3, err: /goes on where it stopped/ })
  proxy.heal()
  t.equal((await stage.send(folder, ['--known-as', 'http://localhost:9'], proxy.url)).exit, 4)
  t.equal((await stage.send(folder, [], proxy.url)).exit, 0)
  t.equal((await stage.records()).length, 1)
})

t.test('a sender that is killed goes on, and sends nothing twice', async t => {
  const stage = await setStage(t)
  const files = { ...studies(12, 10), ...largeStudy() }
  const folder = fill(stage.path('out'), files)
  const proxy = await faultProxy(t, stage.exchange.url)
  const sends = () => proxy.requests.filter(each => isForm(each) || isUpload(each)).length
  for (const requests of [1, 3]) {
    const before = sends()
    const run = stage.start(folder, ['--parallel', '2'], proxy.url)
    while (sends() < before + requests && run.child.exitCode === null) await sleep(5)
    t.equal(run.child.exitCode, null, `killed while it sends, after ${sends()} requests`)
    // The launcher hands its signals on; this is for the process that sends.
    killTree(run.child.pid ?? 0)
    await run.ended
  }
  // By the same address: a state file is of one service.
  const ran = await stage.send(folder, [], proxy.url)
  t.equal(ran.exit, 0, ran.err)
  t.same(digestsIn(await stage.records()), digests(files), 'every file once')
  t.equal((await stage.records()).length, 12)
})

t.test('a service that is killed in the middle is waited for', async t => {
  const service = await startRealService(t)
  const client = service.client('clinician')
  const { id: caseId } = await createCase(client)
  const place = join(t.testdirName, 'sender')
  mkdirSync(place)
  const files = { ...studies(8, 10), ...largeStudy() }
  const folder = fill(join(place, 'out'), files)
  const common = commonArgs(writeKey(service.people, 'clinician', join(place, 'key')), service.url)
  const args = ['send', ...common, '--patience', '120', '--case', caseId, folder]
  const run = startConsilium(args)
  while ((await recordsOf(client, caseId)).length === 0) await sleep(50)
  await service.kill()
  await service.start()
  const ran = await run.ended
  t.equal(ran.exit, 0, ran.err)
  const records = await recordsOf(client, caseId)
  t.same(digestsIn(records), digests(files), 'every file once')
  t.equal((await consilium(args)).exit, 0)
  t.equal((await recordsOf(client, caseId)).length, records.length)
})

t.test(
  'two runs at once on one folder: the second is told, and the first can be stopped',
  async t => {
    const stage = await setStage(t)
    const folder = fill(stage.path('out'), studies(4, 5))
    const proxy = await faultProxy(t, stage.exchange.url)
    proxy.fail(isForm, { ignore: true }, 4)
    const first = stage.start(folder, [], proxy.url)
    while (proxy.struck() === 0) await sleep(5)
    const second = await stage.send(folder, [], proxy.url)
    t.match(second, { exit: 2, err: /Another run is under way/ })
    first.child.kill('SIGTERM')
    t.match(await first.ended, {
      exit: 3,
      out: /not yet +20 files/,
      err: /goes on where it stopped/
    })
    proxy.heal()
    t.equal((await stage.send(folder, [], proxy.url)).exit, 0)
    t.equal((await stage.records()).length, 4)
  }
)

t.test(
  'a line that breaks again and again leaves no file open',
  { skip: process.platform !== 'linux' },
  async t => {
    const stage = await setStage(t)
    const folder = fill(stage.path('out'), largeStudy())
    const proxy = await faultProxy(t, stage.exchange.url)
    proxy.fail(isUpload, { cutUpAfter: 5_000_000 }, 4)
    t.equal((await stage.send(folder, ['--parallel', '1'], proxy.url)).exit, 0)
    t.ok(proxy.struck() > 2)
    const open = readdirSync('/proc/self/fd').map(fd => {
      const path = `/proc/self/fd/${fd}`
      return existsSync(path) ? readlinkSync(path) : ''
    })
    t.same(
      open.filter(path => path.startsWith(folder)),
      []
    )
  }
)

/** The process and those it has started. */
function killTree(pid: number): void {
  const children = execFileSync('sh', ['-c', `pgrep -P ${pid} || true`])
    .toString()
    .trim()
  for (const each of [...children.split('\n').filter(Boolean), String(pid)]) {
    try {
      process.kill(Number(each), 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
}
