import type { Place } from './servers.ts'
import { OTHERS_CORES_MAX } from './watch.ts'

/** Runs that must be left before those disturbed by other processes are left out. */
const QUIET_RUNS_MIN = 3

/** What a figure is measured with. */
export interface Bench {
  rounds: number
  place: Place
  /** Environment of the service alone, for a profiler. */
  serviceEnv: Record<string, string>
  progress(line: string): void
}

export interface Figure {
  name: string
  unit: string
  goal: Goal
  /** Disk space it takes at its most, both sides, in bytes. */
  diskBytes(rounds: number): number
  run(bench: Bench): Promise<Runs | undefined>
}

export interface Run {
  value: number
  /** Cores that other processes used meanwhile, where that is known. */
  othersCores?: number | undefined
}

/** One run per round on each side. Where nothing compares there is no baseline. */
export interface Runs {
  baseline: Run[]
  ours: Run[]
}

/** What a figure must reach: a share of its baseline, or a value of its own. */
export type Goal =
  | { ratioMin: number }
  | { valueMin: number }
  | { valueMax: number; ratioMax?: number }

export interface Result {
  value: number | null
  unit: string
  baseline: number | null
  ratio: number | null
  goal: string
  met: boolean | null
}

/** Measures the two sides in turn, so that what else the machine does falls on both alike. */
export async function inTurn(
  bench: Bench,
  name: string,
  sides: { baseline(): Promise<Run>; ours(): Promise<Run> }
): Promise<Runs> {
  const runs: Runs = { baseline: [], ours: [] }
  for (let round = 1; round <= bench.rounds; round += 1) {
    for (const side of ['baseline', 'ours'] as const) {
      bench.progress(`${name}, round ${round} of ${bench.rounds}, ${side}: `)
      const run = await sides[side]()
      runs[side].push(run)
      bench.progress(`${round3(run.value)}\n`)
    }
  }
  return runs
}

/** The same where there is nothing to compare with. */
export async function alone(
  bench: Bench,
  name: string,
  measure: () => Promise<Run>
): Promise<Runs> {
  const runs: Runs = { baseline: [], ours: [] }
  for (let round = 1; round <= bench.rounds; round += 1) {
    bench.progress(`${name}, round ${round} of ${bench.rounds}: `)
    const run = await measure()
    runs.ours.push(run)
    bench.progress(`${round3(run.value)}\n`)
  }
  return runs
}

export function resultOf(figure: Figure, runs: Runs | undefined): Result {
  const { unit, goal } = figure
  if (runs === undefined) {
    return { value: null, unit, baseline: null, ratio: null, goal: tell(goal, unit), met: null }
  }
  // For a limit the worst run counts, because a limit holds always or not at all.
  const ours = runs.ours.map(run => run.value)
  const value = 'valueMax' in goal ? Math.max(...ours) : medianOf(runs.ours)
  if (runs.baseline.length === 0) {
    const met = isMet(goal, value, 0)
    return { value: round3(value), unit, baseline: null, ratio: null, goal: tell(goal, unit), met }
  }
  const baseline = medianOf(runs.baseline)
  const ratio = value / baseline
  return {
    value: round3(value),
    unit,
    baseline: round3(baseline),
    ratio: round3(ratio),
    goal: tell(goal, unit),
    met: isMet(goal, value, ratio)
  }
}

function isMet(goal: Goal, value: number, ratio: number): boolean {
  if ('ratioMin' in goal) return ratio >= goal.ratioMin
  if ('valueMin' in goal) return value >= goal.valueMin
  return value < goal.valueMax && ratio < (goal.ratioMax ?? Number.POSITIVE_INFINITY)
}

function tell(goal: Goal, unit: string): string {
  if ('ratioMin' in goal) return `ratio >= ${goal.ratioMin.toFixed(2)}`
  if ('valueMin' in goal) return `>= ${goal.valueMin} ${unit}`
  const { valueMax, ratioMax } = goal
  return `< ${valueMax} ${unit}${ratioMax === undefined ? '' : `, ratio < ${ratioMax}`}`
}

/** Of the runs nobody disturbed, where there are enough of them. */
function medianOf(runs: Run[]): number {
  const quiet = runs.filter(run => (run.othersCores ?? 0) < OTHERS_CORES_MAX)
  const counted = quiet.length >= QUIET_RUNS_MIN ? quiet : runs
  const sorted = counted.map(run => run.value).toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const [low = 0, high = low] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]]
  return (low + high) / 2
}

/** Three digits that say something, and whole numbers from a hundred on. */
function round3(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
