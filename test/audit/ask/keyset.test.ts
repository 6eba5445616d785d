import t from 'tap'
import {
  BELOW_ALL,
  ENTRIES_PER_PAGE_MAX,
  firstOf,
  pageOfStreams,
  type Stream
} from '../../../src/audit/ask/keyset.ts'

interface Row {
  id: string
  matches: boolean
}

const idOf = (place: number) => String(place).padStart(8, '0')

/** A stream over an array, which counts how many of its entries were looked at. */
function streamOf(entries: Row[]): Stream<Row> & { looked(): number } {
  const sorted = [...entries].sort((a, b) => (a.id < b.id ? 1 : -1))
  let looked = 0
  const within = ({ from, below }: { from: string | undefined; below: string }) =>
    sorted.filter(({ id }) => id < below && (from === undefined || id >= from))
  return {
    looked: () => looked,
    async nthId(range, n) {
      return within(range)[n - 1]?.id
    },
    async rows(range, limit) {
      const found: Row[] = []
      for (const row of within(range)) {
        if (found.length === limit) break
        looked += 1
        if (row.matches) found.push(row)
      }
      return found
    }
  }
}

async function allPages(streams: Stream<Row>[], limit: number) {
  const ids: string[] = []
  const sizes: number[] = []
  let below = BELOW_ALL
  for (;;) {
    const page = await pageOfStreams(streams, { from: undefined, below }, limit)
    ids.push(...page.rows.map(row => row.id))
    sizes.push(page.rows.length)
    if (page.next === undefined) return { ids, sizes }
    t.ok(page.next < below, 'each page gets on')
    below = page.next
  }
}

t.test('pages of several streams are those of one', async t => {
  for (const [seed, streams] of [1, 2, 3, 5].entries()) {
    const parts: Row[][] = Array.from({ length: streams }, () => [])
    for (let place = 0; place < 3000; place += 1) {
      const matches = (place * 7919 + seed) % 13 < 4
      parts[(place * 104_729 + seed) % streams]?.push({ id: idOf(place), matches })
    }
    const expected = parts
      .flat()
      .filter(row => row.matches)
      .map(row => row.id)
      .sort()
      .reverse()
    for (const limit of [1, 50, 333, 5000]) {
      const { ids, sizes } = await allPages(parts.map(streamOf), limit)
      t.same(ids, expected, `${streams} streams, ${limit} a page`)
      t.ok(
        sizes.slice(0, -1).every(size => size === limit),
        'all full but the last'
      )
      t.ok(expected.length === 0 || sizes.at(-1) !== 0, 'and that is not empty')
    }
  }
})

t.test('where little matches a page ends early and says where it got', async t => {
  const COUNT = 3 * ENTRIES_PER_PAGE_MAX - 1
  const entries = Array.from({ length: COUNT }, (_, place) => ({
    id: idOf(place),
    matches: place === 5
  }))
  const stream = streamOf(entries)
  const first = await pageOfStreams([stream], { from: undefined, below: BELOW_ALL }, 50)
  t.same(first.rows, [])
  t.equal(stream.looked(), ENTRIES_PER_PAGE_MAX)
  t.equal(first.next, idOf(COUNT - ENTRIES_PER_PAGE_MAX))
  const { ids, sizes } = await allPages([stream], 50)
  t.same(ids, [idOf(5)])
  t.equal(sizes.length, 3)
  t.equal((await firstOf(stream))?.id, idOf(5), 'the first is found however far it is')
  t.equal(await firstOf(streamOf(entries.map(({ id }) => ({ id, matches: false })))), undefined)
})

t.test('no stream is looked at further than the page can reach', async t => {
  const many = streamOf(
    Array.from({ length: 5000 }, (_, place) => ({ id: idOf(10_000 + place), matches: true }))
  )
  const few = streamOf(
    Array.from({ length: 5000 }, (_, place) => ({ id: idOf(place), matches: false }))
  )
  const page = await pageOfStreams([many, few], { from: undefined, below: BELOW_ALL }, 10)
  t.equal(page.rows.length, 10)
  t.equal(few.looked(), 0)
})
