import { DraftAnswer, type RecordAnswer, RecordAnswer as RecordForm } from './answers.ts'
import { Ending } from './ending.ts'
import { digestOf, type Outgoing } from './outgoing.ts'
import { patiently } from './patience.ts'
import { endingOf, Refused } from './problem.ts'
import type { Progress } from './progress.ts'
import { JSON_BYTES_MAX, parseAs, type Session, textOf } from './session.ts'
import type { SentRecord, State } from './state.ts'
import { tusUpload } from './tus-upload.ts'

/** How often files that arrived otherwise than they were read are sent again. */
const TRIES_MAX = 3
const GONE = 'draft-not-found'

export interface DraftParts {
  session: Session
  caseId: string
  state: State
  progress: Progress
  /** Files on their way at once. */
  parallel: number
}

type Begun = DraftAnswer['uploads'][number]

/** One file of a draft: settled, or with what went wrong with it here. */
export interface Placed {
  file: Outgoing
  position: number
  sha256?: string
  failed?: { code: string; why: string }
}

/**
 * Sends a record as a draft, file by file by tus, and completes it. What a run before has sent of it
 * stays, by what the draft tells. Resolves to the record and its files; those that are not in it have
 * the reason. Without a record when none was taken.
 */
export async function sendDraft(
  parts: DraftParts,
  record: SentRecord,
  files: Outgoing[]
): Promise<{ view: RecordAnswer | undefined; placed: Placed[] }> {
  const { session, state } = parts
  // By its place in the plan, so that a later run that has fewer to send means the same uploads.
  const placeOf = ({ of }: Outgoing) => (of ? record.files.indexOf(of) : record.files.length) + 1
  const placed: Placed[] = files.map(file => ({ file, position: placeOf(file) }))
  for (let attempt = 1; ; attempt += 1) {
    const draft = await openDraft(parts, record)
    if ('view' in draft) {
      for (const each of placed) each.sha256 ??= await digestOf(each.file.path).catch(() => '')
      return { view: draft.view, placed }
    }
    const isLast = attempt === TRIES_MAX
    const view = await fillDraft(parts, draft, placed, isLast).catch(err => {
      if (isLast) throw err
      return startAnew(err, placed)
    })
    if (view !== undefined) return { view, placed }
    const isLeft = placed.some(({ failed }) => failed === undefined)
    if (isLeft && !isLast) continue
    giveUpMissing(placed)
    await patiently(session, () => session.ask('DELETE', `/v1/drafts/${draft.id}`)).catch(() => {})
    delete record.draft
    await state.note()
    return { view: undefined, placed }
  }
}

/** Sends what the draft has not, and makes the record of it. Undefined when that is to be tried again, or none is left. */
async function fillDraft(
  parts: DraftParts,
  draft: DraftAnswer,
  placed: Placed[],
  isLast: boolean
): Promise<RecordAnswer | undefined> {
  await sendMissing(parts, draft, placed)
  const ready = await readyDraft(parts, draft.id, placed)
  if (!ready && !isLast) return undefined
  if (!ready) giveUpMissing(placed.filter(({ sha256 }) => sha256 === undefined))
  const isTaken = placed.some(({ failed }) => failed === undefined)
  return isTaken ? complete(parts, draft.id, placed) : undefined
}

/** The time of a draft may end while the machine that sends sleeps. That is no fault of its files. */
function startAnew(err: unknown, placed: Placed[]): undefined {
  unlessGone(err)
  for (const each of placed) if (each.failed?.code === GONE) delete each.failed
}

/** The draft of a run before, the record that it has become, or a new draft. */
async function openDraft(
  { session, caseId, state }: DraftParts,
  record: SentRecord
): Promise<DraftAnswer | { view: RecordAnswer }> {
  if (record.draft !== undefined) {
    const path = `/v1/drafts/${record.draft}`
    const known = await session.json(DraftAnswer, 'GET', path).catch(unlessGone)
    if (known !== undefined) return known
    // Completed by a request whose answer was lost, or over.
    const view = await session.json(RecordForm, 'POST', `${path}/complete`).catch(unlessGone)
    if (view !== undefined) return { view }
  }
  const { kind, title, date } = record
  const fields = { kind, title, date }
  const draft = await session.json(DraftAnswer, 'POST', `/v1/cases/${caseId}/drafts`, fields)
  record.draft = draft.id
  await state.note()
  return draft
}

function unlessGone(err: unknown): undefined {
  if (err instanceof Refused && err.code === GONE) return undefined
  throw err
}

async function sendMissing(parts: DraftParts, draft: DraftAnswer, placed: Placed[]): Promise<void> {
  const ofPosition = uploadsByPosition(draft)
  const queue = placed.values()
  const worker = async () => {
    for (const each of queue) {
      if (each.failed !== undefined) continue
      const upload = ofPosition.get(each.position)
      if (upload !== undefined && upload.state !== 'receiving') {
        parts.progress.moved(each.file.bytes)
      } else {
        const sent = await sendOne(parts, draft.id, each, upload).catch(err => err)
        if (sent instanceof Error) takeFailure(each, sent)
      }
      each.sha256 ??= await digestOf(each.file.path).catch(() => '')
      parts.progress.fileDone()
    }
  }
  await Promise.all(Array.from({ length: parts.parallel }, worker))
}

