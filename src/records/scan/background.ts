import type { AuditEvent } from '../../audit/log.ts'
import { recordScanBegun } from '../../audit/sealed-copies.ts'
import { isErased, knownCase } from '../../cases/case.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { openContent } from '../content.ts'
import {
  aboutRecord,
  type ObjectRow,
  openRecordKey,
  type RecordInCase,
  recordsById,
  segmentRows
} from '../record.ts'
import {
  countWaiting,
  dueObjects,
  findDue,
  makeTooLargeDue,
  pendingObjects,
  setDue,
  setVerdict
} from './queries.ts'
import { neverScanned, SCANNER_DOWN, type ScanColumns, type Verdict } from './verdict.ts'

const INTERVAL_MILLISECONDS = 2000
const MINUTE_MILLISECONDS = 60_000
/** Objects looked for in one go. */
const BATCH = 64
/** Objects given up waiting for in one go, while the scanner is down. */
const WAITING_BATCH = 500
/** A scan that came to nothing is tried again after one minute, two, four … up to an hour. */
const RETRY_MINUTES_MAX = 60
/** An object that takes the scanner too long so many times will always do so. */
const TIMED_OUT_TRIES_MAX = 5

type Parts = Pick<
  Exchange,
  'database' | 'blobs' | 'keyring' | 'audit' | 'clock' | 'log' | 'scanner'
>

/**
 * Scans what was stored without a verdict: what came by another way than a form, while the scanner was
 * down, or faster than it could look, and everything there is once a service gets a scanner. Bounded,
 * and safe to stop and to repeat at any point: an object stays due until its verdict is stored, and
 * the blob of an infected one until it is removed.
 */
export function scanWaiting(exchange: Exchange): { stop(): Promise<void> } {
  const { scanner, database, log } = exchange
  if (!scanner.policy.isOn) return { stop: async () => {} }
  const stopping = new AbortController()
  const round = () =>
    scanRound(exchange, stopping.signal).catch(err =>
      log.error({ err }, 'the background scan failed and will be tried again')
    )
  let isRunning = true
  let running: Promise<unknown> = database
    .write(tx => makeTooLargeDue(tx, scanner.bytesMax))
    .then(round, round)
    .finally(() => {
      isRunning = false
    })
  const timer = setInterval(() => {
    if (isRunning) return
    isRunning = true
    running = round().finally(() => {
      isRunning = false
    })
  }, INTERVAL_MILLISECONDS)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await running
    }
  }
}

/** Sees to everything that is due now. Resolves to how many objects got a verdict. */
export async function scanRound(
  exchange: Parts,
  signal: AbortSignal = new AbortController().signal
): Promise<number> {
  const { scanner, database, clock } = exchange
  let done = 0
  for (;;) {
    if (!(await scanner.isUp())) {
      await giveUpWaiting(exchange)
      return done
    }
    const due = await dueObjects(database.read, clock(), BATCH)
    const before = done
    let isDown = false
    const next = due.values()
    const work = async () => {
      for (const { id } of next) {
        if (signal.aborted || isDown) return
        const end = await seeTo(exchange, id, signal)
        if (end === 'settled') done += 1
        // The others need not each find out, and leave two events of it.
        if (end === 'scanner-down') isDown = true
      }
    }
    const ends = await Promise.allSettled(Array.from({ length: scanner.backgroundMax }, work))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    // Those that are left are with other processes, or were put off.
    if (signal.aborted || isDown || done === before) return done
  }
}

/** How it went with one object. What is `left` is with another process, or put off. */
type End = 'settled' | 'left' | 'scanner-down'

/** One object, unless another process has it or has done it. */
async function seeTo(exchange: Parts, id: string, signal: AbortSignal): Promise<End> {
  const { database, clock, log } = exchange
  const giveBack = await database.takePlace(`scan ${id}`, 1)
  if (giveBack === undefined) return 'left'
  try {
    const [object] = await findDue(database.read, { id, now: clock() })
    if (object === undefined) return 'left'
    try {
      return await settle(exchange, object, signal)
    } catch (err) {
      if (err instanceof Refusal && err.code !== 'object-damaged') throw err
      // Its row, blob or key is no good: for the check of the exchange to tell, and not for a scan.
      log.error({ err, object: id }, 'an object could not be scanned')
      await database.write(tx => setDue(tx, id, retryAt(object, clock()), object.scanTries + 1))
      return 'left'
    }
  } finally {
    giveBack()
  }
}

async function settle(exchange: Parts, object: ObjectRow, signal: AbortSignal): Promise<End> {
  if (object.scan === 'infected') {
    await removeInfected(exchange, object)
    return 'settled'
  }
  const found = await recordOfObject(exchange, object)
  if (isErased(found.record)) {
    await exchange.database.write(tx => setDue(tx, object.id, null, object.scanTries))
    return 'settled'
  }
  if (object.endToEnd) {
    await store(exchange, object, found, neverScanned)
    return 'settled'
  }
  const verdict = await scanStored(exchange, object, found, signal)
  if (verdict === undefined) return 'left'
  const columns = columnsOf(exchange, object, verdict)
  const isStored = await store(exchange, object, found, columns)
  if (verdict.scan === 'infected' && isStored) {
    exchange.log.warn({ object: object.id }, 'an infected file was found and is being removed')
    await removeInfected(exchange, object)
  }
  return columns.scanReason === 'scanner-down' || columns.scan === 'pending'
    ? 'scanner-down'
    : 'settled'
}

