import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../schemas/common.ts'
import type {
  ConditionGroup,
  Question,
  RequestView,
  RequestWrite,
  SharedRequest,
  Warning
} from '../../schemas/request.ts'
import type { Queries } from '../database/database.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { findRequest, type RequestRow } from './queries.ts'

export type { RequestRow } from './queries.ts'

/** Which list of what a reviewer needs is kept with a case. */
export interface ChecklistName {
  group: ConditionGroup
  version: number
}

/** A request as it is sealed: checked, in one spelling, every question with its number. */
export interface RequestDetails extends Omit<RequestWrite, 'questions'> {
  questions: Question[]
  /** The highest number that was ever given, so that none is given twice. */
  lastNumber: number
  checklist: ChecklistName
}

/** The row that says where a case stands and what is asked. Every case has one. */
export async function requestRow(queries: Queries, caseId: string): Promise<RequestRow> {
  const [row] = await findRequest(queries, { caseId })
  if (row === undefined) throw new Error('A case has no row that says where it stands.')
  return row
}

/** The version is bound in: a box of yesterday does not open in the row of today. */
const requestContext = (caseId: string, version: number): Buffer =>
  canonicalContext('case-request', caseId, String(version))

export function sealRequest(
  key: KeyObject,
  caseId: string,
  version: number,
  details: RequestDetails
): Buffer {
  return sealBox(key, requestContext(caseId, version), Buffer.from(JSON.stringify(details)))
}

/** What is asked; undefined until somebody has written it. */
export function openRequest(
  key: KeyObject,
  row: Pick<RequestRow, 'caseId' | 'version' | 'requestSealed'>
): RequestDetails | undefined {
  if (row.requestSealed === null) return undefined
  const context = requestContext(row.caseId, row.version)
  return JSON.parse(openBox(key, context, row.requestSealed).toString())
}

/**
 * A request as its organisation reads it. Before it is written it is what the case was made with: one
 * question, in the group of everything else.
 */
export function viewRequest(
  row: RequestRow,
  details: RequestDetails | undefined,
  unwritten: { question: string; checklist: ChecklistName },
  warnings: Warning[]
): RequestView {
  const {
    lastNumber: _,
    checklist,
    ...shown
  } = details ?? {
    conditionGroup: unwritten.checklist.group,
    questions: [{ number: 1, text: unwritten.question }],
    lastNumber: 0,
    checklist: unwritten.checklist
  }
  return {
    ...shown,
    case: row.caseId,
    version: row.version,
    checklistVersion: checklist.version,
    ...(row.changedAt !== null && { changedAt: timestamp(row.changedAt) }),
    ...(row.changedBy !== null && { changedBy: row.changedBy }),
    warnings
  }
}

/** The part of a request that goes with a share. Named one by one: what is new stays here. */
export function sharedPart(row: RequestRow, details: RequestDetails): SharedRequest {
  const { conditionGroup, condition, diagnosis, proposedTreatment, urgency, dueDate } = details
  return {
    version: row.version,
    conditionGroup,
    ...(condition && { condition }),
    ...(diagnosis !== undefined && { diagnosis }),
    ...(proposedTreatment !== undefined && { proposedTreatment }),
    ...(urgency && { urgency }),
    ...(dueDate !== undefined && { dueDate }),
    ...(row.dueAt !== null && { dueAt: timestamp(row.dueAt) }),
    questions: details.questions
  }
}

const needed = [
  'condition',
  'diagnosis',
  'proposedTreatment',
  'reason',
  'urgency',
  'dueDate',
  'referringClinician'
] as const

/** What a request must say before its case is complete and does not say yet, as `request.…`. */
export function missingOfRequest(details: RequestDetails | undefined): string[] {
  if (details === undefined) return ['request']
  const missing = needed
    .filter(field => details[field] === undefined)
    .map(name => `request.${name}`)
  return details.questions.length === 0 ? [...missing, 'request.questions'] : missing
}
