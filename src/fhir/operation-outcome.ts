import { PROBLEM_SYSTEM } from '../audit/fhir/codes.ts'
import { publicFace, type Refusal } from '../errors.ts'
import type { OperationOutcome } from './r4.ts'

export const FHIR_JSON = 'application/fhir+json; charset=utf-8'

/** Codes of http://hl7.org/fhir/issue-type, by the status of the answer. */
const issueTypes: Record<number, string> = {
  400: 'invalid',
  401: 'login',
  403: 'forbidden',
  404: 'not-found',
  406: 'not-supported',
  413: 'too-long',
  415: 'not-supported',
  422: 'invalid',
  429: 'throttled',
  503: 'transient'
}

/** Whether a request is answered in FHIR's way, also when there is no such route. */
export const isFhir = (url: string): boolean => /^\/fhir(\/|\?|$)/.test(url)

/** A refusal as FHIR tells it: the same code, title and advice as in problem details. */
export function operationOutcome(refusal: Refusal): OperationOutcome {
  const { status, title, next } = publicFace(refusal.code)
  const { problems = [] } = refusal.extra
  return {
    resourceType: 'OperationOutcome',
    issue: [
      {
        severity: 'error',
        code: issueTypes[status] ?? 'exception',
        details: { coding: [{ system: PROBLEM_SYSTEM, code: refusal.code }], text: title },
        diagnostics: problems.length === 0 ? next : problems.join('; ')
      }
    ]
  }
}
