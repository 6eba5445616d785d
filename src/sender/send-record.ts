import { setTimeout as sleep } from 'node:timers/promises'
import { type RecordAnswer, RecordAnswer as RecordForm } from './answers.ts'
import { findSent } from './find-sent.ts'
import { type Digested, type Outgoing, outgoingOf, type Spool } from './outgoing.ts'
import { patiently } from './patience.ts'
import { endingOf, isPassing, LineBroken, Refused } from './problem.ts'
import { type DraftParts, sendDraft } from './send-draft.ts'
import { type FormFiles, sendForm } from './send-form.ts'
import { parseAs } from './session.ts'
import type { SentFile, SentRecord } from './state.ts'

/** What one request may carry: past these a record is sent file by file, which goes on after a break. */
export const FORM_FILES_MAX = 2000
export const FORM_BYTES_MAX = 256 * 1024 ** 2
/** A file of a form is read whole. */
export const FORM_FILE_BYTES_MAX = 16 * 1024 ** 2
/** A form that was cut off so often goes file by file: the line does not last for one. */
const CUTS_MAX = 2
/** A request whose line broke may still be under way in the service. */
const SETTLING_MILLISECONDS = 2000

export interface RecordParts extends DraftParts {
  spool(record: SentRecord): Spool | undefined
  /** Records of the case that are spoken for. */
  known: Set<string>
}

/**
 * Sends one record and settles each of its files: stored, refused by the service, or skipped here.
 * It is found again, and not sent again, if a request before has stored it and its answer was lost.
 */
export async function sendRecord(
  parts: RecordParts,
  record: SentRecord,
  maybeSent: boolean
): Promise<void> {
  const { state, progress } = parts
  let isSearched = !maybeSent
  for (;;) {
    const files = await outgoingOf(record, parts.spool(record))
    await state.noteSoon()
    if (files.length === 0) break
    if (parts.spool(record) !== undefined) await state.note()
    const found = isSearched || record.draft ? undefined : await search(parts, record, files)
    isSearched = true
    if (found !== undefined) {
      takeView(parts, record, found.view, found.files)
      progress.moved(found.view.objects.reduce((total, { bytes }) => total + bytes, 0))
    } else if (record.draft !== undefined || record.cut || !fitsForm(files)) {
      await sendAsDraft(parts, record, files)
      break
    } else if (await sendAsForm(parts, record, files)) break
  }
  record.done = true
  await state.noteSoon()
}

async function sendAsDraft(
  parts: RecordParts,
  record: SentRecord,
  files: Outgoing[]
): Promise<void> {
  const { view, placed } = await sendDraft(parts, record, files)
  if (view !== undefined) {
    takeView(
      parts,
      record,
      view,
      placed.map(({ file, sha256 = '' }) => ({ file, sha256 }))
    )
  }
  const told = new Map((view?.refused ?? []).map(each => [each.position, each]))
  for (const { file, position, failed } of placed) {
    const own = told.get(position)
    const reason = own ? reasonOf(own) : failed
    settleRefused(file, reason ?? { code: 'unknown', why: 'It is not in the record.' })
  }
}

const reasonOf = ({ code, title, detail }: { code: string; title: string; detail: string }) => ({
  code,
  why: `${title}. ${detail}`
})

function fitsForm(files: Outgoing[]): boolean {
  const bytes = files.reduce((total, file) => total + file.bytes, 0)
  const isSmall = files.every(file => file.bytes <= FORM_FILE_BYTES_MAX)
  return isSmall && files.length <= FORM_FILES_MAX && bytes <= FORM_BYTES_MAX
}

/** False when the files that are still open are to be sent in another way. */
async function sendAsForm(
  parts: RecordParts,
  record: SentRecord,
  files: Outgoing[]
): Promise<boolean> {
  const { session, caseId, progress } = parts
  const { kind, title, date } = record
  let cuts = 0
  const settleAll = await patiently(session, async () => {
    const path = `/v1/cases/${caseId}/records`
    const told: FormFiles = { sent: [], unread: [] }
    try {
      const fields = { kind, title, date }
      const answer = await sendForm(session, path, fields, files, told, progress)
      return () => takeForm(parts, record, answer, told)
    } catch (err) {
      if (err instanceof Refused && !isPassing(err)) {
        const ending = endingOf(err)
        if (ending !== undefined) throw ending
        return () => takeRefusal(err, files, told)
      }
      if (!isAnswerLost(err)) throw err
      const found = await search(parts, record, files)
      if (found !== undefined) return () => takeView(parts, record, found.view, found.files)
      if (err instanceof LineBroken) cuts += 1
      if (cuts < CUTS_MAX) throw err
      record.cut = true
      return () => {}
    }
  })
  settleAll()
  return files.every(({ of }) => of === undefined || of.outcome !== undefined)
}

/** A gateway that waited too long answers in place of a service that may have stored it all the same. */
const isAnswerLost = (err: unknown): boolean =>
  err instanceof LineBroken || (err instanceof Refused && err.status >= 500)

async function search(parts: RecordParts, record: SentRecord, files: Outgoing[]) {
  await sleep(SETTLING_MILLISECONDS, undefined, { signal: parts.session.signal }).catch(() => {})
  return findSent(parts.session, parts.caseId, record, files, parts.known)
}

/** None of the files was taken. What could not be read was no part of the request. */
function takeRefusal(err: Refused, files: Outgoing[], { sent, unread }: FormFiles): void {
  for (const { file, why } of unread) settle(file, { outcome: 'skipped', why })
  for (const own of err.files) {
    const file = sent[own.position - 1]?.file
    if (file !== undefined) settleRefused(file, reasonOf(own))
  }
  for (const file of files) settleRefused(file, reasonOf(err))
}

function takeForm(parts: RecordParts, record: SentRecord, answer: string, form: FormFiles): void {
  const view = parseAs(RecordForm, answer)
  for (const { file, why } of form.unread) settle(file, { outcome: 'skipped', why })
  for (const refused of view.refused ?? []) {
    const sent = form.sent[refused.position - 1]
    if (sent !== undefined) settleRefused(sent.file, reasonOf(refused))
  }
  takeView(parts, record, view, form.sent)
  for (const { file } of form.sent) {
    // What is stored under another digest is not what was sent.
    settleRefused(file, {
      code: 'digest-mismatch',
      why: 'It was stored otherwise than it was sent.'
    })
  }
}

/** Settles every file that is in the stored record, by its digest. */
function takeView(
  { known, progress }: RecordParts,
  record: SentRecord,
  view: RecordAnswer,
  files: Digested[]
): void {
  known.add(view.id)
  record.records.push(view.id)
  record.duplicates = (record.duplicates ?? 0) + (view.duplicates ?? []).length
  if (view.quarantine) record.quarantine = view.quarantine
  if (view.patientMatch) record.patientMatch = view.patientMatch
  const byDigest = Map.groupBy(view.objects, ({ sha256 }) => sha256)
  for (const { file, sha256 } of files) {
    if (file.of?.outcome !== undefined) continue
    const object = byDigest.get(sha256)?.shift()
    if (object === undefined) continue
    settle(file, { outcome: 'stored', object: object.id, sha256 })
    progress.fileDone()
  }
}

function settleRefused({ of }: Outgoing, reason: { code: string; why: string }): void {
  if (of === undefined || of.outcome !== undefined) return
  Object.assign(of, { outcome: 'refused', ...reason })
}

function settle(file: Outgoing, more: Partial<SentFile>): void {
  if (file.of !== undefined) Object.assign(file.of, more)
}
