import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openCheckpoint } from '../../src/audit/tlog/checkpoint.ts'
import { frontier, leafHash } from '../../src/audit/tlog/tree.ts'
import { placePending } from '../../src/audit/tree/pending.ts'
import { readSigningKeys } from '../../src/open-data.ts'
import {
  type Beside,
  type RealService,
  startBeside,
  startRealService
} from '../faults/real-service.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import { createCase, eventually } from '../helpers/exchange.ts'

/** Two processes on one PostgreSQL database. The second is killed; the first lives through it all. */
async function startPair() {
  const { url } = await freshPostgres()
  const first = await startRealService(t, { DATABASE_URL: url })
  return { first, second: await startBeside(t, first) }
}

const pair = hasPostgres(t) ? await startPair() : undefined

/** Makes cases at both, each of which is an event, until `stop`; resolves to those acknowledged. */
function keepBusy(processes: Pick<RealService, 'client'>[]) {
  let busy = true
  const acknowledged: string[] = []
  const workers = processes.flatMap(process =>
    [1, 2, 3].map(async () => {
      const clinician = process.client('clinician')
      while (busy) {
        // One that is killed meanwhile acknowledges nothing more.
        const made = await createCase(clinician).catch(() => undefined)
        if (made === undefined) await sleep(20)
        else acknowledged.push(made.id)
      }
    })
  )
  return {
    acknowledged,
    async stop() {
      busy = false
      await Promise.all(workers)
      return acknowledged
    }
  }
}

/** Everything acknowledged is on the log once, without a gap, and the checkpoint signs just that. */
async function assertWhole(t: Test, service: RealService, at: string, acknowledged: string[]) {
  const { verifiers, origin } = (await readSigningKeys(service.config)).log
  const { rows, size, root } = await eventually('all events are signed', () =>
    service.look(async ({ database }) => {
      const { auditEvents, auditPending } = database.read.tables
      const waiting = await database.read.select().from(auditPending)
      const rows = await database.read.select().from(auditEvents).orderBy(auditEvents.idx)
      const answer = await fetch(`${at}/v1/audit/checkpoint`)
      const signed = openCheckpoint(await answer.text(), origin, verifiers)
      return waiting.length === 0 && signed.size === rows.length ? { rows, ...signed } : undefined
    })
  )
  t.same(
    rows.map(row => row.idx),
    [...rows.keys()],
    'places without a gap'
  )
  t.equal(new Set(rows.map(row => row.id)).size, size, 'no event twice')
  const tree = frontier()
  for (const row of rows) tree.add(leafHash(row.leaf))
  t.ok(tree.root().equals(root), 'and the checkpoint signs them')
  const cases = new Set(rows.map(row => row.caseId))
  t.same(
    acknowledged.filter(id => !cases.has(id)),
    [],
    'nothing acknowledged is missing'
  )
}

t.test('two processes write one log', async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const load = keepBusy([first, second])
  await eventually('enough is made', () => (load.acknowledged.length > 100 ? true : undefined))
  await assertWhole(t, first, first.url, await load.stop())
  await assertWhole(t, first, second.url, [])
})

t.test('when a process is killed under load the other goes on', { timeout: 120_000 }, async t => {
  if (pair === undefined) return
  const { first, second } = pair
  const beside: Beside[] = [second]
  for (let round = 0; round < 3; round += 1) {
    const load = keepBusy([first, ...beside.slice(-1)])
    const soon = load.acknowledged.length + 20
    await eventually('it is under way', () => (load.acknowledged.length > soon ? true : undefined))
    await sleep(Math.random() * 200)
    if (round === 1) beside.at(-1)?.freeze()
    else await beside.at(-1)?.kill()
    await eventually('the other goes on', () =>
      load.acknowledged.length > soon + 60 ? true : undefined
    )
    await beside.at(-1)?.kill()
    await assertWhole(t, first, first.url, await load.stop())
    beside.push(await startBeside(t, first))
  }
})

t.test('a process that falls silent while it holds the head loses it', async t => {
  if (pair === undefined) return
  const { first } = pair
  await first.look(async data => {
    const held = Promise.withResolvers<void>()
    const silent = data.database.write(async tx => {
      await placePending(tx)
      held.resolve()
      await sleep(4500)
      await placePending(tx)
    })
    const silence = t.rejects(silent, { code: 'storage-unavailable' })
    await held.promise
    const { id } = await createCase(first.client('clinician'))
    await assertWhole(t, first, first.url, [id])
    await silence
  })
})
