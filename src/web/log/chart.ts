import type { DisclosureReport } from '../../../schemas/disclosure-report.ts'
import { countryName } from '../../audit/report/wording.ts'
import { dateText } from '../moments.ts'

/** Fewer openings than this are read faster than looked at. */
const OPENINGS_MIN = 5
const BARS_MAX = 60
/** A chart of countries with one bar says nothing. */
const COUNTRIES_MIN = 2
const COUNTRIES_MAX = 20
const DAY_MILLISECONDS = 86_400_000
const WIDTH = 600
const HEIGHT = 200
const ROW_HEIGHT = 36
const LABEL_WIDTH = 190

interface Bar {
  label: string
  count: number
  x: number
  y: number
  width: number
  height: number
}

/** Bars of an SVG picture, in its own units, and what a table beside it says. */
export interface Chart {
  width: number
  height: number
  bars: Bar[]
  most: number
  first: string
  last: string
}

export interface Charts {
  time?: Chart & { unit: 'day' | 'week' | 'month' }
  country?: Chart
}

/** Pictures of a report, where looking beats reading. */
export function chartsOf({ disclosures }: Pick<DisclosureReport, 'disclosures'>): Charts {
  if (disclosures.length < OPENINGS_MIN) return {}
  const time = timeChart(disclosures.map(({ at }) => at))
  const country = countryChart(disclosures.flatMap(({ reader }) => reader?.country ?? []))
  return { ...(time && { time }), ...(country && { country }) }
}

/** Openings by day, week or month (UTC), as few bars as can be read; empty ones between count too. */
function timeChart(times: string[]): Charts['time'] {
  const days = times.map(at => Math.floor(Date.parse(at) / DAY_MILLISECONDS)).sort((a, b) => a - b)
  const [first = 0, last = 0] = [days[0], days.at(-1)]
  const span = last - first + 1
  const unit = span <= BARS_MAX ? 'day' : span <= BARS_MAX * 7 ? 'week' : 'month'
  const placeOf = (day: number) => {
    if (unit !== 'month') return Math.floor((day - first) / (unit === 'day' ? 1 : 7))
    const months = (at: Date) => at.getUTCFullYear() * 12 + at.getUTCMonth()
    return months(dateOf(day)) - months(dateOf(first))
  }
  const counts = Array.from({ length: placeOf(last) + 1 }, () => 0)
  for (const day of days) counts[placeOf(day)] = (counts[placeOf(day)] ?? 0) + 1
  if (counts.length < 2) return undefined
  const labelOf = (place: number) => {
    if (unit === 'month') {
      const start = dateOf(first)
      const month = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + place, 1))
      return month.toLocaleDateString('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' })
    }
    return dateText(dateOf(first + place * (unit === 'day' ? 1 : 7)).toISOString())
  }
  const most = Math.max(...counts)
  const width = WIDTH / counts.length
  const bars = counts.map((count, place) => {
    const height = Math.round((count / most) * HEIGHT)
    const x = Math.round(place * width * 10) / 10
    return {
      label: labelOf(place),
      count,
      x,
      y: HEIGHT - height,
      width: Math.max(1, width - 2),
      height
    }
  })
  const ends = { first: labelOf(0), last: labelOf(counts.length - 1) }
  return { unit, width: WIDTH, height: HEIGHT, bars, most, ...ends }
}

const dateOf = (day: number): Date => new Date(day * DAY_MILLISECONDS)

/** Openings by the country of their reader, the most first. */
function countryChart(countries: string[]): Chart | undefined {
  const counts = new Map<string, number>()
  for (const country of countries) counts.set(country, (counts.get(country) ?? 0) + 1)
  const rows = [...counts].sort(([, a], [, b]) => b - a).slice(0, COUNTRIES_MAX)
  if (rows.length < COUNTRIES_MIN) return undefined
  const most = rows[0]?.[1] ?? 1
  const room = WIDTH - LABEL_WIDTH - 50
  const bars = rows.map(([country, count], place) => ({
    label: countryName(country),
    count,
    x: LABEL_WIDTH,
    y: place * ROW_HEIGHT,
    width: Math.max(2, Math.round((count / most) * room)),
    height: ROW_HEIGHT - 8
  }))
  return { width: WIDTH, height: rows.length * ROW_HEIGHT, bars, most, first: '', last: '' }
}
