import { buildApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { loadPostgres } from '../../src/database/postgres-copy.ts'
import { openSqliteRows } from '../../src/database/sqlite-rows.ts'
import { createLogger } from '../../src/log.ts'
import { dataPaths, type OpenData, openData } from '../../src/open-data.ts'
import { startBeside } from '../demo-service.ts'
import { type Generated, generateEvents } from './audit-rows.ts'
import { alone, type Bench, type Figure } from './figure.ts'
import type { Stores } from './many-stores.ts'
import { type Busy, busyPages } from './page-list.ts'
import { sealRows } from './page-rows.ts'
import { makeScene, type Scene, signIn, type Viewer } from './page-scene.ts'
import { visitor } from './page-visit.ts'
import { nameOf, timeOf } from './pages.ts'
import { startService } from './servers.ts'
import { untilQuiet } from './watch.ts'

// The pages of a hospital with some fourteen thousand cases, on a log of a million events.

const EVENTS = 1_000_000
/** An event with its share of the indexes, the tree and the write-ahead log, and once more to copy it. */
const BYTES_PER_EVENT = 3600
const OPENINGS = 1500
const MILLISECONDS_MAX = 200

/** The slowest page, on SQLite. */
export const busyPageTime: Figure = {
  name: 'page-time-1m',
  unit: 'ms (median)',
  goal: { valueMax: MILLISECONDS_MAX },
  diskBytes: () => EVENTS * BYTES_PER_EVENT,
  run: bench => slowest(bench, 'page-time-1m', async settings => settings)
}

/** The slowest page, on PostgreSQL. */
export const busyPageTimeOn = (stores: () => Promise<Stores>): Figure => ({
  name: 'page-time-1m-postgres',
  unit: 'ms (median)',
  goal: { valueMax: MILLISECONDS_MAX },
  diskBytes: () => EVENTS * BYTES_PER_EVENT * 2,
  run: bench =>
    slowest(bench, 'page-time-1m-postgres', async settings => {
      const { ownerUrl, env } = await (await stores()).freshDatabase()
      const rows = openSqliteRows(dataPaths(settings.CONSILIUM_DATA ?? '').database)
      await loadPostgres(ownerUrl, rows.rows()).finally(rows.close)
      return { ...settings, ...env }
    })
})

type Settings = Record<string, string>

function slowest(bench: Bench, name: string, move: (settings: Settings) => Promise<Settings>) {
  return alone({ ...bench, rounds: 1 }, name, async () => {
    const made = await makeBusy(bench)
    const settings = await move(made.settings)
    const config = readConfig(settings)
    const data = await openData(config)
    const service = await startBeside({ settings, url: made.url })
    bench.place.pids.add(service.pid)
    try {
      return { value: await slowestPage(bench, service.url, data, made) }
    } finally {
      await service.stop()
      await data.close()
      bench.place.pids.delete(service.pid)
    }
  })
}

interface Made {
  scene: Scene
  busy: Busy
  settings: Settings
  url: string
}

/** One real exchange, then a year of made-up ones around it, all of it taken into the tree. */
async function makeBusy(bench: Bench): Promise<Made> {
  bench.progress(`(making ${EVENTS} events) `)
  const service = await startService(bench.place, bench.serviceEnv)
  const scene = await makeScene(service)
  const { settings, url } = service
  await service.stop()
  const config = readConfig(settings)
  const data = await openData(config)
  const { database } = dataPaths(config.dataDirectory)
  const { serviceKeys: keys } = data
  const { organisation: organisationId } = scene
  const generated = await generateEvents(database, EVENTS, { keys, organisationId })
  await sealRows(database, data, generated)
  await data.close()
  const busy = await settle(settings, scene, generated)
  return { scene, busy, settings, url }
}

/** Has the service take the events into the tree, and one case be opened very often. */
async function settle(settings: Settings, scene: Scene, generated: Generated): Promise<Busy> {
  const app = await buildApp(
    readConfig({ ...settings, CONSILIUM_LOG_LEVEL: 'silent' }),
    createLogger('silent')
  )
  try {
    const { database, audit, tree } = app.exchange
    const { organisationId, cases, patients, actors } = generated
    const opened = {
      action: 'share.read',
      outcome: 'success',
      organisationId,
      actorId: scene.people.specialist,
      caseId: scene.case,
      shareId: scene.share,
      recipientCountry: 'US',
      details: { address: '192.0.2.7', method: 'GET', requestId: 'bench-1' }
    } as const
    for (let time = 0; time < OPENINGS; time += 1) {
      await database.write(tx => audit.append(tx, opened))
    }
    await tree.settle()
    const half = Math.floor(cases.length / 2)
    return {
      nhsNumber: patients.at(-1)?.value ?? '',
      caseId: cases.at(-1) ?? '',
      olderThan: cases[half] ?? '',
      event: scene.event,
      actor: actors[5] ?? '',
      readCase: scene.case
    }
  } finally {
    await app.stop()
  }
}

async function slowestPage(
  bench: Bench,
  url: string,
  data: OpenData,
  { scene, busy }: Made
): Promise<number> {
  const cookies = await signIn(data, scene)
  await untilQuiet()
  const times: number[] = []
  bench.progress('\npage | role | kB | ms\n')
  for (const [role, pages] of Object.entries(busyPages(scene, busy))) {
    const browser = visitor(url, cookies[role as Viewer])
    for (const page of pages) {
      const { milliseconds, bytes } = await timeOf(browser, page)
      if (!page.isWork) times.push(milliseconds)
      bench.progress(
        `${nameOf(page)} | ${role} | ${(bytes / 1000).toFixed(1)} | ${milliseconds.toFixed(1)}\n`
      )
    }
    browser.leave()
  }
  times.push(await meanwhile(url, cookies.auditor))
  bench.progress(`/log, while the log is verified | auditor | | ${times.at(-1)?.toFixed(1)}\n`)
  return Math.max(...times)
}

/** The median of what a page takes somebody else while the log is verified. */
async function meanwhile(url: string, cookie: string): Promise<number> {
  const [one, other] = [visitor(url, cookie), visitor(url, cookie)]
  const times: number[] = []
  let isBusy = true
  const verified = one.ask({ path: '/log/integrity', form: {} }).finally(() => {
    isBusy = false
  })
  while (isBusy) times.push((await other.ask({ path: '/log' })).milliseconds)
  await verified
  one.leave()
  other.leave()
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
}
