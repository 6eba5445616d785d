import { v7 as uuidv7 } from 'uuid'
import type {
  InvitationCreate,
  InvitationResend,
  InvitationSent,
  InvitationView
} from '../../schemas/invitation.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import type { Caller } from '../identity/principal.ts'
import { holdAccount } from '../sessions/passkey-queries.ts'
import { enqueueInvitation } from './enqueue-invitation.ts'
import { codeRef, ENROLMENT_HOURS, newCode } from './enrolment-code.ts'
import { openEntry } from './entry.ts'
import {
  type InvitationRow,
  openInvitation,
  sealInvitation,
  stateOf,
  viewInvitation
} from './invitation.ts'
import {
  changeOpen,
  countOpen,
  entriesById,
  findInvitation,
  pageOfInvitations
} from './invitation-queries.ts'
import { entryFor, personOf, requireNoPatient, requireOtherWay } from './invitee.ts'
import { findEntry } from './queries.ts'

const HOUR_MILLISECONDS = 3_600_000
/** Invitations of one clinician that somebody could still accept. */
const OPEN_INVITATIONS_MAX = 100
/** How often one invitation is sent before somebody should look at its address. */
const SENDS_MAX = 10

/**
 * Invites a specialist: an entry of the register if there is none, a link to be e-mailed, and a code
 * for the clinician alone to pass on by another way. The code is told this once and kept as a hash.
 */
export async function createInvitation(
  exchange: Exchange,
  caller: Caller,
  wanted: InvitationCreate
): Promise<InvitationSent> {
  requireNoPatient(wanted.message)
  const person = personOf(wanted)
  const issued = issue(exchange)
  const made = await exchange.database.write(async tx => {
    const { invitations } = tx.tables
    const { now, linkId, ref, expiresAt } = issued
    await requireRoom(tx, caller.accountId, now)
    const entry = await entryFor(tx, exchange, caller, person)
    const { name, email } = openEntry(exchange.serviceKeys, entry)
    if (email === undefined) throw new Refusal('invitation-address-missing')
    const id = uuidv7({ msecs: now })
    const { message } = wanted
    const row: InvitationRow = {
      id,
      specialistId: entry.id,
      organisationId: caller.organisationId,
      createdBy: caller.accountId,
      linkId,
      codeRef: ref,
      tries: 0,
      sends: 1,
      codeChannel: requireOtherWay(wanted, email),
      detailsSealed: sealInvitation(exchange.serviceKeys, id, {
        email,
        ...(message !== undefined && { message })
      }),
      createdAt: now,
      sentAt: now,
      expiresAt,
      acceptedAt: null,
      withdrawnAt: null,
      remindedAt: null
    }
    await tx.insert(invitations).values(row)
    await enqueueInvitation(tx, exchange, row, email)
    await exchange.audit.append(tx, {
      action: 'invitation.create',
      outcome: 'success',
      ...actedBy(caller, { invitation: id, specialist: entry.id, codeChannel: row.codeChannel })
    })
    return { row, name }
  })
  return {
    invitation: viewInvitation(made.row, made.name, issued.now),
    code: issued.code
  }
}

/** Sends it again: another link and another code, and what was sent before names nothing any more. */
export async function resendInvitation(
  exchange: Exchange,
  caller: Caller,
  id: string,
  wanted: InvitationResend
): Promise<InvitationSent> {
  const known = await invitationOf(exchange.database.read, caller, id)
  const { email } = openInvitation(exchange.serviceKeys, known)
  const codeChannel = requireOtherWay(wanted, email)
  const issued = issue(exchange)
  const { row, name } = await exchange.database.write(async tx => {
    const { now, linkId, ref, expiresAt } = issued
    const before = await invitationOf(tx, caller, id)
    requireUnended(before, now)
    // One that was over can be accepted again by this.
    if (before.expiresAt <= now) await requireRoom(tx, before.createdBy, now)
    if (before.sends >= SENDS_MAX) throw new Refusal('invitation-sent-too-often')
    const sent = { linkId, codeRef: ref, tries: 0, codeChannel, sentAt: now, expiresAt }
    const change = { ...sent, sends: before.sends + 1, remindedAt: null }
    // Of two at once the second finds one sending more, and its code would never have been told.
    const row = await changeOpen(tx, id, change, before.sends + 1)
    if (row === undefined) throw new Refusal('invitation-ended', 'at once')
    const name = await nameOf(tx, exchange, row)
    await enqueueInvitation(tx, exchange, row, email)
    await exchange.audit.append(tx, {
      action: 'invitation.resend',
      outcome: 'success',
      ...actedBy(caller, { invitation: id, specialist: row.specialistId, codeChannel })
    })
    return { row, name }
  })
  return { invitation: viewInvitation(row, name, issued.now), code: issued.code }
}

