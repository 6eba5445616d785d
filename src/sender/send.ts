import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import type { RecordFields } from '../../schemas/record.ts'
import { type DicomPlace, lookIntoFiles } from './look-into.ts'
import type { Spool } from './outgoing.ts'
import { planRecords } from './plan.ts'
import type { Progress } from './progress.ts'
import { type Recipient, recipientLine } from './recipient.ts'
import { unplannedFiles } from './resume-plan.ts'
import { sealerTo } from './seal.ts'
import { sendRecord } from './send-record.ts'
import type { Session } from './session.ts'
import { openState, type SentRecord, type State, statePath } from './state.ts'
import { type Skipped, type Walked, walkFolders } from './walk.ts'

/** Records on their way at once, and files of a draft. The service lets an account have 8. */
export const PARALLEL_DEFAULT = 4

export interface SendOptions {
  caseId: string
  folders: string[]
  kind?: RecordFields['kind'] | undefined
  title?: string | undefined
  date?: string | undefined
  state?: string | undefined
  manifest?: string | undefined
  parallel: number
  recipient?: Recipient | undefined
}

export interface SendResult {
  records: SentRecord[]
  skipped: Skipped[]
  begun: string
  /** Where what was sent is to be told. */
  manifestPath: string
  /** Why it stopped before its end, if it did. */
  stopped?: unknown
}

/**
 * Sends what is in these folders into a case: finds the files, groups them into records, sends each,
 * and settles every file. The state is on the disk whenever it ends, however it ends. Throws Ending
 * when nothing could be begun; what ends it later comes with the result.
 */
export async function send(
  session: Session,
  options: SendOptions,
  progress: Progress
): Promise<SendResult> {
  const { caseId, folders, recipient } = options
  const path = resolve(options.state ?? statePath(folders[0] ?? '.', caseId))
  const manifestPath = resolve(options.manifest ?? path.replace(/(\.json)?$/, '.manifest.json'))
  const purpose = {
    service: session.origin,
    case: caseId,
    ...(recipient && { sealedTo: recipient.recipient })
  }
  const state = await openState(path, purpose, new Date())
  try {
    // The manifest of a run before too: it names every file.
    const own = [path, `${path}.lock`, `${path}.sealed`, manifestPath]
    const walked = await walkFolders(folders, own)
    await plan(state, walked, options, `${path}.sealed`, progress)
    const { records, begun } = state
    const result = { records, skipped: walked.skipped, begun, manifestPath }
    const spool = spoolIn(`${path}.sealed`, recipient)
    return await sendAll(session, options, state, spool, progress).then(
      () => result,
      stopped => ({ ...result, stopped })
    )
  } finally {
    await state.close()
  }
}

/** Makes a plan of what is not planned yet, and writes it down before anything is sent. */
async function plan(
  state: State,
  walked: Walked,
  options: SendOptions,
  spool: string,
  progress: Progress
): Promise<void> {
  const { kind, title, date, recipient } = options
  const { files, abandoned } = unplannedFiles(state, walked.files)
  for (const { id } of abandoned) await rm(join(spool, id), { recursive: true, force: true })
  progress.say(`${walked.files.length} files found, ${walked.skipped.length} passed over.`)
  if (recipient) progress.say(recipientLine(recipient))
  const places = await lookIntoFiles(files, () => {})
  const wishes = { kind, title, date, sealed: recipient !== undefined }
  const today = new Date().toISOString().slice(0, 10)
  const planned = planRecords(files, places, wishes, today)
  for (const record of planned) {
    const files = record.files.map(file => ({ ...file, ...seriesOf(places.get(file)) }))
    const more = { id: uuidv7(), files }
    state.records.push({ ...record, ...more, records: [], done: false })
  }
  await state.note()
}

const seriesOf = ({ study, series }: DicomPlace = {}) => ({
  ...(study !== undefined && { study }),
  ...(series !== undefined && { series })
})

const spoolIn =
  (directory: string, recipient: Recipient | undefined) =>
  (record: SentRecord): Spool | undefined =>
    recipient && {
      encrypter: sealerTo(recipient.recipient),
      directory: join(directory, record.id)
    }

async function sendAll(
  session: Session,
  { caseId, parallel }: SendOptions,
  state: State,
  spool: (record: SentRecord) => Spool | undefined,
  progress: Progress
): Promise<void> {
  const open = state.records.filter(record => !record.done)
  for (const { files } of open) {
    const left = files.filter(({ outcome }) => outcome === undefined)
    progress.expect(
      left.length,
      left.reduce((total, { bytes }) => total + bytes, 0)
    )
  }
  const known = new Set(state.records.flatMap(({ records }) => records))
  const parts = { session, caseId, state, progress, parallel, spool, known }
  const queue = open.values()
  const worker = async () => {
    for (const record of queue) {
      await sendRecord(parts, record, state.resumed).catch(err => {
        session.abort(err)
        throw err
      })
      const used = spool(record)
      if (used === undefined) continue
      // Sealed anew it would have other digests, and a run that did not know of it would send it twice.
      await state.note()
      await rm(used.directory, { recursive: true, force: true })
    }
  }
  // One that cannot go on ends the others too: the state tells a next run how far they were.
  const ended = await Promise.allSettled(Array.from({ length: parallel }, worker))
  const failed = ended.find(each => each.status === 'rejected')
  // The first that could not go on ended the others: theirs is not the reason.
  if (failed !== undefined) throw session.signal.reason ?? failed.reason
}
