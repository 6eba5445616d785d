import t from 'tap'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import {
  createCase,
  eventually,
  numberedText,
  openShare,
  sendLink,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'
import { startPostgresServer } from '../helpers/postgres-server.ts'
import { startRealService } from './real-service.ts'
import { assertSoundAtRest } from './soundness.ts'

const LARGE = numberedText(24 * 1024 * 1024)

t.test(
  'while the server is gone nothing is disclosed; when it is back the service goes on',
  async t => {
    if (!hasPostgres(t)) return
    const server = await startPostgresServer()
    t.teardown(() => server.remove())
    const { url } = await freshPostgres(server.url)
    const service = await startRealService(t, { DATABASE_URL: url })
    const [clinician, specialist] = [service.client('clinician'), service.client('specialistGb')]
    const { id: caseId } = await createCase(clinician)
    const record = await uploadRecord(clinician, caseId, { files: [LARGE] })
    const share = await shareRecords(service, caseId, [record.id])
    await openShare(specialist, share.link)
    const unopened = await shareRecords(service, caseId, [record.id], { openingsMax: 1 })
    const path = sharedPath(share.id, record.id)
    const readiness = async (): Promise<{ status: string; checks: Record<string, string> }> =>
      JSON.parse(await (await fetch(`${service.url}/readyz`)).text())
    t.match(await readiness(), { status: 'ready' })

    const call = await service.raw('specialistGb', `GET ${path}`)
    await call.take(256 * 1024)
    await server.kill()
    t.match(await readiness(), {
      status: 'not ready',
      checks: { database: 'failing', keyring: 'ok', storage: 'ok', service: 'ok' }
    })
    for (const answer of [
      await specialist.send('GET', path),
      await sendLink(specialist, unopened.link),
      await clinician.send('GET', `/v1/records/${record.id}`)
    ]) {
      t.equal(answer.status, 503)
      t.match(answer.json.code, /^(storage|audit)-unavailable$/)
    }
    // Nobody knows that access still holds, so the download is cut, and its end is still to be written.
    await eventually('the download is cut', async () => {
      const metrics = await (await fetch(`${service.url}/metrics`)).text()
      return metrics.includes('consilium_unwritten_completions 1') ? true : undefined
    })
    t.ok((await call.rest()).length < LARGE.bytes.length)
    const { checks } = await readiness()
    t.match(checks, { log: /completions are waiting|cannot be written/ })

    await server.start()
    await eventually('it is ready again', async () =>
      (await readiness()).status === 'ready' ? true : undefined
    )
    t.match(await sendLink(specialist, unopened.link), { status: 200, json: { openings: 1 } })
    const ends = await service.events({ action: 'content.read', shareId: share.id })
    t.match(
      ends.map(event => event.outcome),
      ['granted', 'failed'],
      'and what was cut is on the log'
    )
    t.equal(await service.stop(), 0)
    await assertSoundAtRest(t, service.config, [])
  }
)