/** A refusal that concerns the file alone is kept; every other one ends the run. */
function takeFailure(each: Placed, err: Error): void {
  if (err instanceof Refused) {
    each.failed = { code: err.code, why: `${err.title}. ${err.detail}` }
    return
  }
  const { code } = Object(err) as { code?: string }
  if (err instanceof Ending || code === undefined) throw err
  const why = code === 'changed' ? 'it changed while it was sent' : `it cannot be read (${code})`
  each.failed = { code: 'unreadable', why }
}

async function sendOne(
  parts: DraftParts,
  draft: string,
  { file, position }: Placed,
  begun: Begun | undefined
): Promise<void> {
  const { session, progress } = parts
  let upload = begun?.id
  let reached = begun?.offset ?? 0
  let isFirst = true
  await patiently(session, async gotOn => {
    if (!isFirst) {
      // The draft knows of an upload whose beginning was answered by nobody.
      const response = await session.ask('GET', `/v1/drafts/${draft}`)
      const view = parseAs(DraftAnswer, await textOf(response, JSON_BYTES_MAX))
      const known = uploadsByPosition(view).get(position)
      if (known?.state === 'stored' || known?.state === 'refused') return
      // What was written to the line may have got nowhere; what the service has is progress.
      if (known !== undefined && known.offset > reached) {
        reached = known.offset
        gotOn()
      }
      upload = known?.id
    }
    isFirst = false
    await tusUpload(session, file, { draft, position, upload }, progress).catch(err => {
      const ending = endingOf(err)
      if (ending !== undefined) throw ending
      throw mayPass(err)
    })
  })
}

/** An upload that is over, gone or elsewhere than thought is looked at in the draft again. */
function mayPass(err: Error): Error {
  if (!(err instanceof Refused)) return err
  const again = ['upload-offset-conflict', 'upload-not-found', 'upload-refused']
  if (!again.includes(err.code)) return err
  return new Refused(503, JSON.stringify({ code: err.code, title: err.title }), undefined)
}

/** The upload of each position that is furthest: a beginning may have been made twice. */
function uploadsByPosition({ uploads }: DraftAnswer) {
  const order = ['receiving', 'refused', 'stored']
  const sorted = uploads.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
  return new Map(sorted.map(upload => [upload.position, upload]))
}

/**
 * Makes the record. Its files are looked into only now, and one may prove false: then the draft tells
 * so, and when none is left there is no record.
 */
async function complete(
  parts: DraftParts,
  draft: string,
  placed: Placed[]
): Promise<RecordAnswer | undefined> {
  const { session } = parts
  try {
    return await session.json(RecordForm, 'POST', `/v1/drafts/${draft}/complete`)
  } catch (err) {
    if (!(err instanceof Refused)) throw err
    await readyDraft(parts, draft, placed)
    for (const each of placed) {
      const isOf = each.failed?.code === err.code && each.failed.why === ''
      if (isOf) each.failed = { code: err.code, why: `${err.title}. ${err.detail}` }
    }
    return undefined
  }
}

function giveUpMissing(placed: Placed[]): void {
  for (const each of placed) {
    if (each.failed !== undefined) continue
    each.failed = { code: 'changed', why: 'it arrived otherwise than it was read, each time' }
  }
}

/**
 * Makes the draft fit to be completed: ends uploads that are there twice or failed, and those that
 * arrived otherwise than they were read. False when something is to be sent again.
 */
async function readyDraft(
  { session, progress }: DraftParts,
  draftId: string,
  placed: Placed[]
): Promise<boolean> {
  const draft = await finishedDraft(session, draftId)
  const chosen = uploadsByPosition(draft)
  const end = (id: string) =>
    patiently(session, () =>
      session.ask('DELETE', `/v1/uploads/${id}`, { headers: { 'tus-resumable': '1.0.0' } })
    )
  for (const upload of draft.uploads) {
    const isChosen = chosen.get(upload.position)?.id === upload.id
    if (!isChosen || upload.state === 'receiving') await end(upload.id)
  }
  let ready = true
  for (const each of placed) {
    const upload = chosen.get(each.position)
    if (upload?.state === 'refused') {
      each.failed ??= { code: upload.code ?? 'unknown', why: '' }
    } else if (upload?.state === 'stored' && upload.sha256 !== each.sha256) {
      // It changed while it was sent, or on the way.
      await end(upload.id)
      progress.moved(-each.file.bytes)
      delete each.sha256
      ready = false
    } else if (upload?.state !== 'stored' && each.failed === undefined) ready = false
  }
  return ready
}

/**
 * The draft once every upload of which all has come is whole, or refused: one whose last answer was lost
 * may still be read back by the service, which takes minutes for a large one, or wait for that.
 */
async function finishedDraft(session: Session, draftId: string): Promise<DraftAnswer> {
  const path = `/v1/drafts/${draftId}`
  const draft = await session.json(DraftAnswer, 'GET', path)
  const isWhole = ({ state, offset, bytes }: Begun) => state === 'receiving' && offset === bytes
  const left = draft.uploads.filter(isWhole)
  for (const { id, bytes } of left) {
    // Nothing, added at its end.
    const headers = {
      'tus-resumable': '1.0.0',
      'upload-offset': String(bytes),
      'content-type': 'application/offset+octet-stream'
    }
    await patiently(session, () => session.ask('PATCH', `/v1/uploads/${id}`, { headers })).catch(
      unlessRefused
    )
  }
  return left.length === 0 ? draft : session.json(DraftAnswer, 'GET', path)
}

/** Why a file was refused the draft tells. */
function unlessRefused(err: unknown): void {
  if (!(err instanceof Refused)) throw err
}
