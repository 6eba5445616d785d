import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CaseView } from '../../../schemas/case.ts'
import {
  conditionGroups,
  coverages,
  QUESTIONS_MAX,
  RequestWrite
} from '../../../schemas/request.ts'
import { readCase } from '../../cases/read.ts'
import { readRequest, writeRequest } from '../../cases/write-request.ts'
import { callerOf } from '../../http/area.ts'
import { listRecords } from '../../records/read.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { caseIdOf } from './case.ts'
import { dateOf, problemsOf, type RefusalsOfForm, requireNone, tell } from './form.ts'
import { shownPatient } from './patient.ts'
import {
  requestToType,
  requestToWrite,
  type TypedRequest,
  textFields,
  typedRequest
} from './typed-request.ts'

const REFUSED: RefusalsOfForm = {
  'version-changed': { text: 'cases.refused-version' },
  'case-state-refused': { text: 'cases.refused-closed' },
  'question-shared': { text: 'cases.refused-question-shared' },
  'due-date-past': { field: 'dueDate' },
  'due-date-far': { field: 'dueDate' },
  'snomed-code-invalid': { field: 'condition-snomed' },
  'icd-code-invalid': { field: 'condition-icd10' },
  'authorisation-code-invalid': { field: 'insurance-authorisation-code' },
  'authorisation-dates-invalid': { field: 'insurance-authorisation-until' },
  'referral-record-unfit': { field: 'referralLetter' }
}

export async function showRequest(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const around = await surroundings(web, request)
  const view = await readRequest(exchange, caller, caseIdOf(request))
  return pages.show(request, reply, 'cases/request', { ...around, typed: requestToType(view) })
}

/**
 * Saves the request; or adds or takes away a question in the form alone, for browsers without scripts.
 * What is refused is shown again with all that was typed, and when somebody else has changed it
 * meanwhile, with what they changed: saving again then replaces it knowingly.
 */
export async function saveRequest(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const caseId = caseIdOf(request)
  const form = formOf(request)
  const doing = form.text('do')
  const [, removed] = /^remove-(\d+)$/.exec(doing) ?? []
  const typed = typedRequest(form, removed === undefined ? undefined : Number(removed))
  const around = await surroundings(web, request)
  if (doing === 'add') {
    if (typed.questions.length < QUESTIONS_MAX) typed.questions.push({ number: '', text: '' })
    return pages.show(request, reply, 'cases/request', { ...around, typed, isUnsaved: true })
  }
  if (removed !== undefined) {
    return pages.show(request, reply, 'cases/request', { ...around, typed, isUnsaved: true })
  }

  const wanted = requestToWrite(typed)
  const found = problemsOf(RequestWrite, wanted, pages.texts)
  pages.onRefusal(request, async (told, refusal) => {
    const isOutrun = refusal.code === 'version-changed'
    const theirs = isOutrun ? await rebase(web, request, typed) : undefined
    if (refusal.code === 'question-shared') await putBack(web, request, typed)
    return pages.show(request, reply, 'cases/request', {
      ...around,
      typed,
      theirs,
      isUnsaved: true,
      ...tell(told, refusal, found, REFUSED, pages.texts)
    })
  })
  requireNone(found)
  await writeRequest(exchange, caller, { caseId, ifMatch: `"${typed.version}"` }, wanted)
  return reply.redirect(`/cases/${caseId}`, 303)
}

/**
 * Puts back the questions that the form has no more, those among them that a specialist was asked: they
 * cannot be left out, and a number is nothing that somebody could type.
 */
async function putBack({ exchange }: Web, request: FastifyRequest, typed: TypedRequest) {
  const now = requestToType(await readRequest(exchange, callerOf(request), caseIdOf(request)))
  const known = new Set(typed.questions.map(({ number }) => number))
  const missing = now.questions.filter(({ number }) => !known.has(number))
  const isNew = ({ number }: { number: string }) => number === ''
  const numbered = [...typed.questions.filter(question => !isNew(question)), ...missing]
  numbered.sort((a, b) => Number(a.number) - Number(b.number))
  typed.questions = [...numbered, ...typed.questions.filter(isNew)]
}

/** What a form of this case needs beside the request itself. */
async function surroundings({ exchange, pages }: Web, request: FastifyRequest) {
  const caller = callerOf(request)
  const found: CaseView = await readCase(exchange, caller, caseIdOf(request))
  const { records } = await listRecords(exchange, caller, found.id)
  const letters = records.filter(({ kind }) => kind === 'letter' || kind === 'referral')
  const { texts: t } = pages
  return {
    case: found,
    patient: shownPatient(found.patient),
    isClosed: found.state === 'closed',
    groups: conditionGroups.map(value => ({ value, text: t(`cases.group-${value}`) })),
    coverages: coverages.map(value => ({ value, text: t(`cases.covers-${value}`) })),
    letters: [
      { value: '', text: t('cases.no-letter') },
      ...letters.map(({ id, title }) => ({ value: id, text: title }))
    ]
  }
}

/**
 * Lets what was typed stand on the version that is there now, and resolves to what that says otherwise.
 * A question that the other took away becomes a new one, so that it can be saved.
 */
async function rebase({ exchange, pages }: Web, request: FastifyRequest, typed: TypedRequest) {
  const now = requestToType(await readRequest(exchange, callerOf(request), caseIdOf(request)))
  typed.version = now.version
  const numbers = new Set(now.questions.map(({ number }) => number))
  for (const question of typed.questions) {
    if (!numbers.has(question.number)) question.number = ''
  }
  const { texts: t } = pages
  const texts = textFields
    .filter(name => name !== 'referralLetter' && now.texts[name] !== typed.texts[name])
    .map(name => ({ label: t(`cases.label-${name}`), value: worded(name, now.texts[name]) }))
  const dates = (Object.keys(now.dates) as (keyof TypedRequest['dates'])[])
    .filter(name => dateOf(now.dates[name]) !== dateOf(typed.dates[name]))
    .map(name => ({ label: t(`cases.label-${name}`), value: dateOf(now.dates[name]) }))
  const mine = new Set(typed.questions.map(({ text }) => text))
  const questions = now.questions
    .filter(({ text }) => !mine.has(text))
    .map(({ text }) => ({ label: t('cases.label-questions-text'), value: text }))
  return [...texts, ...dates, ...questions]

  function worded(name: string, value: string): string {
    if (value === '') return ''
    if (name === 'conditionGroup') return t(`cases.group-${value}`)
    if (name === 'urgency' || name === 'funding') return t(`cases.${name}-${value}`)
    return value
  }
}
