import t from 'tap'
import { createCase } from '../helpers/exchange.ts'
import { DOWNLOAD_MARKER, downloads } from './kill-download.ts'
import { log } from './kill-log.ts'
import { killRounds, ROUNDS, roundsMillisecondsMax } from './kill-rounds.ts'
import { links, SHARE_MARKER } from './kill-share.ts'
import { UPLOAD_MARKER, uploads } from './kill-upload.ts'
import { startRealService } from './real-service.ts'
import { assertSoundAtRest } from './soundness.ts'

t.setTimeout(roundsMillisecondsMax(ROUNDS))

t.test('a service killed again and again, at any point of whatever it does', async t => {
  const service = await startRealService(t)
  const { id } = await createCase(service.client('clinician'))
  const stories = []
  for (const begin of [uploads, links, downloads, log]) stories.push(await begin(t, service, id))
  await killRounds(service, stories)
  for (const { finish } of stories) await finish()
  t.equal(await service.stop(), 0)
  await assertSoundAtRest(t, service.config, [UPLOAD_MARKER, SHARE_MARKER, DOWNLOAD_MARKER])
})
