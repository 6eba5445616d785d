import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { Id } from '../../schemas/common.ts'
import { RecordFields } from '../../schemas/record.ts'
import { replacePrivateFile } from '../sealing/private-file.ts'
import { Ending } from './ending.ts'
import { lock } from './lock.ts'

const StateFile = Type.Object({
  path: Type.String(),
  inFolder: Type.String(),
  bytes: Type.Integer(),
  changedMilliseconds: Type.Number(),
  /** stored or refused by the service, or skipped here; absent while that is open. */
  outcome: Type.Optional(Type.Enum(['stored', 'refused', 'skipped'] as const)),
  object: Type.Optional(Id),
  /** Of what was sent; with --seal that is not the file itself. */
  sha256: Type.Optional(Type.String()),
  plainSha256: Type.Optional(Type.String()),
  /** Where a DICOM file belongs, by its header. */
  study: Type.Optional(Type.String()),
  series: Type.Optional(Type.String()),
  code: Type.Optional(Type.String()),
  why: Type.Optional(Type.String())
})
type StateFile = Type.Static<typeof StateFile>
/** One file of a record, and what became of it. */
export type SentFile = StateFile

const StateRecord = Type.Object({
  /** For this file alone: names where it is sealed. */
  id: Id,
  kind: RecordFields.properties.kind,
  title: RecordFields.properties.title,
  date: Type.String(),
  files: Type.Array(StateFile),
  /** The draft that it is sent into, if it is. */
  draft: Type.Optional(Id),
  /** A form of it was cut off, so that it is better sent as a draft. */
  cut: Type.Optional(Type.Boolean()),
  /** What it became. More than one only if files were left over of a request whose answer was lost. */
  records: Type.Array(Id),
  duplicates: Type.Optional(Type.Integer()),
  quarantine: Type.Optional(Type.String()),
  patientMatch: Type.Optional(Type.String()),
  done: Type.Boolean()
})
/** One record, and how far it is. */
export type SentRecord = Type.Static<typeof StateRecord>

const Stored = Type.Object({
  consiliumSend: Type.Literal(1),
  service: Type.String(),
  case: Id,
  /** Whom it is sealed to: a run with another recipient must not go on with it. */
  sealedTo: Type.Optional(Type.String()),
  begun: Type.String(),
  records: Type.Array(StateRecord)
})
type Stored = Type.Static<typeof Stored>

const SAVE_MILLISECONDS_MIN = 2000
const STATE_BYTES_MAX = 1024 ** 3

/** What a run is for. A state file of another belongs to another run. */
export type Purpose = Pick<Stored, 'service' | 'case' | 'sealedTo'>

/**
 * What was sent so far, beside the folder and readable by its user alone: it holds names of files,
 * and never a key or a token. Nothing is sent twice even when it is old, because a record that it
 * does not know of is looked for by its digests first (find-sent.ts); it only saves looking.
 */
export interface State {
  records: SentRecord[]
  begun: string
  /** There was a run before, of which the end is not known. */
  resumed: boolean
  /** Writes it down, not more often than is useful. */
  noteSoon(): Promise<void>
  /** Writes it down, durably. */
  note(): Promise<void>
  /** Lets go of it. */
  close(): Promise<void>
}

export function statePath(folder: string, caseId: string): string {
  const root = resolve(folder)
  return join(dirname(root), `${basename(root)}.consilium-${caseId.slice(-12)}.json`)
}

/** Throws Ending when another run has it, it is of another purpose, or it cannot be read. */
export async function openState(path: string, purpose: Purpose, now: Date): Promise<State> {
  const release = await lock(`${path}.lock`, 'give another place with --state')
  try {
    const found = await readState(path, purpose)
    const stored: Stored = found ?? {
      consiliumSend: 1,
      ...purpose,
      begun: now.toISOString(),
      records: []
    }
    return stateOn(path, stored, found !== undefined, release)
  } catch (err) {
    await release()
    throw err
  }
}

function stateOn(path: string, stored: Stored, resumed: boolean, release: () => Promise<void>) {
  let saved = performance.now()
  let writing: Promise<void> = Promise.resolve()
  const note = () => {
    saved = performance.now()
    // One after the other: the last to be written must be the latest.
    writing = writing.then(() => write(path, stored))
    return writing
  }
  const state: State = {
    records: stored.records,
    begun: stored.begun,
    resumed,
    note,
    async noteSoon() {
      if (performance.now() - saved > SAVE_MILLISECONDS_MIN) await note()
    },
    async close() {
      await note().finally(release)
    }
  }
  return state
}

function write(path: string, stored: Stored): Promise<void> {
  return replacePrivateFile(path, `${JSON.stringify(stored)}\n`).catch(
    (err: NodeJS.ErrnoException) => {
      throw new Ending(
        'usage',
        `The state file cannot be written (${err.code}): give another place with --state.`
      )
    }
  )
}

async function readState(path: string, purpose: Purpose): Promise<Stored | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return undefined
  if (found.size > STATE_BYTES_MAX) throw notAState(path)
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch {
    throw notAState(path)
  }
  if (!Value.Check(Stored, value)) throw notAState(path)
  const isOfAnother =
    value.service !== purpose.service ||
    value.case !== purpose.case ||
    value.sealedTo !== purpose.sealedTo
  if (isOfAnother) {
    throw new Ending(
      'usage',
      `${path} is of another run: another service, case or recipient. Give another --state.`
    )
  }
  return value
}

const notAState = (path: string) =>
  new Ending('usage', `${path} is not a state file of consilium send. Give another --state.`)
