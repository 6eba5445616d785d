import { randomUUID } from 'node:crypto'
import { openDisclosures } from '../audit/disclosures.ts'
import { recordCopyBegun } from '../audit/sealed-copies.ts'
import { NOTE_BYTES_MAX } from '../audit/tlog/note.ts'
import { readText } from '../audit/verify/directory.ts'
import type { Findings, Progress, Summary } from '../audit/verify/findings.ts'
import type { Config } from '../config.ts'
import { openSqliteSnapshot } from '../database/sqlite.ts'
import { openSqliteRows } from '../database/sqlite-rows.ts'
import { checkStored, type Faults } from '../housekeeping/check-exchange.ts'
import { dataPaths, openBlobs, openMarkedData, requireAlone } from '../open-data.ts'
import type { Arriving } from '../uploads/arriving.ts'
import { readBrought } from './brought.ts'
import { MoveError } from './move-error.ts'
import { type MovedMark, writeMark } from './move-marks.ts'
import { moveObjects } from './move-objects.ts'
import {
  fenceSource,
  lookAtSource,
  type MoveSource,
  type SourceState,
  takeSource,
  verifySource
} from './move-source.ts'
import {
  lookAtTarget,
  type MoveTarget,
  openToServices,
  putKeys,
  putRows,
  requireContinued,
  requireEmptyStore,
  type TargetPlace,
  takeTarget
} from './move-target.ts'
import { ownedObjects } from './queries.ts'

export interface MoveParts {
  /** The data as they are used now: SQLite and disk. */
  from: Config
  to: TargetPlace
  /**
   * `look` writes nothing but the small object by which a bucket is tried. `objects` copies objects while the service goes on, so that less is
   * left to do without it. `all` needs the service stopped.
   */
  extent: 'look' | 'objects' | 'all'
  /** Objects that are missing or damaged do not stop the move; those that can be are copied. */
  withFaults: boolean
  findings: Findings
  tell: {
    step(sentence: string): void
    objects(done: number, of: number, bytes: number, bytesOf: number, copied: number): void
    rows(done: number, of: number): void
    events: Progress
  }
  signal: AbortSignal
}

export interface Moved {
  objects: number
  bytes: number
  rows: number
  events: number
  /** What is left behind, because it is still arriving. */
  arriving: Arriving
  /** Objects that do not open where they are now. */
  faults: number
  /** What was found at the target. Undefined when the move has not come so far. */
  checked?: { log: Summary; faults: Faults }
}

/**
 * Moves an exchange from SQLite and disk to PostgreSQL, S3 or both, with its keys and its log: same
 * origin, same tree, so every checkpoint and receipt stays good. Objects go first, then the source is
 * fenced, then all rows go at once, and then everything is checked where it is. Killed at any point,
 * it goes on when it is run again. Until it has ended no service starts at the target, and from the
 * fence on none at the source: its log goes on in one place. Throws MoveError.
 */
export async function moveStore(parts: MoveParts): Promise<Moved> {
  requireApart(parts)
  const { extent, to, tell } = parts
  const source = await takeSource(parts.from, extent === 'all')
  try {
    if (extent !== 'objects') {
      tell.step('Verifying the access log …')
      await verifySource(source, parts.findings, tell.events)
    }
    if (extent === 'look') return await lookOnly(parts, source)
    const { last } = await lookAtSource(source)
    const begins = { id: randomUUID(), log: source.log, begun: new Date().toISOString() }
    const target = await takeTarget(to, source, last, begins)
    try {
      return await fill(parts, source, target)
    } finally {
      await target.close()
    }
  } finally {
    source.release()
  }
}

function requireApart({ from, to }: MoveParts): void {
  const { dataDirectory, databaseUrl, s3 } = to.config
  if (databaseUrl === undefined && s3 === undefined) {
    throw new MoveError('The settings name neither a PostgreSQL database nor a bucket to move to.')
  }
  if (dataDirectory === from.dataDirectory) {
    throw new MoveError('CONSILIUM_DATA must be another directory than --from.')
  }
}

async function lookOnly(parts: MoveParts, source: MoveSource): Promise<Moved> {
  const { mark, hasRows } = await lookAtTarget(parts.to, source)
  if (parts.to.config.s3 !== undefined) {
    const blobs = await openBlobs(parts.to.config)
    if (mark === undefined) await requireEmptyStore(blobs).finally(() => blobs.close())
    else await blobs.close()
  }
  if (hasRows) parts.tell.step('An earlier run has brought the rows; what is left is the check.')
  return { ...(await countSource(source)), faults: 0 }
}

async function countSource(source: MoveSource): Promise<Omit<Moved, 'faults'>> {
  const { last, objects, bytes, arriving } = await lookAtSource(source)
  const rows = openSqliteRows(source.database)
  rows.close()
  return { objects, bytes, arriving, rows: rows.count, events: (last?.idx ?? -1) + 1 }
}

