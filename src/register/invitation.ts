import { timestamp } from '../../schemas/common.ts'
import { codeChannels, type InvitationView } from '../../schemas/invitation.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange, ServiceKeys } from '../exchange.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { TRIES_MAX } from './enrolment-code.ts'
import { findByLink, type InvitationRow } from './invitation-queries.ts'

export type { InvitationRow } from './invitation-queries.ts'

/** What an invitation keeps sealed. */
export interface InvitationDetails {
  email: string
  /** For the specialist once they are enrolled. It is never mailed. */
  message?: string
}

type DirectoryKey = Pick<ServiceKeys, 'directory'>

const detailsContext = (id: string): Buffer => canonicalContext('invitation', id)

export function sealInvitation(keys: DirectoryKey, id: string, details: InvitationDetails): Buffer {
  return sealBox(keys.directory, detailsContext(id), Buffer.from(JSON.stringify(details)))
}

export function openInvitation(
  keys: DirectoryKey,
  row: Pick<InvitationRow, 'id' | 'detailsSealed'>
): InvitationDetails {
  return JSON.parse(openBox(keys.directory, detailsContext(row.id), row.detailsSealed).toString())
}

export function stateOf(row: InvitationRow, now: number): InvitationView['state'] {
  if (row.acceptedAt !== null) return 'accepted'
  if (row.withdrawnAt !== null) return 'withdrawn'
  if (now >= row.expiresAt) return 'expired'
  return row.tries >= TRIES_MAX ? 'locked' : 'open'
}

/**
 * The link with this id, unless another is in force by now or nobody can accept it any more. Each time
 * it is asked for it is the same.
 */
export async function invitationLink(
  queries: Queries,
  links: Exchange['invitationLinks'],
  linkId: string,
  now: number
): Promise<string | undefined> {
  const [row] = await findByLink(queries, linkId)
  if (row === undefined || stateOf(row, now) !== 'open') return undefined
  const { sentAt, expiresAt } = row
  return links.make({ id: linkId, issuedAt: sentAt, notBefore: sentAt, expiresAt })
}

/** Why nobody can accept it any more. Only whoever holds its link is told. */
export function refusalOf(row: InvitationRow | undefined, now: number): Refusal {
  if (row === undefined) return new Refusal('invitation-not-found', 'another link is in force')
  const about = { organisationId: row.organisationId }
  const state = stateOf(row, now)
  if (state === 'open') return new Refusal('internal-error', 'a try was not counted')
  return new Refusal(`invitation-${state}`, undefined, { about })
}

export function viewInvitation(row: InvitationRow, name: string, now: number): InvitationView {
  return {
    id: row.id,
    specialist: row.specialistId,
    name,
    createdBy: row.createdBy,
    createdAt: timestamp(row.createdAt),
    sentAt: timestamp(row.sentAt),
    expiresAt: timestamp(row.expiresAt),
    state: stateOf(row, now),
    triesLeft: TRIES_MAX - row.tries,
    sends: row.sends,
    codeChannel: toChannel(row.codeChannel)
  }
}

function toChannel(text: string) {
  const channel = codeChannels.find(name => name === text)
  if (channel === undefined) throw new Error('An invitation names a channel this release lacks.')
  return channel
}
