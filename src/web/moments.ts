const LOCALE = 'en-GB'

/** A moment as its reader's clock shows it, with the place whose clock it is: 3 May 2026, 14:03 (London). */
export function momentText(at: string | number, timeZone: string): string {
  const text = new Intl.DateTimeFormat(LOCALE, {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone
  }).format(new Date(at))
  return `${text.replace(' at ', ', ')} (${placeOf(timeZone)})`
}

/** The day that is over at a moment, where it is midnight just then: 2 May 2026 (London). */
export function dayEndedAt(at: string | number, timeZone: string): string | undefined {
  const end = new Date(at)
  const time = new Intl.DateTimeFormat(LOCALE, { timeStyle: 'medium', timeZone }).format(end)
  if (time !== '00:00:00') return undefined
  const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'long', timeZone }).format(
    end.getTime() - 1
  )
  return `${day} (${placeOf(timeZone)})`
}

/** A date without a time, which is the same everywhere: 17 March 1951. */
export function dateText(date: string): string {
  return new Intl.DateTimeFormat(LOCALE, {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC'
  }).format(Date.parse(`${date.slice(0, 10)}T00:00:00Z`))
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000]
] as const

/** How far away a moment is: in 3 days, 2 hours ago, this minute. */
export function fromNowText(at: string | number, now: number): string {
  const away = new Date(at).getTime() - now
  const found = UNITS.find(([, each]) => Math.abs(away) >= each)
  if (found === undefined) {
    return new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto' }).format(0, 'minute')
  }
  const [unit, length] = found
  return new Intl.RelativeTimeFormat(LOCALE, { numeric: 'always' }).format(
    Math.trunc(away / length),
    unit
  )
}

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** A size as file managers show it: 3.4 MB, with 1,000 bytes to the kilobyte. */
export function bytesText(bytes: number): string {
  const power = Math.min(bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3), SIZES.length - 1)
  return new Intl.NumberFormat(LOCALE, {
    style: 'unit',
    unit: SIZES[power] ?? 'byte',
    unitDisplay: power === 0 ? 'long' : 'short',
    maximumFractionDigits: power === 0 ? 0 : 1
  }).format(bytes / 1000 ** power)
}

/** London of Europe/London; UTC of UTC. */
const placeOf = (timeZone: string): string =>
  (timeZone.split('/').at(-1) ?? timeZone).replaceAll('_', ' ')
