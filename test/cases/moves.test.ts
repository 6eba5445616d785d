import t from 'tap'
import { caseStates } from '../../schemas/case.ts'
import {
  caseState,
  destinationOf,
  isPossible,
  type Move,
  moveNames,
  possibleMoves,
  type Standing,
  standings
} from '../../src/cases/moves.ts'

/** Everything that may be done, written down a second time by hand. */
const legal: Record<Standing, Move[]> = {
  draft: ['complete', 'share', 'withdraw', 'opinion', 'close'],
  complete: ['share', 'withdraw', 'opinion', 'close'],
  'opinion-received': ['share', 'withdraw', 'opinion', 'close'],
  closed: ['reopen']
}

interface Point {
  state: Standing
  completedAt: number | null
  opinionAt: number | null
  live: number
}

/** Where a move leads, as the row has it afterwards. */
function after(move: Move, point: Point): Point {
  return {
    state: destinationOf(move, point),
    completedAt: move === 'complete' ? 1 : point.completedAt,
    opinionAt: move === 'opinion' ? 2 : point.opinionAt,
    live: point.live + (move === 'share' ? 1 : move === 'withdraw' ? -1 : 0)
  }
}

/** The ways on from a point, in which nothing is withdrawn that is not there. */
function waysOn(point: Point): Point[] {
  const ways = moveNames
    .filter(move => isPossible(move, point.state, point.live))
    .filter(move => move !== 'withdraw' || point.live > 0)
    .filter(move => move !== 'share' || point.live < 2)
    .map(move => after(move, point))
  // A share may end by itself at any time.
  return point.live > 0 ? [...ways, { ...point, live: point.live - 1 }] : ways
}

function reachable(): Point[] {
  const begin: Point = { state: 'draft', completedAt: null, opinionAt: null, live: 0 }
  const found = new Map([[JSON.stringify(begin), begin]])
  for (const point of found.values()) {
    for (const next of waysOn(point)) found.set(JSON.stringify(next), next)
  }
  return [...found.values()]
}

t.test('the table allows what is written here and nothing else', async t => {
  for (const standing of standings) {
    for (const move of moveNames) {
      const isLegal = legal[standing].includes(move)
      const could = [0, 1].some(live => isPossible(move, standing, live))
      t.equal(could, isLegal, `${move} from ${standing}`)
    }
  }
})

t.test('what depends on shares', async t => {
  t.notOk(isPossible('close', 'draft', 1), 'nothing is closed over a live share')
  t.notOk(isPossible('opinion', 'complete', 0), 'no opinion comes without one')
  t.same(possibleMoves('draft', 0), ['complete', 'share', 'close'])
  t.same(possibleMoves('draft', 1), ['complete', 'share', 'withdraw', 'opinion'])
  t.same(possibleMoves('closed', 0), ['reopen'])
})

t.test('every state is reached, and in each the row agrees with itself', async t => {
  const points = reachable()
  const seen = new Set(points.map(point => caseState(point, point.live)))
  t.same([...seen].sort(), [...caseStates].sort())
  for (const { state, completedAt, opinionAt, live } of points) {
    const label = JSON.stringify({ state, completedAt, opinionAt, live })
    if (state === 'draft') t.ok(completedAt === null && opinionAt === null, label)
    if (state === 'complete') t.ok(completedAt !== null && opinionAt === null, label)
    if (state === 'opinion-received') t.ok(opinionAt !== null, label)
    if (state === 'closed') t.equal(live, 0, label)
  }
})

t.test('a state of a newer release is an error and not a guess', async t => {
  t.throws(() => caseState({ state: 'archived' }, 0), /this release lacks/)
})
