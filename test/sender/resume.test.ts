import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startRealService } from '../faults/real-service.ts'
import { createCase } from '../helpers/exchange.ts'
import { faultProxy, type ProxiedRequest } from '../helpers/fault-proxy.ts'
import {
  commonArgs,
  consilium,
  fill,
  recordsOf,
  type Stage,
  setStage,
  sha256,
  startConsilium,
  studies,
  writeKey
} from './scene.ts'

const isForm = ({ method, url }: ProxiedRequest) => method === 'POST' && /\/records$/.test(url)
const isUpload = ({ url }: ProxiedRequest) => url.startsWith('/v1/uploads')
const isToken = ({ url }: ProxiedRequest) => url === '/oidc/token'

/** Three studies. The first has a large file and so goes by tus. */
const someFiles = () => ({
  ...studies(3, 20, 20_000),
  'study-9/IM1': Object.values(studies(1, 1, 20 * 1024 ** 2))[0] ?? Buffer.alloc(0),
  'study-9/IM2': Object.values(studies(1, 2, 3000))[1] ?? Buffer.alloc(0)
})
const digests = (files: Record<string, Buffer>) => Object.values(files).map(sha256).sort()
const stored = async (stage: Pick<Stage, 'records'>) =>
  (await stage.records()).flatMap(({ objects }) => objects.map(({ sha256 }) => sha256)).sort()

t.test('a line that drops, in every kind of request, and answers that are lost', async t => {
  for (const [name, match, fault] of [
    ['a form is cut', isForm, { cutUpAfter: 100_000 }],
    ['the answer to a form is lost', isForm, { loseAnswer: true }],
    ['a form is never heard', isForm, { hangUp: true }],
    ['an upload is cut', isUpload, { cutUpAfter: 5_000_000 }],
    ['the answer to an upload is lost', isUpload, { loseAnswer: true }],
    ['no token', isToken, { hangUp: true }],
    [
      'a completion is lost',
      ({ url }: ProxiedRequest) => /complete$/.test(url),
      { loseAnswer: true }
    ],
    ['busy', isForm, { answer: 429, json: { code: 'too-many-uploads' } }],
    ['restarting', isUpload, { answer: 503, json: { code: 'service-stopping' } }],
    ['locked', isUpload, { answer: 423, json: { code: 'upload-locked' } }],
    ['elsewhere', isUpload, { answer: 409, json: { code: 'upload-offset-conflict' } }],
    ['token too old', isUpload, { answer: 401, json: { code: 'token-expired' } }]
  ] as const) {
    const stage = await setStage(t)
    const files = someFiles()
    const folder = fill(stage.path('out'), files)
    const proxy = await faultProxy(t, stage.exchange.url)
    proxy.fail(match, fault as Parameters<typeof proxy.fail>[1], 2)
    const ran = await stage.send(folder, [], proxy.url)
    t.equal(ran.exit, 0, `${name}: ${ran.err}`)
    t.ok(proxy.struck() > 0, name)
    t.same(await stored(stage), digests(files), `${name}: everything once`)
    t.equal((await stage.records()).length, 3, name)
  }
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
    const ran = await stage.send(folder, ['--parallel', '1'], proxy.url)
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
  const files = { ...studies(12, 20, 60_000), ...someFiles() }
  const folder = fill(stage.path('out'), files)
  let kills = 0
  for (const milliseconds of [1200, 1800, 2500, 1500]) {
    const run = stage.start(folder, ['--parallel', '2'])
    await sleep(milliseconds)
    if (run.child.exitCode === null) kills += 1
    // The launcher hands its signals on; this is for the process that sends.
    killTree(run.child.pid ?? 0)
    await run.ended
  }
  t.ok(kills > 1, `killed ${kills} times`)
  const ran = await stage.send(folder)
  t.equal(ran.exit, 0, ran.err)
  t.same(await stored(stage), digests(files), 'every file once')
  t.equal((await stage.records()).length, 12)
})

t.test('a service that is killed in the middle is waited for', async t => {
  const service = await startRealService(t)
  const client = service.client('clinician')
  const { id: caseId } = await createCase(client)
  const place = join(t.testdirName, 'sender')
  mkdirSync(place)
  const files = { ...studies(8, 20, 60_000), ...someFiles() }
  const folder = fill(join(place, 'out'), files)
  const common = commonArgs(writeKey(service.people, 'clinician', join(place, 'key')), service.url)
  const args = ['send', ...common, '--patience', '120', '--case', caseId, folder]
  const run = startConsilium(args)
  for (let i = 0; i < 3; i += 1) {
    await sleep(1500)
    await service.kill()
    await service.start()
  }
  const ran = await run.ended
  t.equal(ran.exit, 0, ran.err)
  const records = await recordsOf(client, caseId)
  const sent = records.flatMap(({ objects }) => objects.map(object => object.sha256)).sort()
  t.same(sent, digests(files), 'every file once')
  t.equal((await consilium(args)).exit, 0)
  t.equal((await recordsOf(client, caseId)).length, records.length)
})

t.test('two runs at once on one folder: the second is told', async t => {
  const stage = await setStage(t)
  const folder = fill(stage.path('out'), studies(4, 20, 100_000))
  const first = stage.start(folder)
  await sleep(1000)
  const second = await stage.send(folder)
  const ran = await first.ended
  t.equal(ran.exit, 0)
  // On a fast machine the first is over by then.
  if (second.exit !== 0) t.match(second, { exit: 2, err: /Another run is under way/ })
  t.equal((await stage.records()).length, 4)
})

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
