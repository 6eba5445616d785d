import { alone, type Bench, type Figure, type Run } from './figure.ts'
import { pagesOf } from './page-list.ts'
import { makeScene, signIn, type Viewer } from './page-scene.ts'
import { firstView, type PageAsked, requireFound, type Visitor, visitor } from './page-visit.ts'
import { onService } from './transfers.ts'
import { untilQuiet } from './watch.ts'

// Figures of what people see: what the first view of a page weighs, and how soon the service has it.

const KILOBYTE = 1000
const FIRST_VIEW_KB_MAX = 150
const REQUESTS_MAX = 15
const MILLISECONDS_MAX = 100
const WARM_TIMES = 5
const MEASURED_TIMES = 25
const DISK_BYTES = 256 * 1024 ** 2

/** The heaviest first view of all pages, with everything it loads. */
export const firstViewBytes: Figure = {
  name: 'page-first-view',
  unit: 'kB',
  goal: { valueMax: FIRST_VIEW_KB_MAX },
  diskBytes: () => DISK_BYTES,
  run: bench => ofPages(bench, 'page-first-view', seen => seen.bytes / KILOBYTE)
}

/** The most requests that a first view takes. */
export const firstViewRequests: Figure = {
  name: 'page-requests',
  unit: 'requests',
  goal: { valueMax: REQUESTS_MAX },
  diskBytes: () => DISK_BYTES,
  run: bench => ofPages(bench, 'page-requests', seen => seen.requests)
}

/** The slowest page of an exchange with one case. */
export const pageTime: Figure = {
  name: 'page-time',
  unit: 'ms (median)',
  goal: { valueMax: MILLISECONDS_MAX },
  diskBytes: () => DISK_BYTES,
  run: bench => ofPages(bench, 'page-time', seen => seen.milliseconds)
}

interface PageSeen {
  bytes: number
  requests: number
  milliseconds: number
}

const seenBy = new WeakMap<Bench['place'], Promise<PageSeen[]>>()

/** All three figures look at the same pages, once. */
function ofPages(bench: Bench, name: string, of: (seen: PageSeen) => number) {
  return alone({ ...bench, rounds: 1 }, name, async (): Promise<Run> => {
    const looking =
      seenBy.get(bench.place) ?? onService(bench, service => lookAtAll(bench, service))
    seenBy.set(bench.place, looking)
    return { value: Math.max(...(await looking).map(of)) }
  })
}

async function lookAtAll(bench: Bench, service: Parameters<typeof makeScene>[0]) {
  const scene = await makeScene(service)
  const cookies = await signIn(service.data, scene)
  await untilQuiet()
  const found: PageSeen[] = []
  bench.progress('\npage | role | page kB | first view kB | requests | ms\n')
  for (const [role, pages] of Object.entries(pagesOf(scene))) {
    const browser = visitor(service.url, cookies[role as Viewer])
    for (const page of pages) {
      const view = await firstView(browser, page)
      const { milliseconds } = await timeOf(browser, page)
      found.push({ ...view, milliseconds })
      const kb = (bytes: number) => (bytes / KILOBYTE).toFixed(1)
      bench.progress(
        `${nameOf(page)} | ${role} | ${kb(view.pageBytes)} | ${kb(view.bytes)} | ${view.requests} | ${milliseconds.toFixed(1)}\n`
      )
    }
    browser.leave()
  }
  return found
}

/** The median of what one page takes, in milliseconds, to its last byte; and its bytes. */
export async function timeOf(
  browser: Visitor,
  page: PageAsked
): Promise<{ milliseconds: number; bytes: number }> {
  const times: number[] = []
  let bytes = 0
  for (let time = 0; time < WARM_TIMES + MEASURED_TIMES; time += 1) {
    const answer = await browser.ask(page)
    requireFound(nameOf(page), answer)
    bytes = answer.bytes
    if (time >= WARM_TIMES) times.push(answer.milliseconds)
  }
  const milliseconds = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
  return { milliseconds, bytes }
}

const ID = /[0-9a-f]{8}-[0-9a-f-]{27}/g

/** What a page is called in a table: its address without ids. */
export const nameOf = ({ path, name }: PageAsked): string => name ?? path.replaceAll(ID, '…')
