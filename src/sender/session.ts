import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { Ending } from './ending.ts'
import {
  type AccessToken,
  type ClientKey,
  requestToken,
  TokenEndpointAway
} from './machine-client.ts'
import { type Patience, patiently } from './patience.ts'
import { endingOf, LineBroken, Refused } from './problem.ts'

/** A token is renewed when this share of its life is over, and at the latest so long before its end. */
const TOKEN_LIFE_USED = 0.7
const TOKEN_SPARE_MILLISECONDS = 30_000

/** A manifest of several thousand files has some megabytes. */
export const JSON_BYTES_MAX = 128 * 1024 ** 2
const PROBLEM_BYTES_MAX = 8 * 1024 ** 2
/** A record of thousands of files takes the service a while. */
export const ANSWER_MILLISECONDS_MAX = 300_000

/** Speaks to one service as one client. */
export interface Session extends Patience {
  /** Where it answers, without a path. */
  origin: string
  /** The value of the Authorization header, good for a while yet. */
  authorization(): Promise<string>
  /** Takes note of a refusal of the token that was sent: whether another may be accepted. */
  tookToken(refused: Refused, authorization: string): Refused
  /** Ends everything that is under way, for this reason. */
  abort(reason: unknown): void
  /** One request, without waiting anything out. Throws Refused, LineBroken or Ending. */
  ask(method: string, path: string, options?: AskOptions): Promise<Response>
  /** An answer that must have this form, with passing trouble waited out. */
  json<T extends TSchema>(form: T, method: string, path: string, body?: unknown): Promise<Static<T>>
}

interface AskOptions {
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface SessionOptions extends Omit<Patience, 'signal'> {
  /** Ends the run: by the user, or by the first part of it that cannot go on. */
  control: AbortController
  url: URL
  /** What the service calls itself. */
  knownAs: URL
  key: ClientKey
}

export function openSession(options: SessionOptions): Session {
  const { url, knownAs, key, control, patienceMilliseconds, onWait } = options
  const { signal } = control
  const { origin } = url
  let held: { token: AccessToken; until: number } | undefined
  let asking: Promise<string> | undefined

  async function newToken(): Promise<string> {
    const token = await requestToken(origin, key, knownAs.origin).catch((err: Error) => {
      if (!(err instanceof TokenEndpointAway)) throw new Ending('unauthorised', err.message)
      throw err.cause === undefined ? new LineBroken(err.message) : brokenBy(err.cause)
    })
    const life = token.seconds * 1000
    const use = Math.max(life * TOKEN_LIFE_USED, life - TOKEN_SPARE_MILLISECONDS)
    held = { token, until: performance.now() + Math.min(use, life) }
    return token.value
  }

  const session: Session = {
    origin,
    patienceMilliseconds,
    onWait,
    signal,
    abort: reason => control.abort(reason),
    async authorization() {
      if (held !== undefined && performance.now() < held.until) return `Bearer ${held.token.value}`
      // Many requests that find the token old ask for one new one.
      asking ??= newToken().finally(() => {
        asking = undefined
      })
      return `Bearer ${await asking}`
    },
    tookToken(refused, authorization) {
      if (refused.status !== 401) return refused
      const isHeld = held !== undefined && authorization === `Bearer ${held.token.value}`
      if (isHeld) held = undefined
      // A clock that is a little off must not end a long run, and others may have asked for a new one
      // meanwhile; but one that was never any good is not asked for again and again.
      refused.mayPass = !isHeld || refused.code === 'token-expired'
      return refused
    },
    async ask(method, path, { body, headers = {}, signal: own } = {}) {
      for (let attempt = 1; ; attempt += 1) {
        const authorization = await session.authorization()
        const signals = own === undefined ? [signal] : [signal, own]
        const response = await fetch(`${origin}${path}`, {
          method,
          redirect: 'manual',
          signal: AbortSignal.any(signals),
          headers: {
            ...headers,
            ...(body !== undefined && { 'content-type': 'application/json' }),
            authorization
          },
          ...(body !== undefined && { body: JSON.stringify(body) })
        }).catch(err => {
          throw brokenBy(err)
        })
        if (response.ok) return response
        const refused = session.tookToken(await refusedBy(response), authorization)
        if (!refused.mayPass || attempt > 1) throw endingOf(refused) ?? refused
      }
    },
    json: (form, method, path, body) =>
      patiently(session, async () => {
        const time = AbortSignal.timeout(ANSWER_MILLISECONDS_MAX)
        const response = await session.ask(method, path, { body, signal: time })
        return parseAs(form, await textOf(response, JSON_BYTES_MAX))
      })
  }
  return session
}

/** The text of an answer of this form. Throws Ending for what this service would never say. */
export function parseAs<T extends TSchema>(form: T, text: string): Static<T> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Below.
  }
  if (Value.Check(form, value)) return value as Static<T>
  throw new Ending(
    'stopped',
    'What answered is not this service, or another release of it: is there a page of a proxy in between?'
  )
}

export async function refusedBy(response: Response): Promise<Refused> {
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel()
    throw new Ending('stopped', 'The service sends on to another address: give that one as --url.')
  }
  const text = await textOf(response, PROBLEM_BYTES_MAX)
  return new Refused(response.status, text, response.headers.get('retry-after') ?? undefined)
}

/** Reads an answer to its end, which may not be longer than this. */
export async function textOf(response: Response, bytesMax: number): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const piece of response.body ?? []) {
      bytes += piece.byteLength
      if (bytes > bytesMax) throw new Ending('stopped', 'An answer of the service has no end.')
      pieces.push(piece)
    }
  } catch (err) {
    throw brokenBy(err)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** Why a connection failed, in a word that names no address. */
export function brokenBy(err: unknown): Error {
  if (err instanceof Ending || err instanceof Refused) return err
  const { cause, code, name } = Object(err) as { cause?: unknown; code?: string; name?: string }
  const inner = Object(cause) as { code?: string }
  const word = inner.code ?? code ?? name ?? 'unknown'
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME|SSL|TLS/.test(word)) {
    return new Ending(
      'stopped',
      `The certificate of the service is not accepted (${word}). NODE_EXTRA_CA_CERTS names further authorities.`
    )
  }
  return new LineBroken(`The service cannot be reached, or the line broke (${word}).`)
}
