const LOCALE = 'en-GB'
const DAY = { day: 'numeric', month: 'long', year: 'numeric' } as const

// Making one takes a hundred times as long as using it, and a page of the access log uses fifty.
const dates = new Intl.DateTimeFormat(LOCALE, { ...DAY, timeZone: 'UTC' })
const distances = new Intl.RelativeTimeFormat(LOCALE, { numeric: 'always' })
const thisMinute = new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto' }).format(0, 'minute')
/** By their zones: no more than the world has, because only those are ever stored. */
const clocks = new Map<string, Intl.DateTimeFormat>()

/** A moment as its reader's clock shows it, with the place whose clock it is: 3 May 2026, 14:03 (London). */
export function momentText(at: string | number, timeZone: string): string {
  const text = clockOf(timeZone).format(new Date(at))
  return `${text.replace(' at ', ', ')} (${placeOf(timeZone)})`
}

/** The day that is over at a moment, where it is midnight just then: 2 May 2026 (London). */
export function dayEndedAt(at: string | number, timeZone: string): string | undefined {
  const end = new Date(at).getTime()
  const [day = '', time] = clockOf(timeZone)
    .format(end - 1)
    .split(' at ')
  const isMidnight = time === '23:59' && clockOf(timeZone).format(end).endsWith('00:00')
  return isMidnight ? `${day} (${placeOf(timeZone)})` : undefined
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone)
  if (known !== undefined) return known
  const time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  const clock = new Intl.DateTimeFormat(LOCALE, { ...DAY, ...time, timeZone })
  clocks.set(timeZone, clock)
  return clock
}

/** A date without a time, which is the same everywhere: 17 March 1951. */
export function dateText(date: string): string {
  return dates.format(Date.parse(`${date.slice(0, 10)}T00:00:00Z`))
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000]
] as const

/** How far away a moment is: in 3 days, 2 hours ago, this minute. */
export function fromNowText(at: string | number, now: number): string {
  const away = new Date(at).getTime() - now
  const [unit, length] = UNITS.find(([, each]) => Math.abs(away) >= each) ?? []
  return unit === undefined ? thisMinute : distances.format(Math.trunc(away / length), unit)
}

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

const sizes = SIZES.map(
  (unit, power) =>
    new Intl.NumberFormat(LOCALE, {
      style: 'unit',
      unit,
      unitDisplay: power === 0 ? 'long' : 'short',
      maximumFractionDigits: power === 0 ? 0 : 1
    })
)

/** A size as file managers show it: 3.4 MB, with 1,000 bytes to the kilobyte. */
export function bytesText(bytes: number): string {
  const power = Math.min(bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3), SIZES.length - 1)
  return (sizes[power] as Intl.NumberFormat).format(bytes / 1000 ** power)
}

/** London of Europe/London; UTC of UTC. */
const placeOf = (timeZone: string): string =>
  (timeZone.split('/').at(-1) ?? timeZone).replaceAll('_', ' ')
