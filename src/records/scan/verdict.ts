import type { ObjectRow } from '../record.ts'

/** Why an object has no verdict of a scanner. `off` is never stored: it is how the service is set. */
export const notScannedReasons = [
  'too-large',
  'timed-out',
  'scanner-down',
  'end-to-end',
  'off'
] as const
export type NotScanned = (typeof notScannedReasons)[number]

/** What came of one scan. Whatever is not plainly one of the first two is the third. */
export type Verdict =
  | { scan: 'clean' }
  | { scan: 'infected'; signature: string }
  | { scan: 'not-scanned'; reason: 'too-large' | 'timed-out' | 'scanner-down' }

/** The columns of an object that tell of its scan. */
export type ScanColumns = Pick<
  ObjectRow,
  'scan' | 'scanReason' | 'scanSignature' | 'scanAt' | 'scanDue' | 'scanTries'
>

/** A stored object that the background scan is to look at as soon as there is a scanner. */
export const notYetScanned: ScanColumns = Object.freeze({
  scan: 'pending',
  scanReason: null,
  scanSignature: null,
  scanAt: null,
  scanDue: 0,
  scanTries: 0
})

/** What its sender encrypted to the specialist: no scanner can ever look into it. */
export const neverScanned: ScanColumns = Object.freeze({
  ...notYetScanned,
  scan: 'not-scanned',
  scanReason: 'end-to-end',
  scanDue: null
})

/** The first columns of an object that was stored without being scanned on its way. */
export function unscannedColumns(object: { endToEnd: boolean }): ScanColumns {
  return object.endToEnd ? neverScanned : notYetScanned
}

export const SCANNER_DOWN: Verdict = { scan: 'not-scanned', reason: 'scanner-down' }
export const TIMED_OUT: Verdict = { scan: 'not-scanned', reason: 'timed-out' }
export const TOO_LARGE: Verdict = { scan: 'not-scanned', reason: 'too-large' }

const SIGNATURE_CHARACTERS_MAX = 200
const LIMITS_EXCEEDED = 'Heuristics.Limits.Exceeded'

/**
 * Reads clamd's answer to INSTREAM (clamd(8), "z" form: it ends with one zero byte). Only the exact
 * words of a finished scan of everything we sent count; what is garbled, early or doubled is no
 * verdict. With AlertExceedsMax a file past clamd's limits is "found" as Heuristics.Limits.Exceeded,
 * which says that it was not scanned, and not that anything is in it.
 */
export function readReply(reply: string, isAllSent: boolean): Verdict {
  const line = reply.indexOf('\0') === reply.length - 1 ? reply.slice(0, -1) : ''
  if (line === 'INSTREAM size limit exceeded. ERROR') return TOO_LARGE
  if (!isAllSent) return SCANNER_DOWN
  if (line === 'stream: OK') return { scan: 'clean' }
  const [, found] = /^stream: ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?) FOUND$/.exec(line) ?? []
  if (found === undefined) return SCANNER_DOWN
  if (found.startsWith(LIMITS_EXCEEDED)) {
    return found.includes('ScanTime') ? TIMED_OUT : TOO_LARGE
  }
  return { scan: 'infected', signature: signatureName(found) }
}

/** The name as it may stand in the access log and in an answer, whoever wrote the signatures. */
function signatureName(found: string): string {
  return found.replace(/[^A-Za-z0-9._:/()+-]/g, '?').slice(0, SIGNATURE_CHARACTERS_MAX)
}
