// Days as people count them: in the time zone of their organisation.

const HOUR_MILLISECONDS = 3_600_000
const DAY_MILLISECONDS = 24 * HOUR_MILLISECONDS
/** Zones lie between UTC-12 and UTC+14: a day of any of them ends between these, from its UTC start. */
const EARLIEST_END_HOURS = 9
const LATEST_END_HOURS = 37

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit'
    })
    formats.set(zone, format)
  }
  return format
}

/** The day, as YYYY-MM-DD, that a moment (milliseconds UTC) is in. */
export function dayIn(zone: string, at: number): string {
  // Whole, as dd/mm/yyyy: taking a date apart by name takes longer than telling it.
  const [day, month, year] = formatOf(zone).format(at).split('/')
  return `${year?.padStart(4, '0')}-${month}-${day}`
}

/**
 * The first moment (milliseconds UTC) after a day of this zone. Found by halving, so whatever the
 * zone's clocks do that night, a day is over when its date no longer shows.
 */
export function dayEnds(zone: string, date: string): number {
  let before = Date.parse(date) + EARLIEST_END_HOURS * HOUR_MILLISECONDS
  let after = Date.parse(date) + LATEST_END_HOURS * HOUR_MILLISECONDS
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (dayIn(zone, middle) > date) after = middle
    else before = middle
  }
  return after
}

/** Whole days from one date to another. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY_MILLISECONDS)
}

/** Whether this is the name of a zone, as the IANA database has it, and not a bare offset. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name)) return false
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}
