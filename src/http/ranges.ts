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
  return planRange(asked.range, bytes) ?? whole
}

/** A range of bytes (RFC 9110, section 14.1.2), or undefined for anything that is not just one. */
function planRange(text: string, bytes: number): Plan | undefined {
  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(text) ?? []
  if (first === undefined || last === undefined || first + last === '') return undefined
  if (first === '') {
    // A suffix longer than the content means all of it.
    const start = Math.max(0, bytes - Number(last))
    return start < bytes ? { status: 206, start, end: bytes } : { status: 416 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= bytes) return { status: 416 }
  return { status: 206, start, end: last === '' ? bytes : Math.min(Number(last) + 1, bytes) }
}

/** Weak comparison, as If-None-Match asks for (RFC 9110, section 13.1.2). */
function names(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const tags = header.split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}
