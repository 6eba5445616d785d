import { hash, randomBytes } from 'node:crypto'
import type { Action } from '../../schemas/audit-event.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Attempt, ShownPerson, SignInIssuer } from '../identity/sign-in-issuers.ts'
import { beginCeremony, endCeremony } from './ceremonies.ts'

type Parts = Pick<Exchange, 'database' | 'clock' | 'serviceKeys'>

/** How long somebody may take at the other issuer, with a second factor to be found. */
export const ERRAND_MINUTES = 15
/** RFC 6749, section 10.10, asks for 160 bits at least, RFC 7636 for 256. */
const SECRET_BYTES = 32

/** What the access log calls an errand. */
export const errandActions = {
  'sign-in': 'session.begin',
  prove: 'session.prove',
  enrol: 'enrolment.use',
  invitation: 'invitation.accept'
} as const satisfies Record<string, Action>

export type ErrandKind = keyof typeof errandActions

/** What somebody was sent to an issuer of others for. */
export interface Errand {
  kind: ErrandKind
  accountId?: string
  /** Where they wanted to go: a path of ours. */
  next?: string
  /** What else the way back needs, such as which enrolment it is. */
  about?: Record<string, unknown>
}

/** An errand from which somebody has come back, once: nobody comes back from it again. */
export interface EndedErrand extends Errand {
  /** Asks the issuer whom it signed in. */
  person(): Promise<ShownPerson>
}

/** What is kept of it meanwhile, sealed. */
interface Details {
  kind: ErrandKind
  next?: string
  about?: Record<string, unknown>
  issuer: string
  attempt: Omit<Attempt, 'state'>
  /** SHA-256 of what the browser holds. */
  browser: string
  begunAt: number
}

/** What a browser is known again by. */
export const newErrandSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url')

/**
 * Sends a browser to an issuer, and resolves to the address there. Whoever comes back is known by
 * `state`, and the browser by what its cookie holds. Proving oneself again asks even those whom the
 * issuer knows. Throws Refusal `issuer-unavailable`.
 */
export async function sendOnErrand(
  exchange: Parts,
  issuer: SignInIssuer,
  browser: string,
  { accountId, ...errand }: Errand
): Promise<string> {
  const attempt = { nonce: newErrandSecret(), verifier: newErrandSecret() }
  const details: Details = {
    ...errand,
    issuer: issuer.name,
    attempt,
    browser: digestOf(browser),
    begunAt: exchange.clock()
  }
  const state = await beginCeremony(exchange, 'errand', {
    ...(accountId !== undefined && { accountId }),
    minutes: ERRAND_MINUTES,
    details: { ...details }
  })
  return issuer.signInUrl({ ...attempt, state }, errand.kind === 'prove')
}

/**
 * Takes an errand out of the world, before anything that came back is looked at. Throws Refusal
 * `ceremony-ended` for a `state` that is unknown, used or too old, and `issuer-answer-refused` in another
 * browser, or from another issuer than the one that was asked.
 */
export async function endErrand(
  exchange: Parts,
  issuer: SignInIssuer,
  come: { query: string; state: string; browser: string | undefined }
): Promise<EndedErrand> {
  const { state, query, browser = '' } = come
  const { accountId, details } = await endCeremony(exchange, 'errand', state)
  const { kind, next, about, attempt, begunAt, ...known } = details as unknown as Details
  const refused = (why: string) =>
    new Refusal('issuer-answer-refused', why, { action: errandActions[kind] })
  // Both are digests of 256 random bits: the time a comparison takes tells nothing of use.
  if (known.browser !== digestOf(browser)) throw refused('another browser')
  if (known.issuer !== issuer.name) throw refused('another issuer')
  return {
    kind,
    ...(accountId !== undefined && { accountId }),
    ...(next !== undefined && { next }),
    ...(about !== undefined && { about }),
    person: () =>
      issuer.person(query, { ...attempt, state }, kind === 'prove' ? begunAt : undefined)
  }
}

/** Has whatever is refused of an errand be called by what it was for. */
export async function judgedAs<T>(kind: ErrandKind, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (err) {
    if (!(err instanceof Refusal)) throw err
    const extra = { ...err.extra, action: errandActions[kind] }
    throw new Refusal(err.code, err.message, extra, err.cause)
  }
}

const digestOf = (secret: string): string => hash('sha256', secret, 'base64url')
