import parseRange from 'range-parser'

/** What a request asks of content whose bytes never change. */
export type Plan =
  | { status: 200 | 206; start: number; end: number }
  | { status: 304 }
  | { status: 416 }

interface Asked {
  range?: string | undefined
  'if-range'?: string | undefined
  'if-none-match'?: string | undefined
}

/**
 * Conditional and range requests (RFC 9110, sections 13.2.2 and 14.2) for an object with a strong
 * entity tag. `end` is exclusive. More than one range is answered with the whole, which section
 * 14.2 allows.
 */
export function planResponse(asked: Asked, etag: string, bytes: number): Plan {
  if (names(asked['if-none-match'], etag)) return { status: 304 }
  const whole = { status: 200, start: 0, end: bytes } as const
  // "If-Range" needs a strong match; a date never matches, because we give none.
  if (asked.range === undefined) return whole
  if (asked['if-range'] !== undefined && asked['if-range'].trim() !== etag) return whole
  const ranges = parseRange(bytes, asked.range)
  if (ranges === -2) return whole
  if (ranges === -1) return { status: 416 }
  const [range] = ranges
  if (ranges.type !== 'bytes' || ranges.length !== 1 || range === undefined) return whole
  return { status: 206, start: range.start, end: range.end + 1 }
}

/** Weak comparison, as If-None-Match asks for (RFC 9110, section 13.1.2). */
function names(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const tags = header.split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}
