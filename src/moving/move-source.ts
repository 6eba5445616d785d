import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NOTE_BYTES_MAX } from '../audit/tlog/note.ts'
import { logState } from '../audit/tree/log-state.ts'
import { readText, verifyDirectory } from '../audit/verify/directory.ts'
import type { Findings, Progress } from '../audit/verify/findings.ts'
import type { Config } from '../config.ts'
import { markPath } from '../data-marks.ts'
import { lockForService, openSqliteSnapshot } from '../database/sqlite.ts'
import { holdSqlite } from '../database/sqlite-copy.ts'
import { dataPaths, readSigningKeys } from '../open-data.ts'
import { checkedKeyring, openKeyring } from '../open-keyring.ts'
import { type Arriving, countArriving } from '../uploads/arriving.ts'
import { MoveError } from './move-error.ts'
import { type MovedMark, readMark, writeMark } from './move-marks.ts'
import { type LastEvent, lastEvent, sumObjects } from './queries.ts'

/** A SQLite + disk installation that is to be left. */
export interface MoveSource {
  config: Config
  directory: string
  database: string
  /** The name of its log. */
  log: string
  /** Of an earlier run that came as far as the rows. */
  moved: MovedMark | undefined
  release(): void
}

/**
 * Takes the data for itself: while they are `held`, no service, backup or rotation of keys runs on
 * them. Otherwise they are only looked at. Throws MoveError.
 */
export async function takeSource(config: Config, isHeld: boolean): Promise<MoveSource> {
  const directory = config.dataDirectory
  const { database, lock, rotationLock } = dataPaths(directory)
  if (!existsSync(database)) {
    throw new MoveError('There is no consilium.db there. Only SQLite data can be moved.')
  }
  for (const mark of ['restoring', 'moving'] as const) {
    if (!existsSync(markPath(directory, mark))) continue
    throw new MoveError('What is there is not whole: a restore or a move into it has not ended.')
  }
  const held: { release(): void }[] = []
  const release = () => {
    for (const one of held.splice(0)) one.release()
  }
  try {
    for (const path of isHeld ? [lock, join(directory, 'backup.lock'), rotationLock] : []) {
      const taken = lockForService(path)
      if (taken === undefined) {
        throw new MoveError('A service, a backup or a rotation of keys runs there. Stop it first.')
      }
      held.push(taken)
    }
    const log = (await readSigningKeys(config)).log.origin
    const moved = (await readMark(directory, 'moved')) as MovedMark | undefined
    return { config, directory, database, log, moved, release }
  } catch (err) {
    release()
    throw err
  }
}

/** Checks the log as the verifier does. Throws MoveError when it, or the schema, is not as signed. */
export async function verifySource(
  { config, directory }: MoveSource,
  findings: Findings,
  progress: Progress
): Promise<void> {
  const keyring = await checkedKeyring(config.keyring, () =>
    openKeyring(config.keyring, dataPaths(directory).keyring)
  )
  try {
    await verifyDirectory(directory, { vkeys: [], older: [], keyring }, findings, progress)
  } finally {
    keyring.close()
  }
  if (findings.faults() === 0) return
  throw new MoveError('The access log is not the one that was signed. Nothing was moved.')
}

export interface SourceState {
  last: LastEvent | undefined
  objects: number
  bytes: number
  /** What is left behind, because it is still arriving. */
  arriving: Arriving
  /** Checkpoints that the log must continue wherever it is. */
  older: { name: string; note: string }[]
}

/** What is to be found again on the other side. */
export async function lookAtSource({ directory, database }: MoveSource): Promise<SourceState> {
  const copy = await readText(dataPaths(directory).checkpoint, NOTE_BYTES_MAX)
  const { read, close } = openSqliteSnapshot(database)
  try {
    const { checkpoint: row } = await logState(read)
    const older = [
      { name: 'The checkpoint in the database that was left', note: row },
      { name: 'The copy of the checkpoint that was left', note: copy }
    ]
    return {
      last: await lastEvent(read),
      ...(await sumObjects(read)),
      arriving: await countArriving(read, Date.now()),
      older: older.flatMap(({ name, note }) => (note === undefined ? [] : [{ name, note }]))
    }
  } finally {
    await close()
  }
}

/**
 * Marks the data, so that no service and no script begins to use them, and then keeps whoever has them
 * open from writing. If it stops afterwards the mark stays: the log may be about to go on elsewhere.
 */
export async function fenceSource(
  { directory, database }: MoveSource,
  mark: MovedMark
): Promise<{ release(): void }> {
  await writeMark(directory, 'moved', mark)
  const held = holdSqlite(database)
  if (held !== undefined) return held
  throw new MoveError('Somebody is writing to the database. End every script, and run it again.')
}
