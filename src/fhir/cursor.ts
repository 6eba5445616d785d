import { Refusal } from '../errors.ts'
import type { ServiceKeys } from '../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'

/** Where a search goes on, and what its link must not say in clear. */
export interface Cursor {
  /** The last event shown. */
  before?: string
  /** The patient asked about, as the log refers to them. */
  patientRef?: Buffer
}

type AuditKey = Pick<ServiceKeys, 'audit'>

/**
 * A cursor as text for a link. FHIR has pages followed by GET, also those of a search by POST, so
 * the patient is in it, sealed: the link tells nobody who they are, and is of no use to another
 * organisation.
 */
export function sealCursor(keys: AuditKey, organisationId: string, cursor: Cursor): string {
  const plain = JSON.stringify({
    before: cursor.before,
    patient: cursor.patientRef?.toString('base64url')
  })
  return sealBox(keys.audit, contextOf(organisationId), Buffer.from(plain)).toString('base64url')
}

/** Opens what `sealCursor` made for this organisation. Throws Refusal `cursor-invalid`. */
export function openCursor(keys: AuditKey, organisationId: string, text: string): Cursor {
  try {
    const box = Buffer.from(text, 'base64url')
    const { before, patient } = JSON.parse(
      openBox(keys.audit, contextOf(organisationId), box).toString()
    )
    return {
      ...(before && { before }),
      ...(patient && { patientRef: Buffer.from(patient, 'base64url') })
    }
  } catch {
    throw new Refusal('cursor-invalid')
  }
}

const contextOf = (organisationId: string): Buffer =>
  canonicalContext('fhir-cursor', organisationId)