async function fill(parts: MoveParts, source: MoveSource, target: MoveTarget): Promise<Moved> {
  const faults = await bringObjects(parts, source, target)
  const counts = await countSource(source)
  if (parts.extent === 'objects') return { ...counts, faults }
  if (faults > 0 && !parts.withFaults) {
    throw new MoveError(
      `${faults} objects are missing or damaged, and are named above. Mend them, or move the rest with --with-faults.`
    )
  }
  if (!target.isLoaded) await bringRows(parts, source, target)
  const checked = await checkTarget(parts, source, target, counts)
  return { ...counts, faults, checked }
}

/**
 * The beginning goes on the log where that goes on: on the one that is left, to be moved with it, and
 * once that has been moved, on the other.
 */
async function bringObjects(
  parts: MoveParts,
  source: MoveSource,
  target: MoveTarget
): Promise<number> {
  const { tell, findings } = parts
  tell.step('Copying objects …')
  const data = await openMarkedData(target.isLoaded ? parts.to.config : source.config)
  const from = await openBlobs(source.config)
  const snapshot = openSqliteSnapshot(source.database)
  try {
    const { objects, bytes } = await lookAtSource(source)
    await requireRoom(target, bytes, parts.to.config)
    const receipt = await recordCopyBegun(data.audit, 'data.move', { objects, bytes })
    const done = { objects: 0, bytes: 0, copied: 0 }
    return await moveObjects(
      {
        from,
        to: target.blobs,
        keyring: data.keyring,
        receipt,
        withFaults: parts.withFaults && parts.extent === 'all',
        fault: findings.fault,
        brought: await readBrought(parts.to.config.dataDirectory),
        moved(size, wasThere) {
          done.objects += 1
          done.bytes += size
          if (!wasThere) done.copied += size
          tell.objects(done.objects, objects, done.bytes, bytes, done.copied)
        },
        signal: parts.signal
      },
      ownedObjects(snapshot.read)
    )
  } finally {
    await snapshot.close()
    await from.close()
    await data.close()
  }
}

async function requireRoom({ blobs }: MoveTarget, bytes: number, { limits }: Config) {
  const there = { bytes: 0 }
  for await (const blob of blobs.list()) there.bytes += blob.bytes
  if ((await blobs.freeBytes()) + there.bytes >= bytes + limits.freeBytesMin) return
  throw new MoveError('There is no room for the objects at the target.')
}

async function bringRows(
  { to, tell, signal }: MoveParts,
  source: MoveSource,
  { mark }: MoveTarget
): Promise<void> {
  if (signal.aborted) throw new MoveError('The move was stopped. Run it again to go on.')
  tell.step('Copying rows …')
  const held = await fenceSource(source, { ...mark, to: placesOf(to.config) })
  try {
    const copy = await readText(dataPaths(source.directory).checkpoint, NOTE_BYTES_MAX)
    await putKeys(source, to.config, copy)
    await putRows(source, to, tell.rows)
  } finally {
    held.release()
  }
  await requireContinued(to.config, (await lookAtSource(source)).last)
}

/** Where the data went, without anything secret. */
function placesOf({ dataDirectory, databaseUrl, s3 }: Config): MovedMark['to'] {
  const { host = '', pathname = '' } = databaseUrl === undefined ? {} : new URL(databaseUrl)
  return {
    directory: dataDirectory,
    ...(databaseUrl !== undefined && { database: `${host}${pathname}` }),
    ...(s3 !== undefined && { bucket: s3.bucket, prefix: s3.prefix })
  }
}

/**
 * Checks all that is at the target, and opens it to services when it is whole. What is wrong keeps
 * it closed, and the next run checks again.
 */
async function checkTarget(
  parts: MoveParts,
  source: MoveSource,
  target: MoveTarget,
  counts: Pick<Moved, 'objects' | 'bytes' | 'rows' | 'arriving'>
): Promise<{ log: Summary; faults: Faults }> {
  const { findings, tell, to, withFaults } = parts
  tell.step('Checking the log, and every object, where they are now …')
  const { older }: SourceState = await lookAtSource(source)
  const data = await openMarkedData(to.config)
  const disclosures = openDisclosures(data.database, data.audit, data.clock)
  try {
    await requireAlone(data)
    await disclosures.recover()
    const exchange = { ...data, blobs: target.blobs, disclosures }
    const told = findings.faults()
    const checked = await checkStored(exchange, older, findings, tell.events)
    const isExcused = (fault: string) => withFaults && /^Object /.test(fault)
    const isWhole = checked.faults.every(isExcused) && findings.faults() === told
    if (!isWhole) return checked
    const { objects, bytes, rows, arriving } = counts
    const draftsLeftOut = arriving.drafts
    const stage = 'complete'
    const details = { by: 'operator console', stage, objects, bytes, rows, draftsLeftOut }
    await data.database.write(tx =>
      data.audit.append(tx, { action: 'data.move', outcome: 'success', details })
    )
    const ended = new Date(data.clock()).toISOString()
    await writeMark(source.directory, 'moved', {
      ...target.mark,
      to: placesOf(to.config),
      ended
    })
    await openToServices(to.config)
    return checked
  } finally {
    await disclosures.close()
    await data.close()
  }
}
