import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  answerStatuses,
  type ChecklistView,
  type ChecklistWrite
} from '../../../schemas/checklist.ts'
import type { RecordSummary } from '../../../schemas/record.ts'
import { answerChecklist, readChecklist } from '../../cases/answer-checklist.ts'
import { completeCase } from '../../cases/complete.ts'
import { readCase } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import { listRecords } from '../../records/read.ts'
import { type Form, formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import type { Texts } from '../texts.ts'
import { caseIdOf } from './case.ts'
import { type FieldProblem, given, type RefusalsOfForm, requireNone, tell } from './form.ts'
import { shownPatient } from './patient.ts'

const REFUSED: RefusalsOfForm = {
  'version-changed': { text: 'cases.refused-version-checklist' },
  'case-state-refused': { text: 'cases.refused-closed' }
}

type Item = ChecklistView['items'][number]

/** How one item is answered in the form, whether that makes sense or not. */
interface TypedAnswer {
  status: string
  records: string[]
  note: string
  reason: string
}

export async function showChecklist(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const view = await readChecklist(web.exchange, callerOf(request), caseIdOf(request))
  const typed = new Map(view.items.map(item => [item.id, answerToType(item)]))
  return web.pages.show(request, reply, 'cases/checklist', await modelOf(web, request, view, typed))
}

/** Saves all answers. What is refused is shown again as it was typed, on the version that is there now. */
export async function saveChecklist(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const caseId = caseIdOf(request)
  const form = formOf(request)
  const view = await readChecklist(exchange, caller, caseId)
  const typed = new Map(view.items.map(item => [item.id, typedAnswer(form, item.id)]))
  const found = problemsIn(view.items, typed, pages.texts)
  pages.onRefusal(request, async (told, refusal) =>
    pages.show(request, reply, 'cases/checklist', {
      ...(await modelOf(web, request, await readChecklist(exchange, caller, caseId), typed)),
      ...tell(told, refusal, found, REFUSED, pages.texts)
    })
  )
  requireNone(found)
  const answers = view.items.map(({ id }) => answerToWrite(id, typed.get(id)))
  const asked = { caseId, ifMatch: `"${form.text('version')}"` }
  await answerChecklist(exchange, caller, asked, { answers } as ChecklistWrite)
  return reply.redirect(`/cases/${caseId}/checklist`, 303)
}

/** Says that nothing is missing. Otherwise the checklist tells what is, each with where to go. */
export async function complete(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const caseId = caseIdOf(request)
  pages.onRefusal(request, async told => {
    const view = await readChecklist(exchange, caller, caseId)
    const typed = new Map(view.items.map(item => [item.id, answerToType(item)]))
    const missing = missingIn(view, pages.texts)
    return pages.show(request, reply, 'cases/checklist', {
      ...(await modelOf(web, request, view, typed)),
      problems: missing.length > 0 ? missing : told,
      errors: {}
    })
  })
  await completeCase(exchange, caller, caseId)
  return reply.redirect(`/cases/${caseId}`, 303)
}

async function modelOf(
  { exchange }: Web,
  request: FastifyRequest,
  view: ChecklistView,
  typed: Map<string, TypedAnswer>
) {
  const caller = callerOf(request)
  const found = await readCase(exchange, caller, view.case)
  const { records } = await listRecords(exchange, caller, view.case)
  return {
    case: found,
    patient: shownPatient(found.patient),
    version: view.version,
    isComplete: view.missing.length === 0,
    group: view.conditionGroup,
    items: view.items.map(item => ({
      ...item,
      typed: typed.get(item.id),
      isStale: item.records.some(({ stale }) => stale),
      fitting: records
        .filter(record => fits(record, item))
        .map(({ id, title, date }) => ({ id, title, date }))
    }))
  }
}

const fits = ({ kind }: Pick<RecordSummary, 'kind'>, { kinds }: Item): boolean =>
  (kinds as string[]).includes(kind)

function typedAnswer(form: Form, item: string): TypedAnswer {
  return {
    status: form.text(`status-${item}`),
    records: form.list(`records-${item}`),
    note: form.text(`note-${item}`),
    reason: form.text(`reason-${item}`)
  }
}

const answerToType = ({ status, records, note = '', reason = '' }: Item): TypedAnswer => ({
  status,
  records: records.map(({ id }) => id),
  note,
  reason
})

/** Only what goes with the status is sent; what was typed beside another one is left out. */
function answerToWrite(item: string, answer: TypedAnswer | undefined) {
  const { status = 'missing', records = [], note = '', reason = '' } = answer ?? {}
  const isPresent = status === 'present'
  return {
    item,
    status: status === '' ? 'missing' : status,
    ...(isPresent && { ...(records.length > 0 && { records }), ...given('note', note) }),
    ...(status === 'not-applicable' && given('reason', reason))
  }
}

function problemsIn(items: Item[], typed: Map<string, TypedAnswer>, t: Texts): FieldProblem[] {
  return items.flatMap(({ id, label, byNote }): FieldProblem[] => {
    const answer = typed.get(id)
    if (answer === undefined) return []
    const { status, records, note, reason } = answer
    const tooLong = note.length > TEXT_MAX || reason.length > TEXT_MAX
    const isUnknown = status !== '' && !(answerStatuses as readonly string[]).includes(status)
    const isShown = records.length > 0 || (byNote && note !== '')
    const name = isUnknown
      ? 'choose'
      : tooLong
        ? 'text-long'
        : status === 'present' && !isShown
          ? byNote
            ? 'no-record-or-note'
            : 'no-record'
          : status === 'not-applicable' && reason === ''
            ? 'no-reason'
            : undefined
    return name === undefined
      ? []
      : [{ field: `status-${id}`, text: t(`cases.item-${name}`, { label }) }]
  })
}

const TEXT_MAX = 1000

/** What is missing, each with the place where it can be put right. */
function missingIn({ case: caseId, items, missing }: ChecklistView, t: Texts) {
  const labels = new Map(items.map(({ id, label }) => [id, label]))
  return missing.map(id => {
    const label = labels.get(id)
    if (label !== undefined)
      return { text: t('cases.item-missing', { label }), href: `#status-${id}` }
    const what = t(`cases.missing-${id.replace('.', '-')}`)
    return { text: t('cases.request-missing', { what }), href: `/cases/${caseId}/request` }
  })
}
