/** From (inclusive) and to (exclusive), in milliseconds UTC. */
export interface DateRange {
  from?: number
  to?: number
}

const DATE =
  /^([a-z]{2})?(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/

/**
 * The range that a date parameter asks for (FHIR R4, search.html#date): a date stands for the whole
 * of the year, month, day, minute or second it names, in UTC unless it says otherwise, and what
 * happened is a moment within it or not. Undefined when it is no date, or has a prefix that is not
 * offered (`ne`, `ap`).
 */
export function rangeOf(text: string): DateRange | undefined {
  const [, prefix = 'eq', ...parts] = DATE.exec(text) ?? []
  const span = spanOf(parts)
  if (span === undefined) return undefined
  const { start, end } = span
  const ranges: Record<string, DateRange> = {
    eq: { from: start, to: end },
    ge: { from: start },
    gt: { from: end },
    sa: { from: end },
    le: { to: end },
    lt: { to: start },
    eb: { to: start }
  }
  return ranges[prefix]
}

function spanOf(parts: (string | undefined)[]): { start: number; end: number } | undefined {
  const [year, month, day, hour, minute, second, fraction, zone = 'Z'] = parts
  if (year === undefined) return undefined
  const text = `${year}-${month ?? '01'}-${day ?? '01'}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}`
  const local = Date.parse(`${text}Z`)
  // Date.parse lets 31 April pass as 1 May.
  if (Number.isNaN(local) || !new Date(local).toISOString().startsWith(text)) return undefined
  const offset = local - Date.parse(`${text}${zone}`)
  if (Number.isNaN(offset)) return undefined
  const [start, end] = [local, endOf(local, parts)].map(at => at - offset)
  if (start === undefined || end === undefined) return undefined
  if (fraction === undefined) return { start, end }
  // A moment has milliseconds here; what is finer is cut off.
  const milliseconds = fraction.slice(0, 3)
  const unit = 10 ** (3 - milliseconds.length)
  const from = start + Number(milliseconds) * unit
  return { start: from, end: from + unit }
}

/** The first moment after the year, month, day, minute or second that begins at `start`. */
function endOf(start: number, parts: (string | undefined)[]): number {
  const [, month, day, hour, , second] = parts
  const date = new Date(start)
  if (second !== undefined) return start + 1000
  if (hour !== undefined) return start + 60_000
  if (day !== undefined) return date.setUTCDate(date.getUTCDate() + 1)
  if (month !== undefined) return date.setUTCMonth(date.getUTCMonth() + 1)
  return date.setUTCFullYear(date.getUTCFullYear() + 1)
}
