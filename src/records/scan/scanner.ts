import type { ScanSettings, UnscannedPolicy } from '../../config-scan.ts'
import { askClamd, openClamdStream } from './clamd.ts'
import { createSlots } from './slots.ts'
import { TOO_LARGE, type Verdict } from './verdict.ts'
import { inlineScans, notScanned, type ScanWhileSealing } from './while-sealing.ts'

/** The part of the connections that is for the background scan, which uploads must not starve. */
const BACKGROUND_PART = 1 / 4
/** Those who ask how the scanner is share an answer for so long: each asks clamd itself. */
const HEALTH_MILLISECONDS = 5000
/** The makers of ClamAV publish new signatures every day. */
const SIGNATURES_DAYS_MAX = 7
const DAY_MILLISECONDS = 86_400_000

/** What the operator chose. It decides what a verdict means, and is not stored with it. */
export interface ScanPolicy {
  /** Whether there is a scanner at all. Without one nothing but a known infection holds a record. */
  isOn: boolean
  /** What may be shared although it could not be scanned. */
  unscanned: UnscannedPolicy
}

export const WITHOUT_SCANNER: ScanPolicy = Object.freeze({ isOn: false, unscanned: 'release' })

export type ScannerHealth = 'ok' | 'off' | 'failing' | 'signatures are old'

export interface Scanner {
  readonly policy: ScanPolicy
  readonly bytesMax: number
  readonly waitMinutesMax: number
  /** How many objects the background scan may have with clamd at once. */
  readonly backgroundMax: number
  /** Begins the scan of a file that is being uploaded. */
  begin(file: { endToEnd: boolean }): ScanWhileSealing
  /**
   * Scans what is stored: `pull` gives the content piece by piece, each of which stays as it is until
   * the next is asked for. Throws what `pull` throws. Undefined when it was stopped.
   */
  scan(
    bytes: number,
    pull: () => Promise<Buffer | undefined>,
    signal: AbortSignal
  ): Promise<Verdict | undefined>
  /** Whether it answers now. */
  isUp(): Promise<boolean>
  health(): Promise<ScannerHealth>
  /** What clamd says it is; rejects when it does not answer. */
  version(): Promise<string>
}

/** The scanner of these settings, or what stands for one where there is none. */
export function createScanner(settings: ScanSettings | undefined, clock: () => number): Scanner {
  if (settings === undefined) {
    return {
      policy: WITHOUT_SCANNER,
      bytesMax: 0,
      waitMinutesMax: 0,
      backgroundMax: 0,
      begin: notScanned,
      scan: async () => undefined,
      isUp: async () => false,
      health: async () => 'off',
      version: async () => 'no scanner'
    }
  }
  const { clamd, bytesMax, secondsMax, connectionsMax, waitMinutesMax, unscanned } = settings
  const backgroundMax = Math.max(1, Math.floor(connectionsMax * BACKGROUND_PART))
  const slots = createSlots(backgroundMax)
  const uploads = inlineScans(settings, connectionsMax - backgroundMax, clock)
  const version = () => askClamd(clamd, 'VERSION')
  const isUp = () =>
    askClamd(clamd, 'PING').then(
      answer => answer === 'PONG',
      () => false
    )
  return {
    policy: Object.freeze({ isOn: true, unscanned }),
    bytesMax,
    waitMinutesMax,
    backgroundMax,
    begin: uploads.begin,
    version,
    isUp,
    health: sharedHealth(async () => {
      const [isThere, release] = await Promise.all([isUp(), version()])
      if (!isThere) return 'failing'
      return areOld(release, clock()) ? 'signatures are old' : 'ok'
    }),
    async scan(bytes, pull, signal) {
      if (bytes > bytesMax) return TOO_LARGE
      const leave = await slots.take()
      const stream = openClamdStream(clamd, secondsMax)
      signal.addEventListener('abort', stream.abort)
      let isOver = false
      stream.verdict.then(() => {
        isOver = true
      })
      try {
        while (!isOver && !signal.aborted) {
          const piece = await pull()
          if (piece === undefined) break
          await new Promise<void>(sent => stream.write(piece, sent))
        }
        const verdict = await stream.end()
        return signal.aborted ? undefined : verdict
      } finally {
        signal.removeEventListener('abort', stream.abort)
        stream.abort()
        leave()
      }
    }
  }
}

function sharedHealth(ask: () => Promise<ScannerHealth>): () => Promise<ScannerHealth> {
  let askedAt = Number.NEGATIVE_INFINITY
  let answer: Promise<ScannerHealth> = Promise.resolve('failing')
  return () => {
    const now = performance.now()
    if (now - askedAt >= HEALTH_MILLISECONDS) {
      askedAt = now
      answer = ask().catch(() => 'failing')
    }
    return answer
  }
}

/** `ClamAV 1.4.6/27800/Sun Nov 22 08:25:38 2026`; without a database of its makers there is no date. */
function areOld(version: string, now: number): boolean {
  const [, , made] = version.split('/')
  const at = made === undefined ? Number.NaN : Date.parse(`${made} UTC`)
  return now - at > SIGNATURES_DAYS_MAX * DAY_MILLISECONDS
}
