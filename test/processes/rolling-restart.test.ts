import { createServer, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type Beside, startBeside, startRealService } from '../faults/real-service.ts'
import { type Client, makeClient } from '../helpers/client.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import {
  createCase,
  eventually,
  numberedText,
  openShare,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'

const LOOK_MILLISECONDS = 50
/** Two processes, three workers and all other tests may be at it on two cores. */
const WAIT_SECONDS = 60

/**
 * Spreads requests over processes as a simple balancer does: in turn over those that said a moment
 * ago that they are ready. It never tries a request again.
 */
async function balancer(t: Test, processes: () => { url: string }[]) {
  const ready = new Set<string>()
  let turn = 0
  const look = setInterval(async () => {
    for (const { url } of processes()) {
      const answer = await fetch(`${url}/readyz`).catch(() => undefined)
      if (answer?.ok) ready.add(url)
      else ready.delete(url)
    }
  }, LOOK_MILLISECONDS)
  const server = createServer((incoming, outgoing) => {
    const urls = [...ready]
    turn += 1
    const at = urls[turn % urls.length]
    const { method, url, headers } = incoming
    const onward = send(`${at}${url}`, { method, headers, agent: false }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy()).pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    clearInterval(look)
    server.close()
    server.closeAllConnections()
  })
  const knowsBoth = () =>
    eventually('it knows both', () => (ready.size === 2 ? true : undefined), WAIT_SECONDS)
  await knowsBoth()
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, knowsBoth }
}

t.test('no request is lost while one process after the other is renewed', async t => {
  if (!hasPostgres(t)) return
  const { url } = await freshPostgres()
  const first = await startRealService(t, { DATABASE_URL: url, CONSILIUM_LEAVE_SECONDS: '1' })
  let second: Beside | undefined = await startBeside(t, first)
  const { url: at, knowsBoth } = await balancer(t, () => [first, ...(second ? [second] : [])])
  const client = (who: 'clinician' | 'specialistGb'): Client =>
    makeClient(() => at, Date.now, first.people[who])
  const [clinician, specialist] = [client('clinician'), client('specialistGb')]

  let busy = true
  let done = 0
  const lost: string[] = []
  const file = numberedText(200_000)
  async function work(): Promise<void> {
    while (busy) {
      try {
        const { id: caseId } = await createCase(clinician)
        const record = await uploadRecord(clinician, caseId, { files: [file] })
        const by = { client: () => clinician, people: first.people, clock: first.clock }
        const share = await shareRecords(by, caseId, [record.id])
        await openShare(specialist, share.link)
        const content = await specialist.send('GET', sharedPath(share.id, record.id))
        if (!content.bytes.equals(file.bytes)) throw new Error(`content: ${content.status}`)
        done += 1
      } catch (err) {
        lost.push(String(err))
      }
    }
  }
  const workers = [work(), work(), work()]
  const goesOn = async () => {
    const before = done
    await eventually('work goes on', () => (done > before + 5 ? true : undefined), WAIT_SECONDS)
  }
  await goesOn()
  t.equal(await second.stop(), 0)
  await goesOn()
  second = await startBeside(t, first)
  await knowsBoth()
  t.equal(await first.stop(), 0)
  await goesOn()
  await first.start()
  await goesOn()
  busy = false
  await Promise.all(workers)
  t.same(lost, [])
})
