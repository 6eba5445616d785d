import t from 'tap'
import { openPostgresSnapshot } from '../../src/database/postgres.ts'
import { verified } from '../audit/verify/stage.ts'
import { startBeside, startRealService } from '../faults/real-service.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { createCase, eventually, numberedText, sharedRecord } from '../helpers/exchange.ts'

/** Two processes on one PostgreSQL database, with a record that is shared and open. */
async function setUp() {
  const { url } = await freshPostgres()
  const first = await startRealService(t, { DATABASE_URL: url })
  const second = await startBeside(t, first)
  const openSnapshot = () => openPostgresSnapshot(url)
  const verify = () => verified(first.config.dataDirectory, { openSnapshot })
  return { first, second, verify, ...(await sharedRecord(first, [numberedText(1000)])) }
}

const pair = hasPostgres(t) ? await setUp() : undefined

t.test('a log is verified while two processes write it', async t => {
  if (pair === undefined) return
  const { first, second, path, verify } = pair
  let busy = true
  const work = [first, second].map(async process => {
    const specialist = process.client('specialistGb')
    while (busy) await specialist.send('GET', path)
  })
  for (let turn = 0; turn < 5; turn += 1) {
    const { faults, summary } = await verify()
    t.same(faults, [])
    t.ok(summary.events > 0)
  }
  busy = false
  await Promise.all(work)
})

t.test('what one process has shown as signed, the other proves at once', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  for (let turn = 0; turn < 10; turn += 1) {
    const { id } = await createCase(first.client('clinician'))
    const [at, other] = turn % 2 === 0 ? [first, second] : [second, first]
    const size = await eventually('it is signed', async () => {
      const [event] = await first.events({ caseId: id })
      const shown = await at.client().send('GET', '/v1/audit/checkpoint')
      const signed = Number(shown.text.split('\n')[1])
      return event !== undefined && signed > event.idx ? signed : undefined
    })
    const again = await other.client().send('GET', '/v1/audit/checkpoint')
    t.ok(Number(again.text.split('\n')[1]) >= size, 'it shows no older one')
    const full = Math.floor(size / 256)
    const tile = `/v1/audit/tile/0/${String(full).padStart(3, '0')}.p/${size % 256}`
    if (size % 256 > 0) t.equal((await other.client().send('GET', tile)).status, 200)
  }
})
