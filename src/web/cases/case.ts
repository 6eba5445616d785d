import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CaseView } from '../../../schemas/case.ts'
import type { ChecklistView } from '../../../schemas/checklist.ts'
import type { RecordView } from '../../../schemas/record.ts'
import type { RequestView } from '../../../schemas/request.ts'
import { readChecklist } from '../../cases/answer-checklist.ts'
import { readCase } from '../../cases/read.ts'
import { readRequest } from '../../cases/write-request.ts'
import { callerOf } from '../../http/area.ts'
import { readRecords } from '../../records/read.ts'
import type { Web } from '../routes.ts'
import { shownPatient } from './patient.ts'
import { namesOf } from './people.ts'
import { shownRecord } from './shown-record.ts'

export interface OfCase {
  case: string
}

/** The id of the case in the address of a page. */
export const caseIdOf = (request: FastifyRequest): string => (request.params as OfCase).case

/** One case on one page: whose it is, where it stands, what to do next, and all there is of it. */
export async function showCase(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const caller = callerOf(request)
  const id = caseIdOf(request)
  const found = await readCase(exchange, caller, id)
  const records = await readRecords(exchange, caller, id)
  const asked = await readRequest(exchange, caller, id)
  const checklist = await readChecklist(exchange, caller, id)
  const nameOf = await namesOf(exchange, [
    found.createdBy,
    ...found.moves.map(({ by }) => by),
    ...records.map(({ createdBy }) => createdBy)
  ])
  const stale = new Set(checklist.items.flatMap(staleOf))
  return pages.show(request, reply, 'cases/case', {
    case: found,
    patient: shownPatient(found.patient),
    next: nextStep(found, records, asked, checklist),
    asked,
    records: records.map(record => ({
      ...shownRecord(record, stale.has(record.id)),
      addedBy: nameOf(record.createdBy)
    })),
    checklist: countsOf(checklist),
    moves: found.moves
      .map(({ move, at, by, reason }) => ({ move, at, by: nameOf(by), reason }))
      .reverse(),
    createdBy: nameOf(found.createdBy)
  })
}

const staleOf = ({ records }: ChecklistView['items'][number]): string[] =>
  records.filter(record => record.stale).map(record => record.id)

/** Which sentence says what to do next, and where its one button leads. */
function nextStep(
  found: CaseView,
  records: RecordView[],
  asked: RequestView,
  { missing }: ChecklistView
): { name: string; href: string } {
  const { state, id } = found
  const at = (place: string) => `/cases/${id}/${place}`
  if (state === 'closed') return { name: 'reopen', href: at('reopen') }
  if (state === 'opinion-received') return { name: 'opinion', href: at('opinions') }
  const doubtful = records.find(isDoubtful)
  if (doubtful !== undefined) {
    return { name: 'patient', href: at(`records/${doubtful.id}#confirm`) }
  }
  if (state === 'shared') return { name: 'shared', href: '/shares' }
  if (state === 'complete') return { name: 'share', href: at('share') }
  if (asked.version === 0) return { name: 'request', href: at('request') }
  if (records.length === 0) return { name: 'records', href: at('upload') }
  if (missing.some(item => item.startsWith('request.'))) {
    return { name: 'rest-of-request', href: at('request') }
  }
  return missing.length > 0
    ? { name: 'checklist', href: at('checklist') }
    : { name: 'complete', href: at('checklist') }
}

/** It may be of another patient, and nobody has said why it is right. */
export const isDoubtful = (
  record: Pick<RecordView, 'patientMatch' | 'patientConfirmation'>
): boolean => record.patientMatch === 'mismatch' && record.patientConfirmation === undefined

function countsOf({ items, missing }: ChecklistView) {
  const count = (status: string) => items.filter(item => item.status === status).length
  return {
    present: count('present'),
    notApplicable: count('not-applicable'),
    missing: items.filter(item => missing.includes(item.id)).map(({ label }) => label),
    ofRequest: missing.filter(item => item.startsWith('request')).length
  }
}
