import { hash, randomBytes } from 'node:crypto'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { toRole } from '../identity/accounts.ts'
import { EXCHANGE_SCOPE } from '../identity/authenticate.ts'
import type { Caller, Principal, Trace } from '../identity/principal.ts'
import { canonicalContext, openBox, sealBox } from '../sealing/keys.ts'
import { holdAccount } from './passkey-queries.ts'
import {
  deleteExpired,
  deleteSessions,
  findSession,
  insertSession,
  type SessionRow,
  sessionsOf,
  touchSession
} from './queries.ts'

type Parts = Pick<Exchange, 'database' | 'audit' | 'clock' | 'limits'>

/** What calls of the pages are by, where machines have the id of their client. */
export const PAGES_CLIENT = 'pages'

const MINUTE_MILLISECONDS = 60_000
/** How often a session that is used is written down as used: no page costs a write of its own. */
const TOUCH_MILLISECONDS = MINUTE_MILLISECONDS
const COOKIE_BYTES = 32

/** Somebody who has just proved who they are. */
export interface Proven {
  accountId: string
  organisationId: string
  /** `EMBEDDED`, or the URL of an external issuer; with `subject` it is the identity. */
  issuer: string
  subject: string
  assurance: 'passkey' | 'external'
  /** Which passkey it was: without it the session ends. */
  passkeyId?: string
}

/** A session as its holder sees it. */
export interface SessionView {
  id: string
  address: string
  userAgent: string | undefined
  createdAt: number
  seenAt: number
}

/** Whoever calls with a session, and what the session itself says. */
export interface SignedIn {
  principal: Principal
  sessionId: string
  /** When they last proved who they are, in milliseconds UTC. */
  provenAt: number
}

/**
 * Signs somebody in, inside the caller's transaction, and resolves to the value of their cookie, which
 * is stored nowhere. It is always a new one, so nobody can have known it before (session fixation).
 */
export async function beginSession(
  tx: Queries,
  { audit, clock, limits, serviceKeys }: Parts & Pick<Exchange, 'serviceKeys'>,
  trace: Trace,
  { organisationId, passkeyId, ...proven }: Proven
): Promise<string> {
  const cookie = randomBytes(COOKIE_BYTES).toString('base64url')
  const now = clock()
  const id = storedId(cookie)
  const { assurance, issuer } = proven
  const { address, ...request } = trace
  const origin = Buffer.from(JSON.stringify({ address, userAgent: request.userAgent }))
  await insertSession(tx, {
    id,
    ...proven,
    passkeyId: passkeyId ?? null,
    originSealed: sealBox(serviceKeys.directory, originContext(id), origin),
    createdAt: now,
    seenAt: now,
    provenAt: now,
    expiresAt: now + limits.sessionHoursMax * 60 * MINUTE_MILLISECONDS
  })
  await audit.append(tx, {
    action: 'session.begin',
    outcome: 'success',
    organisationId,
    actorId: proven.accountId,
    actorOrganisationId: organisationId,
    details: { address, ...request, assurance, ...(assurance === 'external' && { issuer }) }
  })
  return cookie
}

/**
 * Who calls with this cookie. Throws Refusal `session-ended` when nobody does any more: it is unknown,
 * too old, or was not used for too long; or `account-disabled`. Whether the account has changed is read
 * each time, so disabling it applies at once.
 */
export async function callerOfSession(exchange: Parts, cookie: string): Promise<SignedIn> {
  const { database, clock, limits } = exchange
  const now = clock()
  const [row] = await findSession(database.read, { id: storedId(cookie) })
  const idleSince = now - limits.sessionIdleMinutesMax * MINUTE_MILLISECONDS
  if (row === undefined || row.session.expiresAt <= now || row.session.seenAt <= idleSince) {
    throw new Refusal('session-ended')
  }
  const { session, organisationId, role, country, disabledAt } = row
  const { id, accountId, issuer, subject, seenAt, provenAt } = session
  if (disabledAt !== null) {
    const about = { actorId: accountId, actorOrganisationId: organisationId, organisationId }
    throw new Refusal('account-disabled', undefined, { about })
  }
  if (now - seenAt > TOUCH_MILLISECONDS) await database.write(tx => touchSession(tx, id, now))
  const assurance = session.assurance === 'external' ? 'external' : 'passkey'
  const principal: Principal = {
    accountId,
    organisationId,
    role: toRole(role),
    country,
    issuer,
    subject,
    clientId: PAGES_CLIENT,
    scope: EXCHANGE_SCOPE,
    assurance,
    provenAt,
    sessionBegunAt: session.createdAt
  }
  return { principal, sessionId: id, provenAt }
}

