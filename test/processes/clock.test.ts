import t from 'tap'
import { startBeside, startRealService } from '../faults/real-service.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { numberedText, sharedPath, sharedRecord, shareRecords } from '../helpers/exchange.ts'

const HOUR_MILLISECONDS = 3_600_000

/** Settings of a process whose machine has the wrong time. */
function wrongClock(milliseconds: number): Record<string, string> {
  const program = `const R=Date,n=()=>R.now()+(${milliseconds});
    globalThis.Date=class extends R{constructor(...a){a.length?super(...a):super(n())}
    static now(){return n()}}`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(program)}` }
}

t.test('the database says what time it is, and not the machine of a process', async t => {
  if (!hasPostgres(t)) return
  const { url } = await freshPostgres()
  const first = await startRealService(t, { DATABASE_URL: url })
  const { caseId, record } = await sharedRecord(first, [numberedText(1000)])
  for (const [what, ahead] of [
    ['ahead', 2 * HOUR_MILLISECONDS],
    ['behind', -2 * HOUR_MILLISECONDS]
  ] as const) {
    const wrong = await startBeside(t, first, wrongClock(ahead))
    const token = await first.client('specialistGb').token()
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const share = await shareRecords(first, caseId, [record.id], { lifeHours: 1 })
    const body = JSON.stringify({ link: share.link })
    const opened = await fetch(`${wrong.url}/v1/links/open`, { method: 'POST', headers, body })
    t.equal(opened.status, 200, `${what}: neither expired nor not yet valid`)
    const content = await fetch(wrong.url + sharedPath(share.id, record.id), { headers })
    t.equal(content.status, 200, `${what}: and content is read`)
    await content.arrayBuffer()
    for (const event of await first.events({ shareId: share.id })) {
      t.ok(
        Math.abs(event.at - Date.now()) < HOUR_MILLISECONDS,
        `${what}: ${event.action} has its time`
      )
    }
    await wrong.kill()
  }
})
