import t from 'tap'
import { giveUp, planned, wantedOf } from '../../src/web/browser/upload-places.js'

// What the browser keeps, without a browser.
const kept = new Map<string, string>()
Object.defineProperty(globalThis, 'localStorage', {
  value: {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value)
  }
})

/** A slice of a series: scanners number them, and all of one size have as many bytes. */
const slice = (path: string) => ({
  path,
  file: new File([new Uint8Array(8)], path.split('/').at(-1) ?? '', { lastModified: 1 })
})
const names = ['IM0001', 'IM0002']
const [first, second] = ['S1', 'S2'].map(series => names.map(name => slice(`${series}/${name}`)))

const arrivedFrom = (items: { position: number }[], state: string) =>
  items.map(({ position }, n) => ({
    id: `upload-${n}`,
    position,
    fileName: names[n % names.length] ?? '',
    bytes: 8,
    offset: state === 'stored' ? 8 : 4,
    state
  }))

t.test('a file of another folder is not taken for one that came, however alike', async t => {
  for (const state of ['stored', 'receiving']) {
    kept.clear()
    // Given: a first series that has come, wholly or in part, and a page that was loaded again.
    const before = await planned('draft', first ?? [], [])
    const arrived = arrivedFrom(before, state)
    // When: the second is chosen, whose files have the names and the sizes of the first.
    const after = await planned('draft', second ?? [], arrived)
    // Then: each has a place of its own, and is sent.
    t.strictSame(
      after.map(({ position }) => position),
      [3, 4],
      state
    )
    const again = await planned('draft', first ?? [], arrived)
    t.strictSame(
      again.map(({ position }) => position),
      [1, 2],
      'those of the first have theirs'
    )
  }
})

t.test('a browser that remembers nothing knows files by names and sizes', async t => {
  kept.clear()
  const both = [...(first ?? []), ...(second ?? [])]
  const arrived = arrivedFrom(await planned('draft', both, []), 'stored')
  kept.clear()
  const items = await planned('draft', both, arrived.slice(0, 3))
  t.strictSame(
    items.map(({ position }) => position),
    [1, 2, 3, 4],
    'in the order in which they were sent'
  )
})

t.test('files of an earlier choice that never began are still awaited', async t => {
  kept.clear()
  // Given: a series of which only the first file has come before the page was loaded again.
  const arrived = arrivedFrom(await planned('draft', first ?? [], []), 'stored').slice(0, 1)
  // When: another series is chosen.
  await planned('draft', second ?? [], arrived)
  // Then: both series are wanted, and not only as many files as the larger has.
  t.equal(wantedOf('draft'), 4)
})

t.test('what was given up is chosen again in place of itself', async t => {
  kept.clear()
  const [one] = await planned('draft', first ?? [], [])
  giveUp('draft', one?.position ?? 0)
  t.equal(wantedOf('draft'), 2, 'until then it is missing')
  const items = await planned('draft', first ?? [], [])
  t.strictSame(
    items.map(({ position }) => position),
    [3, 2],
    'it begins anew, at a place where nothing of it can be'
  )
  t.equal(wantedOf('draft'), 2)
})
