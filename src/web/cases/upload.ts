import type { FastifyReply, FastifyRequest } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import type { DraftView } from '../../../schemas/draft.ts'
import { recordKinds } from '../../../schemas/record.ts'
import { readCase } from '../../cases/read.ts'
import { publicFace, Refusal, type RefusalCode, refusalCodes } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import type { UploadPart } from '../../records/form.ts'
import { receiveForm } from '../../records/receive-form.ts'
import { uploadRecord } from '../../records/upload.ts'
import { completeDraft } from '../../uploads/complete.ts'
import { giveUpDraft, listDrafts, readDraft } from '../../uploads/drafts.ts'
import { endUnfinished } from '../../uploads/end.ts'
import type { Web } from '../routes.ts'
import type { Texts } from '../texts.ts'
import { caseIdOf } from './case.ts'
import { shownPatient } from './patient.ts'

/** Sentences that the browser's part says, with what it puts in. */
const SAID = {
  skipped: ['count'],
  preview: ['count', 'folders', 'size'],
  'choose-first': [],
  'fields-first': [],
  'no-line': [],
  'signed-out-start': [],
  elsewhere: [],
  reading: [],
  unreadable: ['count'],
  'no-folder': [],
  group: ['name', 'done', 'count'],
  waiting: [],
  done: [],
  refused: [],
  gone: [],
  total: ['done', 'count', 'percent'],
  'total-moving': ['done', 'count', 'percent', 'rate', 'left'],
  'line-down': [],
  'line-back': [],
  'signed-out': [],
  paused: [],
  resumed: [],
  completing: [],
  'some-missing': ['done', 'count'],
  'none-taken': [],
  'done-but': ['count']
}

export async function showUpload(web: Web, request: FastifyRequest, reply: FastifyReply) {
  return web.pages.show(request, reply, 'cases/upload', {
    ...(await modelOf(web, request)),
    typed: {}
  })
}

/** One record by an ordinary form, for browsers without scripts: it comes whole or not at all. */
export async function uploadByForm(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const caseId = caseIdOf(request)
  const model = await modelOf(web, request)
  const typed: Record<string, string> = {}
  pages.onRefusal(request, (told, refusal) =>
    pages.show(request, reply, 'cases/upload', {
      ...model,
      typed,
      problems: told.map(({ text }) => ({ text, href: '#title' })),
      notTaken: refusal.extra.refused
    })
  )
  const record = await receiveForm(exchange, request, parts =>
    uploadRecord(exchange, callerOf(request), caseId, remembering(parts, typed))
  )
  return taken(web, request, reply, record)
}

/** A draft whose files are still coming: how far each is, and how to go on. */
export async function showDraft(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const draft = await readDraft(exchange, callerOf(request), draftIdOf(request))
  requireOfCase(draft, request)
  return pages.show(request, reply, 'cases/upload-draft', {
    ...(await modelOf(web, request)),
    draft: shownDraft(draft)
  })
}

/** Makes the record of the files that have come, whoever has none of the others any more. */
export async function finishDraft(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const place = await exchange.uploads.enter(caller, () => request.raw.destroy())
  pages.onRefusal(request, async problems => {
    const draft = await readDraft(exchange, caller, draftIdOf(request))
    requireOfCase(draft, request)
    const model = await modelOf(web, request)
    return pages.show(request, reply, 'cases/upload-draft', {
      ...model,
      draft: shownDraft(draft),
      problems
    })
  })
  const finish = async () => {
    const id = draftIdOf(request)
    await endUnfinished(exchange, caller, id)
    return completeDraft(exchange, caller, id)
  }
  const { view } = await finish().finally(place.leave)
  return taken(web, request, reply, view)
}

export async function dropDraft({ exchange }: Web, request: FastifyRequest, reply: FastifyReply) {
  await giveUpDraft(exchange, callerOf(request), draftIdOf(request))
  return reply.redirect(`/cases/${caseIdOf(request)}/upload`, 303)
}

/** Leads to the record on the page of its case, unless it is to be said which files were not taken. */
async function taken(
  web: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  record: { id: string; case: string; refused?: unknown[] }
) {
  if (record.refused === undefined) {
    return reply.redirect(`/cases/${record.case}#record-${record.id}`, 303)
  }
  const model = await modelOf(web, request)
  return web.pages.show(request, reply, 'cases/upload-taken', { ...model, record })
}

async function modelOf({ exchange, pages }: Web, request: FastifyRequest) {
  const caller = callerOf(request)
  const found = await readCase(exchange, caller, caseIdOf(request))
  const drafts = await listDrafts(exchange, caller, found.id)
  return {
    case: found,
    patient: shownPatient(found.patient),
    kinds: recordKinds.map(value => ({ value, text: pages.texts(`kinds.${value}`) })),
    drafts: drafts.map(shownDraft),
    said: JSON.stringify(saidBy(pages.texts)),
    attempt: uuidv7({ msecs: exchange.clock() })
  }
}

/** The sentences for the browser, with the places of what it puts in still open. */
function saidBy(t: Texts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(SAID).map(([name, places]) => [
      name,
      t(`cases.upload-${name}`, Object.fromEntries(places.map(place => [place, `{${place}}`])))
    ])
  )
}

function shownDraft({ id, kind, title, date, expiresAt, uploads }: DraftView) {
  const files = uploads.map(upload => ({ ...upload, ...whyRefused(upload.code) }))
  return {
    id,
    kind,
    title,
    date,
    expiresAt,
    files,
    stored: files.filter(({ state }) => state === 'stored').length,
    known: JSON.stringify(
      uploads.map(({ id, position, fileName, bytes, offset, state }) => ({
        id,
        position,
        fileName,
        bytes,
        offset,
        state
      }))
    )
  }
}

function whyRefused(code: string | undefined): { title?: string; detail?: string } {
  const known = refusalCodes.find(name => name === code) satisfies RefusalCode | undefined
  if (known === undefined) return {}
  const { title, next } = publicFace(known)
  return { title, detail: next }
}

const draftIdOf = (request: FastifyRequest): string => (request.params as { draft: string }).draft

function requireOfCase(draft: DraftView, request: FastifyRequest): void {
  if (draft.case !== caseIdOf(request)) throw new Refusal('draft-not-found', 'of another case')
}

/** The parts of a form, keeping the fields in case it must be shown again. */
async function* remembering(
  parts: AsyncIterable<UploadPart>,
  typed: Record<string, string>
): AsyncGenerator<UploadPart> {
  for await (const part of parts) {
    if (part.type === 'field' && typeof part.value === 'string') typed[part.fieldname] = part.value
    yield part
  }
}
