import { v7 as uuidv7 } from 'uuid'
import type { InvitationAccept, InvitationAccepted } from '../../schemas/invitation.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { describeSender } from '../identity/accounts.ts'
import type { VerifiedToken } from '../identity/authenticate.ts'
import { bindIdentity, type ProvenIdentity, proveIdentity } from '../identity/bind-identity.ts'
import type { Trace } from '../identity/principal.ts'
import { sealProfile } from '../identity/profile.ts'
import { codeRef, isSameCode, TRIES_MAX } from './enrolment-code.ts'
import { type EntryDetails, openEntry } from './entry.ts'
import { type InvitationRow, openInvitation, refusalOf } from './invitation.ts'
import {
  bindEntry,
  changeOpen,
  countTry,
  findByLink,
  findByLinkHeld
} from './invitation-queries.ts'
import { findEntryHeld } from './queries.ts'

/**
 * Accepts an invitation with its link, which came by mail, and its code, which came another way. A try
 * is counted before the code is looked at, and stays counted when it is wrong; tries are counted only
 * for who has the link, so that strangers lock nobody out. With the right code an account is made for
 * the entry, and it still has to be verified before anything can be sent to it.
 */
export async function acceptInvitation(
  exchange: Exchange,
  trace: Trace,
  shown: InvitationAccept,
  verifyToken: (token: string) => Promise<VerifiedToken>
): Promise<InvitationAccepted> {
  exchange.logGuard.requireLog()
  const linkId = await exchange.invitationLinks.read(shown.link)
  const proven = await proveIdentity(shown, verifyToken)
  const done = await withRightCode(exchange, linkId, shown.code, async (tx, row) => ({
    account: await enrolInvited(tx, exchange, trace, row, proven),
    row
  }))
  const { account, row } = done
  const { message } = openInvitation(exchange.serviceKeys, row)
  return {
    account: account.id,
    ...(account.clientId !== undefined && { clientId: account.clientId }),
    state: 'unverified',
    invitedBy: await describeSender(exchange.database.read, exchange.serviceKeys, row.createdBy),
    ...(message !== undefined && { message })
  }
}

/**
 * Tries the code of an invitation, and runs `work` in the same transaction when it is right. The try is
 * counted before the code is looked at, and stays counted when it is wrong. Throws Refusal
 * `enrolment-code-wrong`, or why nobody can accept it any more.
 */
export async function withRightCode<T>(
  exchange: Exchange,
  linkId: string,
  code: string,
  work: (tx: Queries, row: InvitationRow) => Promise<T>
): Promise<T> {
  const given = codeRef(exchange.serviceKeys.lookup, linkId, code)
  const done = await exchange.database.write(async tx => {
    const now = exchange.clock()
    const counted = await countTry(tx, { linkId, now, triesMax: TRIES_MAX })
    if (counted === undefined) throw refusalOf((await findByLink(tx, linkId))[0], now)
    if (isSameCode(counted.codeRef, given)) return { result: await work(tx, counted) }
    // Not thrown in here: the transaction would take the count back.
    if (counted.tries >= TRIES_MAX) await changeOpen(tx, counted.id, { codeRef: null })
    return { wrong: counted }
  })
  if ('result' in done) return done.result as T
  const about = { organisationId: done.wrong.organisationId }
  throw new Refusal('enrolment-code-wrong', undefined, { about })
}

/**
 * The invitation of this link, whose code was right a while ago, if it is in force still; it is neither
 * sent anew nor withdrawn before the transaction ends. Throws why nobody can accept it any more.
 */
export async function requireInForce(
  tx: Queries,
  linkId: string,
  now: number
): Promise<InvitationRow> {
  // A link that was sent anew in the meantime has another id, and its code was given by nobody here.
  const [row] = await findByLinkHeld(tx, linkId)
  const isOpen = row?.codeRef && row.withdrawnAt === null && row.expiresAt > now
  if (row === undefined || !isOpen) throw refusalOf(row, now)
  return row
}

/** The account of the entry, under the entry's own id, with the identity that was shown. */
export async function enrolInvited(
  tx: Queries,
  exchange: Exchange,
  trace: Trace,
  row: InvitationRow,
  proven: ProvenIdentity
): Promise<{ id: string; organisationId: string; clientId?: string }> {
  const now = exchange.clock()
  const { serviceKeys, audit } = exchange
  // Held: of two who accept at once the second waits here, and is told.
  const [entry] = await findEntryHeld(tx, { id: row.specialistId })
  if (entry === undefined) throw new Error('An invitation names an entry that is not there.')
  // Two organisations may have invited the same person: the second has nobody to enrol any more.
  if (entry.accountId !== null) throw new Refusal('invitation-not-needed')
  const details = openEntry(serviceKeys, entry)
  const { id, country } = entry
  const by = { invitation: row.id, specialist: id }
  const organisationId = await organisationFor(tx, exchange, details, country, by)
  await tx.insert(tx.tables.accounts).values({
    id,
    organisationId,
    role: 'specialist',
    country,
    profileSealed: sealProfile(serviceKeys, id, profileOf(details)),
    createdAt: now,
    disabledAt: null
  })
  const bound = await bindEntry(tx, id, id, now)
  if (bound === undefined) throw new Refusal('invitation-not-needed', 'at once')
  const change = { acceptedAt: now, codeRef: null }
  if ((await changeOpen(tx, row.id, change)) === undefined) throw refusalOf(row, now)
  const { clientId } = await bindIdentity(tx, exchange, { id, organisationId }, proven)
  const { address, ...request } = trace
  await audit.append(tx, {
    action: 'account.create',
    outcome: 'success',
    organisationId,
    details: { ...by, account: id, role: 'specialist', country }
  })
  await audit.append(tx, {
    action: 'invitation.accept',
    outcome: 'success',
    // On the log of those who sent it, and of the one who accepted.
    organisationId: row.organisationId,
    actorId: id,
    actorOrganisationId: organisationId,
    details: { address, ...request, ...by, account: id }
  })
  return { id, organisationId, ...(clientId !== undefined && { clientId }) }
}

function profileOf(details: EntryDetails) {
  const { name, professionalBody, registrationNumber, email } = details
  return {
    name,
    ...(professionalBody !== undefined && { professionalBody }),
    ...(registrationNumber !== undefined && { registrationNumber }),
    ...(email !== undefined && { email })
  }
}

/**
 * Where they work: the organisation an administrator named, else one of their own. It is never matched
 * by its name, which anybody could have typed, because its auditors see what its people do.
 */
async function organisationFor(
  tx: Queries,
  { audit, clock }: Pick<Exchange, 'audit' | 'clock'>,
  details: EntryDetails,
  country: string,
  by: Record<string, string>
): Promise<string> {
  if (details.organisationId !== undefined) return details.organisationId
  const createdAt = clock()
  const id = uuidv7({ msecs: createdAt })
  const { organisation: name } = details
  await tx.insert(tx.tables.organisations).values({ id, name, odsCode: null, country, createdAt })
  await audit.append(tx, {
    action: 'organisation.create',
    outcome: 'success',
    organisationId: id,
    details: by
  })
  return id
}