/** Ends the session of a caller, or all of theirs on every machine, and resolves to how many. */
export async function endSessions(
  { database, audit }: Parts,
  caller: Caller,
  which: { id?: string } = {}
): Promise<number> {
  return database.write(async tx => {
    // One whose holder proves at this moment who they are goes on as another: it is waited for.
    await holdAccount(tx, caller.accountId)
    const ended = await deleteSessions(tx, { accountId: caller.accountId, ...which })
    const { address, ...request } = caller.trace
    await audit.append(tx, {
      action: 'session.end',
      outcome: 'success',
      organisationId: caller.organisationId,
      actorId: caller.accountId,
      actorOrganisationId: caller.organisationId,
      details: { address, ...request, sessions: ended.length }
    })
    return ended.length
  })
}

/** The sessions of an account that still count, latest first. */
export async function listSessions(
  { database, clock, limits, serviceKeys }: Parts & Pick<Exchange, 'serviceKeys'>,
  accountId: string
): Promise<SessionView[]> {
  const now = clock()
  const seenAfter = now - limits.sessionIdleMinutesMax * MINUTE_MILLISECONDS
  const rows = await sessionsOf(database.read, { accountId, now, seenAfter })
  return rows.map((row: SessionRow) => {
    const { id, createdAt, seenAt, originSealed } = row
    const origin = openBox(serviceKeys.directory, originContext(id), originSealed)
    const { address, userAgent } = JSON.parse(origin.toString())
    return { id, createdAt, seenAt, address, userAgent }
  })
}

/**
 * Ends every session of an account, or those that one passkey began, inside the caller's transaction,
 * which says why. Resolves to how many.
 */
export async function endSessionsOf(
  tx: Queries,
  accountId: string,
  which: { passkeyId?: string } = {}
): Promise<number> {
  return (await deleteSessions(tx, { accountId, ...which })).length
}

/**
 * Notes inside the caller's transaction that the holder of a session proved again who they are, and
 * resolves to the cookie under which it goes on: the one before is worth nothing from then on, so that
 * who had learnt it has not gained this proof (OWASP ASVS 5.0, 7.2.4). Throws Refusal `session-ended`
 * when it was ended meanwhile.
 */
export async function proveAgain(
  tx: Queries,
  { clock, serviceKeys }: Pick<Exchange, 'clock' | 'serviceKeys'>,
  { accountId, sessionId }: { accountId: string; sessionId: string }
): Promise<string> {
  await holdAccount(tx, accountId)
  const [row] = await deleteSessions(tx, { accountId, id: sessionId })
  if (row === undefined) throw new Refusal('session-ended')
  const cookie = randomBytes(COOKIE_BYTES).toString('base64url')
  const id = storedId(cookie)
  const origin = openBox(serviceKeys.directory, originContext(sessionId), row.originSealed)
  const originSealed = sealBox(serviceKeys.directory, originContext(id), origin)
  const now = clock()
  await insertSession(tx, { ...row, id, originSealed, seenAt: now, provenAt: now })
  return cookie
}

/**
 * Ends the session that a browser had when somebody signed in with it anew, whoever's it was: two of one
 * browser would leave one that nobody can end by signing out. Nothing is done for one that is over.
 */
export async function leaveSession(exchange: Parts, trace: Trace, cookie: string): Promise<void> {
  const held = await callerOfSession(exchange, cookie).catch(ifRefused)
  if (held === undefined) return
  await endSessions(exchange, { ...held.principal, trace }, { id: held.sessionId })
}

function ifRefused(err: unknown): undefined {
  if (!(err instanceof Refusal)) throw err
}

/**
 * Lets those pass who proved who they are a short while ago. Throws Refusal `proof-needed`. A machine
 * has no such moment: it proves it with each token.
 */
export function requireRecentProof(
  { clock, limits }: Pick<Exchange, 'clock' | 'limits'>,
  { provenAt }: Pick<Caller, 'provenAt'>
): void {
  if (provenAt === undefined) return
  if (clock() - provenAt > limits.proofMinutesMax * MINUTE_MILLISECONDS) {
    throw new Refusal('proof-needed')
  }
}

/** Removes what is over, in one batch, and resolves to how many rows went. Safe to stop and to repeat. */
export async function removeEnded(
  { database, clock }: Pick<Exchange, 'database' | 'clock'>,
  batchMax: number
): Promise<number> {
  return database.write(tx => deleteExpired(tx, { now: clock(), batchMax }))
}

const originContext = (id: string): Buffer => canonicalContext('session', id)

const storedId = (cookie: string): string => hash('sha256', cookie, 'base64url')
