import { accessToken } from './identity.ts'
import type { Person } from './people.ts'

/** An answer read to its end. */
export interface Answer {
  status: number
  headers: Headers
  bytes: Buffer
  /** The body as UTF-8. */
  text: string
  /** The body as JSON; an empty object when it is something else. */
  json: Record<string, unknown>
}

/** An object is sent as JSON, a form as multipart/form-data, parameters as a form of a page, bytes as they are. */
export type SentBody = string | FormData | URLSearchParams | Uint8Array<ArrayBuffer> | object

/** Makes requests in the name of one person, with real tokens of the real token endpoint. */
export interface Client {
  /** A valid access token; undefined for nobody. */
  token(): Promise<string | undefined>
  /** The request as `fetch` makes it. */
  fetch(
    method: string,
    path: string,
    body?: SentBody,
    headers?: Record<string, string>,
    signal?: AbortSignal
  ): Promise<Response>
  /** The same, answered to its end. */
  send(
    method: string,
    path: string,
    body?: SentBody,
    headers?: Record<string, string>
  ): Promise<Answer>
  /** Expects success, and throws the answer otherwise. */
  json<T>(method: string, path: string, body?: SentBody): Promise<T>
}

/** A token is asked for anew a little before its five minutes are over. */
const TOKEN_USE_MILLISECONDS = 200_000

/** `at` is where the service listens now; it may change when it is restarted. */
export function makeClient(
  at: () => string,
  clock: () => number,
  person: Person | undefined
): Client {
  let token: { value: string; until: number } | undefined

  async function freshToken(): Promise<string | undefined> {
    if (person === undefined) return undefined
    const now = clock()
    // The clock of a test may jump, also backwards.
    if (token === undefined || now > token.until || now < token.until - TOKEN_USE_MILLISECONDS) {
      const value = await accessToken(at(), person.key, clock)
      token = { value, until: now + TOKEN_USE_MILLISECONDS }
    }
    return token.value
  }

  const client: Client = {
    token: freshToken,
    async fetch(method, path, body, headers = {}, signal) {
      const bearer = await freshToken()
      const isPlain =
        typeof body === 'string' ||
        body instanceof FormData ||
        body instanceof URLSearchParams ||
        body instanceof Uint8Array
      const isJson = body !== undefined && !isPlain
      return fetch(at() + path, {
        method,
        headers: {
          ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
          ...(isJson && { 'content-type': 'application/json' }),
          ...headers
        },
        ...(body !== undefined && { body: isPlain ? body : JSON.stringify(body) }),
        ...(signal && { signal })
      })
    },
    async send(method, path, body, headers) {
      const response = await client.fetch(method, path, body, headers)
      const bytes = Buffer.from(await response.arrayBuffer())
      const text = bytes.toString()
      const isJson = /json\b/.test(response.headers.get('content-type') ?? '')
      const { status, headers: answered } = response
      return { status, headers: answered, bytes, text, json: isJson ? tryJson(text) : {} }
    },
    async json<T>(method: string, path: string, body?: SentBody): Promise<T> {
      const answer = await client.send(method, path, body)
      if (answer.status >= 300)
        throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      return answer.json as T
    }
  }
  return client
}

function tryJson(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