/** Withdraws an invitation for good, with its link and its code. */
export async function withdrawInvitation(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<InvitationView> {
  const now = exchange.clock()
  return await exchange.database.write(async tx => {
    requireUnended(await invitationOf(tx, caller, id), now)
    const row = await changeOpen(tx, id, { withdrawnAt: now, codeRef: null })
    if (row === undefined) throw new Refusal('invitation-ended', 'at once')
    await exchange.audit.append(tx, {
      action: 'invitation.withdraw',
      outcome: 'success',
      ...actedBy(caller, { invitation: id, specialist: row.specialistId })
    })
    return viewInvitation(row, await nameOf(tx, exchange, row), now)
  })
}

/** Invitations of the caller's organisation, newest first. */
export async function listInvitations(
  exchange: Exchange,
  caller: Caller,
  page: Page
): Promise<{ invitations: InvitationView[]; next?: string }> {
  const { database, limits, serviceKeys } = exchange
  const { organisationId } = caller
  const { rows, next } = await pageOf(page, limits, (before, limit) =>
    pageOfInvitations(database.read, { organisationId, before, limit })
  )
  const ids = [...new Set(rows.map(row => row.specialistId))]
  const entries = await entriesById(database.read, ids)
  const names = new Map(entries.map(entry => [entry.id, openEntry(serviceKeys, entry).name]))
  await exchange.audit.add({
    action: 'invitation.list',
    outcome: 'success',
    ...actedBy(caller, { shown: rows.map(row => row.id) })
  })
  const now = exchange.clock()
  const invitations = rows.map(row => viewInvitation(row, names.get(row.specialistId) ?? '', now))
  return { invitations, ...(next && { next }) }
}

/** One of them. Throws Refusal `invitation-not-found`, alike for those of others. */
export async function readInvitation(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<InvitationView> {
  const { database } = exchange
  const row = await invitationOf(database.read, caller, id)
  await exchange.audit.add({
    action: 'invitation.list',
    outcome: 'success',
    ...actedBy(caller, { shown: [id] })
  })
  return viewInvitation(row, await nameOf(database.read, exchange, row), exchange.clock())
}

/** The id of a fresh link, and a fresh code for it. */
function issue(exchange: Exchange) {
  const now = exchange.clock()
  const expiresAt = now + ENROLMENT_HOURS * HOUR_MILLISECONDS
  const linkId = uuidv7({ msecs: now })
  const code = newCode()
  return {
    now,
    expiresAt,
    linkId,
    code,
    ref: codeRef(exchange.serviceKeys.lookup, linkId, code)
  }
}

/** An invitation of the caller's organisation. To everybody else it does not exist. */
async function invitationOf(queries: Queries, caller: Caller, id: string): Promise<InvitationRow> {
  const [row] = await findInvitation(queries, id)
  if (row === undefined) throw new Refusal('invitation-not-found')
  if (row.organisationId !== caller.organisationId) {
    const about = { organisationId: row.organisationId }
    throw new Refusal('invitation-not-found', 'of another organisation', { about })
  }
  return row
}

/** For one invitation more that somebody can accept, however many are made at once. */
async function requireRoom(tx: Queries, accountId: string, now: number): Promise<void> {
  await holdAccount(tx, accountId)
  if ((await countOpen(tx, accountId, now)) < OPEN_INVITATIONS_MAX) return
  throw new Refusal('too-many-invitations')
}

function requireUnended(row: InvitationRow, now: number): void {
  const state = stateOf(row, now)
  if (state === 'accepted' || state === 'withdrawn') throw new Refusal('invitation-ended')
}

async function nameOf(tx: Queries, exchange: Exchange, row: InvitationRow): Promise<string> {
  const [entry] = await findEntry(tx, { id: row.specialistId })
  if (entry === undefined) throw new Error('An invitation names an entry that is not there.')
  return openEntry(exchange.serviceKeys, entry).name
}
