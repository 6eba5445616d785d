import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startScript } from '../backup/scene.ts'
import { spawnService, startBeside } from '../faults/real-service.ts'
import { filesBelow } from '../faults/soundness.ts'
import { eventually, numberedText, uploadRecord } from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import { move, movingScene } from './scene.ts'

/** Long enough to be caught half-way. */
const BIG = numberedText(40_000_000)
const RANDOM_KILLS = 3
const RUN_MILLISECONDS = 3000

async function startFails(settings: Record<string, string>): Promise<string> {
  const started = spawnService(settings)
  let told = ''
  started.stderr?.on('data', text => {
    told += text
  })
  await once(started, 'exit')
  return told
}

t.test('a move that is killed anywhere goes on', { timeout: 170_000 }, async t => {
  const scene = await movingScene(t, [BIG])
  if (scene === undefined) return
  const { service, caseId, content, path, old } = scene
  const original = (await service.client('specialistGb').send('GET', content)).bytes
  await scene.keepCheckpoint('before')
  await service.stop()
  const place = await scene.newPlace({ postgres: true, s3: false })
  const { directory, settings } = place

  const kill = async (what: string, until: () => unknown) => {
    const moving = startScript('migrate-store', settings, '--from', old)
    const gone = once(moving, 'exit')
    const ended = gone.then(() => true)
    await Promise.race([until(), ended])
    moving.kill('SIGKILL')
    t.strictSame(await gone, [null, 'SIGKILL'], `${what}: it was killed half-way`)
  }
  const isThere = (what: string, look: () => boolean) => eventually(what, () => look() || undefined)
  const blobs = () =>
    existsSync(join(directory, 'objects')) ? filesBelow(join(directory, 'objects')).length : 0

  await kill('the mark', () =>
    isThere('the mark', () => existsSync(join(directory, 'moving.json')))
  )
  await kill('objects', () => isThere('an object', () => blobs() > 0))
  t.match(await startFails(settings), /has not ended/)
  // Before the fence the old place serves on, and what comes then is moved too.
  t.notOk(existsSync(join(old, 'moved.json')))
  await service.start()
  const later = await uploadRecord(service.client('clinician'), caseId, {
    files: [numberedText(1000)]
  })
  await service.stop()

  await kill('keys', () =>
    isThere('keys', () => existsSync(join(directory, 'keys/links.jwks.json')))
  )
  t.match(await startFails(service.settings), /were moved elsewhere/)
  t.match(await startFails(settings), /has not ended/)
  for (let n = 0; n < RANDOM_KILLS; n += 1) {
    const moving = startScript('migrate-store', settings, '--from', old)
    const gone = once(moving, 'exit')
    await Promise.race([sleep(500 + Math.random() * RUN_MILLISECONDS), gone])
    moving.kill('SIGKILL')
    await gone
    if (!existsSync(join(directory, 'moving.json'))) break
    t.ok(existsSync(join(old, 'moved.json')), `random kill ${n + 1}: both are closed`)
  }
  const ended = await move(old, place)
  t.match(`${ended.out}${ended.err}`, /All is well|CONSILIUM_DATA is not empty/)

  const there = await startBeside(t, service, settings)
  const read = await there.client('specialistGb').send('GET', content)
  t.ok(read.bytes.equals(original))
  t.match(await there.client('clinician').send('GET', `/v1/records/${later.id}`), { status: 200 })
  await there.stop()
  t.match(await runScript('check-exchange', settings), { exit: 0, out: 'All is well.' })
  const known = ['--data', directory, '--checkpoint', path('before')]
  t.match(await runScript('verify-audit', settings, ...known), { exit: 0, out: /All is well/ })
})
