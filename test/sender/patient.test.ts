import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { patiently } from '../../src/sender/patience.ts'
import { LineBroken } from '../../src/sender/problem.ts'
import { faultProxy, type ProxiedRequest } from '../helpers/fault-proxy.ts'
import { fill, type Stage, setStage, sha256, studies } from './scene.ts'

const isUpload = ({ url }: ProxiedRequest) => url.startsWith('/v1/uploads')
const isCompletion = ({ url }: ProxiedRequest) => url.endsWith('/complete')

/** One file, too large for a form, so that it goes by tus; and beside it a small one. */
const study = (): Record<string, Buffer> => ({
  IM1: Object.values(studies(1, 1, 17 * 1024 ** 2))[0] ?? Buffer.alloc(0),
  IM2: Object.values(studies(1, 2, 3000))[1] ?? Buffer.alloc(0)
})

/** That every file is in the one record of the case, and in no second. */
async function everythingOnce(t: Test, stage: Stage, files: Record<string, Buffer>) {
  const records = await stage.records()
  t.equal(records.length, 1, 'one record')
  t.same(
    records.flatMap(({ objects }) => objects.map(({ sha256 }) => sha256)).sort(),
    Object.values(files).map(sha256).sort(),
    'every file, once'
  )
}

t.test(
  'how long a file was on its way before the line broke takes nothing of the patience',
  async t => {
    let tries = 0
    const patience = { patienceMilliseconds: 1000, onWait: () => {} }
    const { signal } = new AbortController()
    const came = await patiently({ ...patience, signal }, async () => {
      tries += 1
      if (tries > 1) return 'whole'
      await sleep(1200)
      throw new LineBroken('cut')
    })
    t.equal(came, 'whole')
  }
)

t.test('a line that breaks often is waited for as long as each time more has come', async t => {
  const stage = await setStage(t)
  const files = study()
  const proxy = await faultProxy(t, stage.exchange.url)
  proxy.fail(isUpload, { cutUpAfter: 3_000_000 }, 6)
  // Six waits, each longer than the one before, are more than that.
  const more = ['--parallel', '1', '--patience', '2']
  const ran = await stage.send(fill(stage.path('out'), files), more, proxy.url)
  t.equal(ran.exit, 0, ran.err)
  await everythingOnce(t, stage, files)
})

t.test('a record that is being made is waited for, and its draft is not thrown away', async t => {
  const stage = await setStage(t)
  const files = study()
  const proxy = await faultProxy(t, stage.exchange.url)
  // The line broke while the service looked into the files, and it goes on with that.
  proxy.fail(isCompletion, { answer: 409, json: { code: 'draft-completing' } }, 4)
  const ran = await stage.send(fill(stage.path('out'), files), [], proxy.url)
  t.equal(ran.exit, 0, ran.err)
  t.same(
    proxy.requests.filter(({ method }) => method === 'DELETE'),
    []
  )
  await everythingOnce(t, stage, files)
})

t.test('a draft that is over meanwhile is begun anew', async t => {
  const stage = await setStage(t)
  const files = study()
  const clinician = stage.exchange.client('clinician')
  const proxy = await faultProxy(t, stage.exchange.url)
  proxy.fail(isUpload, { delay: 2000 })
  const sending = stage.send(fill(stage.path('out'), files), ['--parallel', '1'], proxy.url)
  while (proxy.struck() === 0) await sleep(5)
  const path = `/v1/cases/${stage.caseId}/drafts`
  const { drafts } = await clinician.json<{ drafts: { id: string }[] }>('GET', path)
  await clinician.send('DELETE', `/v1/drafts/${drafts[0]?.id}`)
  const ran = await sending
  t.equal(ran.exit, 0, ran.err)
  await everythingOnce(t, stage, files)
})

t.test('a file that has come, and that was not told to be whole, is not sent again', async t => {
  const stage = await setStage(t)
  const files = study()
  const folder = fill(stage.path('out'), files)
  const proxy = await faultProxy(t, stage.exchange.url)
  proxy.fail(isCompletion, { hangUp: true })
  t.equal((await stage.send(folder, ['--patience', '0'], proxy.url)).exit, 3)
  // As a process leaves it that is killed after the last byte, or is still reading it back.
  await stage.exchange.exchange.database.write(async tx => {
    const unfinished = { state: 'receiving', sha256: null, layoutSealed: null }
    await tx.update(tx.tables.uploads).set(unfinished)
  })
  const before = proxy.requests.length
  const ran = await stage.send(folder, [], proxy.url)
  t.equal(ran.exit, 0, ran.err)
  const again = proxy.requests.slice(before)
  t.same(
    again.filter(({ method, url }) => method === 'DELETE' || url === '/v1/uploads'),
    []
  )
  await everythingOnce(t, stage, files)
})
