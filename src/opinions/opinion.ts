import type { KeyObject } from 'node:crypto'
import type { Attachment, OpinionWrite, ReviewedRecord, Reviewer } from '../../schemas/opinion.ts'
import type { Question } from '../../schemas/request.ts'
import { type CaseRow, openCaseDetails } from '../cases/case.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { openTerms, type ShareRow, type ShareTerms } from '../shares/share.ts'
import { contentOfSigned } from '../signatures.ts'
import type { AddendumRow, OpinionRow } from './queries.ts'

export type { AddendumRow, OpinionRow } from './queries.ts'
export { addendaOf, findSubmitted, opinionStates, pageOfOpinions } from './queries.ts'

/** What an opinion says, in one spelling, its answers in the order of their numbers. */
export type OpinionText = OpinionWrite

/** What is signed of an opinion: all of it, so that it stands by itself. */
export interface SignedOpinion {
  v: 1
  /** The service that signs. */
  iss: string
  /** When it was submitted, RFC 3339 in UTC. */
  at: string
  case: string
  share: string
  /** Of a pseudonymised share only what stands for the patient there. */
  patient:
    | { pseudonym: string }
    | { name: string; birthDate: string; identifier: { system: string; value: string } }
  asked: {
    by: { organisation: string; clinician: string }
    questions: Question[]
    condition?: string
    /** What `confirms`, `refines` and `differs` are about. */
    diagnosis?: string
    plan?: string
  }
  specialist: Reviewer
  opinion: OpinionText
  attachments: Attachment[]
  reviewed: ReviewedRecord[]
}

export interface SignedAddendum {
  v: 1
  iss: string
  at: string
  case: string
  share: string
  /** SHA-256 of the signed opinion it belongs to, in hex. */
  opinion: string
  number: number
  specialist: Reviewer
  text: string
}

/** The version is bound in: a box of yesterday does not open in the row of today. */
const textContext = (id: string, version: number): Buffer =>
  canonicalContext('opinion', id, String(version))
const signedContext = (id: string): Buffer => canonicalContext('opinion-signed', id)
const addendumContext = (id: string, number: number): Buffer =>
  canonicalContext('opinion-addendum', id, String(number))

export function sealText(key: KeyObject, id: string, version: number, text: OpinionText): Buffer {
  return sealBox(key, textContext(id, version), Buffer.from(JSON.stringify(text)))
}

export function openText(
  key: KeyObject,
  row: Pick<OpinionRow, 'id' | 'version' | 'textSealed'>
): OpinionText {
  return JSON.parse(openBox(key, textContext(row.id, row.version), row.textSealed).toString())
}

export function sealSigned(key: KeyObject, id: string, jws: string): Buffer {
  return sealBox(key, signedContext(id), Buffer.from(jws))
}

/** The signed form of a submitted opinion, and what it says; undefined of a draft. */
export function openSigned(
  key: KeyObject,
  row: Pick<OpinionRow, 'id' | 'signedSealed'>
): { jws: string; content: SignedOpinion } | undefined {
  if (row.signedSealed === null) return undefined
  const jws = openBox(key, signedContext(row.id), row.signedSealed).toString()
  return { jws, content: contentOfSigned(jws) }
}

export function sealAddendum(key: KeyObject, id: string, number: number, jws: string): Buffer {
  return sealBox(key, addendumContext(id, number), Buffer.from(jws))
}

export function openAddendum(
  key: KeyObject,
  row: AddendumRow
): { jws: string; content: SignedAddendum } {
  const context = addendumContext(row.opinionId, row.number)
  const jws = openBox(key, context, row.signedSealed).toString()
  return { jws, content: contentOfSigned(jws) }
}

/** What a share asks, as it was when it was made. */
export interface Asked {
  terms: ShareTerms
  questions: Question[]
  /** Whether it is asked by the question of the case alone, as cases without a request are. */
  isPlain: boolean
}

export function askedBy(key: KeyObject, share: ShareRow, found: CaseRow): Asked {
  const terms = openTerms(key, share)
  const questions = terms.request?.questions ?? []
  if (questions.length > 0) return { terms, questions, isPlain: false }
  const text = terms.pseudonymised?.question ?? openCaseDetails(key, found).question
  return { terms, questions: [{ number: 1, text }], isPlain: true }
}
