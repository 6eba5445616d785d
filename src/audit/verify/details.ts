import type { KeyObject } from 'node:crypto'
import { timestamp } from '../../../schemas/common.ts'
import { SealError } from '../../sealing/seal-error.ts'
import { canonicalJson } from '../canonical.ts'
import { commitmentTo, type Details, type Leaf, openDetails, SALT_BYTES } from '../entry.ts'
import type { EventRow } from './queries.ts'

const MEMBERS = [
  'actor',
  'actorOrganisation',
  'case',
  'code',
  'country',
  'details',
  'object',
  'organisation',
  'patient',
  'record',
  'share'
]

/**
 * Details as they are committed to: canonical JSON behind their salt. The other result says what is
 * wrong, to stand after "its details".
 */
export function readDetails(leaf: Leaf, salted: Buffer): Details | string {
  if (salted.byteLength <= SALT_BYTES) return 'are too short'
  if (commitmentTo(salted) !== leaf.d) return 'are not those its leaf commits to'
  const bytes = salted.subarray(SALT_BYTES)
  try {
    const details: Details = JSON.parse(bytes.toString())
    const names = Object.keys(details)
    const isCanonical = Buffer.from(canonicalJson(details)).equals(bytes)
    if (isCanonical && names.every(name => MEMBERS.includes(name))) return details
  } catch {
    // The parser's own message quotes the text, which is personal.
  }
  return 'are not in canonical form, or have members they must not have'
}

/** Opens and checks the sealed details of a row; what is wrong as `readDetails` says it. */
export function unsealDetails(key: KeyObject, leaf: Leaf, sealed: Buffer): Details | string {
  try {
    return readDetails(leaf, openDetails(key, leaf.id, sealed))
  } catch (err) {
    if (!(err instanceof SealError)) throw err
    return `do not open: ${err.code}`
  }
}

type Said = [column: string, value: unknown, other: unknown]

/** Columns that do not say what the leaf says. */
export function columnsUnlikeLeaf(row: EventRow, leaf: Leaf): string[] {
  const said: Said[] = [
    ['id', row.id, leaf.id],
    ['at', timeOf(row.at), leaf.at],
    ['action', row.action, leaf.action],
    ['outcome', row.outcome, leaf.outcome],
    ...(leaf.share === undefined ? [] : [['share_id', row.shareId, leaf.share] as Said]),
    ['grant_id', row.grantId, leaf.grant],
    ['bytes_handed_over', row.bytesHandedOver, leaf.bytes]
  ]
  return unlike(said)
}

/** Columns that do not say what the details say. */
export function columnsUnlikeDetails(row: EventRow, leaf: Leaf, details: Details): string[] {
  const said: Said[] = [
    ['code', row.code, details.code],
    ['organisation_id', row.organisationId, details.organisation],
    ['actor_id', row.actorId, details.actor],
    ['actor_organisation_id', row.actorOrganisationId, details.actorOrganisation],
    ['case_id', row.caseId, details.case],
    ['record_id', row.recordId, details.record],
    ['object_id', row.objectId, details.object],
    ['patient_ref', row.patientRef?.toString('base64url'), details.patient],
    ['recipient_country', row.recipientCountry, details.country],
    // A share is in the leaf or in the details.
    ...(leaf.share === undefined ? [['share_id', row.shareId, details.share] as Said] : [])
  ]
  return unlike(said)
}

const unlike = (said: Said[]): string[] =>
  said.filter(([, value, other]) => (value ?? undefined) !== other).map(([column]) => column)

/** A time that is none was not written by us, and is like no other. */
function timeOf(milliseconds: number): string | undefined {
  try {
    return timestamp(milliseconds)
  } catch {
    return undefined
  }
}