/** Undefined when it was stopped half-way. */
async function scanStored(
  exchange: Parts,
  object: ObjectRow,
  found: RecordInCase,
  signal: AbortSignal
): Promise<Verdict | undefined> {
  const { scanner, blobs, audit, keyring } = exchange
  if (object.bytes > scanner.bytesMax) return await scanner.scan(object.bytes, noContent, signal)
  const recordKey = await openRecordKey(keyring, found)
  const receipt = await recordScanBegun(audit, aboutObject(object, found))
  const source = { organisationId: found.case.organisationId, recordKey, object }
  const content = await openContent(blobs, receipt, source, { start: 0, end: object.bytes })
  try {
    return await scanner.scan(object.bytes, content.pull, signal)
  } finally {
    await content.close()
  }
}

const noContent = async () => undefined

async function recordOfObject({ database }: Parts, object: ObjectRow): Promise<RecordInCase> {
  const [record] = await recordsById(database.read, [object.recordId])
  if (record === undefined) throw new Error('An object is of a record that is not there.')
  return { record, case: await knownCase(database.read, record.caseId) }
}

/** What the row is to say after a scan, and when it is to be scanned again, if ever. */
function columnsOf(exchange: Parts, object: ObjectRow, verdict: Verdict): ScanColumns {
  const now = exchange.clock()
  const base = { scanReason: null, scanSignature: null, scanAt: now, scanTries: object.scanTries }
  if (verdict.scan === 'clean') return { ...base, scan: 'clean', scanDue: null }
  if (verdict.scan === 'infected') {
    // Due until its blob is removed.
    return { ...base, scan: 'infected', scanSignature: verdict.signature, scanDue: now }
  }
  const scanTries = object.scanTries + 1
  const scanReason = verdict.reason
  const again = { ...base, scanTries, scanDue: retryAt(object, now) }
  switch (scanReason) {
    case 'too-large':
      return { ...base, scan: 'not-scanned', scanReason, scanDue: null }
    case 'timed-out': {
      const isLast = scanTries >= TIMED_OUT_TRIES_MAX
      return { ...again, scan: 'not-scanned', scanReason, ...(isLast && { scanDue: null }) }
    }
    case 'scanner-down': {
      const since = object.scanAt ?? now
      const isKnown = object.scan === 'not-scanned'
      if (isKnown || now - since >= exchange.scanner.waitMinutesMax * MINUTE_MILLISECONDS) {
        return { ...again, scan: 'not-scanned', scanReason: object.scanReason ?? scanReason }
      }
      return { ...again, scan: 'pending', scanAt: since }
    }
  }
}

function retryAt(object: ObjectRow, now: number): number {
  const minutes = Math.min(2 ** Math.min(object.scanTries, 10), RETRY_MINUTES_MAX)
  return now + minutes * MINUTE_MILLISECONDS
}

/** The verdict and its event, together. False when it is known to be infected, or is not `still` this. */
function store(
  { database, audit }: Parts,
  object: ObjectRow,
  found: RecordInCase,
  columns: ScanColumns,
  still?: 'pending'
): Promise<boolean> {
  return database.write(async tx => {
    const stored = await setVerdict(tx, object.id, columns, still)
    if (stored.length === 0) return false
    // That it was tried in vain once more is in the operator's log, and on this one as begun.
    const isNews = columns.scan !== 'pending' && !isSame(object, columns)
    if (isNews) await audit.append(tx, { ...aboutObject(object, found), ...toldOf(columns) })
    return true
  })
}

const isSame = (object: ObjectRow, columns: ScanColumns): boolean =>
  object.scan === columns.scan && object.scanReason === columns.scanReason

function toldOf({ scan, scanReason, scanSignature }: ScanColumns) {
  const details = {
    by: 'service',
    stage: 'ended',
    verdict: scan,
    ...(scanReason !== null && { reason: scanReason }),
    ...(scanSignature !== null && { signature: scanSignature })
  }
  if (scan === 'infected') {
    const refused = { outcome: 'refused', code: 'file-infected' } as const
    return { action: 'object.scan', ...refused, details } as const
  }
  const outcome = scan === 'clean' ? 'success' : 'failed'
  return { action: 'object.scan', outcome, details } as const
}

function aboutObject(
  object: ObjectRow,
  found: RecordInCase
): Omit<AuditEvent, 'action' | 'outcome' | 'details'> {
  return { ...aboutRecord(found), objectId: object.id }
}

/** The row stays, with its digest. If it stops before the end, the next round removes it again. */
async function removeInfected(
  { blobs, database }: Parts,
  { id, blob, scanTries }: ObjectRow
): Promise<void> {
  const segments = await segmentRows(database.read, id)
  for (const name of [blob, ...segments.map(row => row.blob)]) {
    if (name !== null) await blobs.remove(name)
  }
  await database.write(tx => setDue(tx, id, null, scanTries))
}

/**
 * While the scanner does not answer: begins to count how long each pending object has waited, and
 * gives the policy the word on those that still wait, and long enough. They stay due.
 */
async function giveUpWaiting(exchange: Parts): Promise<void> {
  const { database, clock, scanner } = exchange
  const now = clock()
  const uncounted = await pendingObjects(database.read, 'uncounted', WAITING_BATCH)
  if (uncounted.length > 0) {
    const ids = uncounted.map(({ id }) => id)
    await database.write(tx => countWaiting(tx, ids, now))
  }
  const before = now - scanner.waitMinutesMax * MINUTE_MILLISECONDS
  for (const object of await pendingObjects(database.read, before, WAITING_BATCH)) {
    const columns = columnsOf(exchange, object, SCANNER_DOWN)
    await store(exchange, object, await recordOfObject(exchange, object), columns, 'pending')
  }
}
