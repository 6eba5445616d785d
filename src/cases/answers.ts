import type { KeyObject } from 'node:crypto'
import type { Answer } from '../../schemas/checklist.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import type { RequestRow } from './queries.ts'
import type { ChecklistName } from './request.ts'

/** The answers to a checklist as they are sealed, with the list that they answer. */
export interface Answers {
  checklist: ChecklistName
  answers: Answer[]
}

/** The version is bound in, as for the request. */
const answersContext = (caseId: string, version: number): Buffer =>
  canonicalContext('case-checklist', caseId, String(version))

export function sealAnswers(
  key: KeyObject,
  caseId: string,
  version: number,
  answers: Answers
): Buffer {
  return sealBox(key, answersContext(caseId, version), Buffer.from(JSON.stringify(answers)))
}

/** Undefined until somebody has answered. */
export function openAnswers(
  key: KeyObject,
  row: Pick<RequestRow, 'caseId' | 'answersVersion' | 'answersSealed'>
): Answers | undefined {
  if (row.answersSealed === null) return undefined
  const context = answersContext(row.caseId, row.answersVersion)
  return JSON.parse(openBox(key, context, row.answersSealed).toString())
}
