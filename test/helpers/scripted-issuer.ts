import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import type { Test } from 'tap'
import { PUBLIC_URL } from './data.ts'

/** What a token says otherwise than it should. */
export interface TokenTwist {
  claims?: JWTPayload
  /** Leaves these out. */
  without?: string[]
  /** Signed by a key that the issuer does not have, not at all, or with the secret of the client. */
  signed?: 'by another' | 'not' | 'by the secret'
  /** Instead of any token. */
  answer?: { status: number; body: string; headers?: Record<string, string> }
}

/** How an issuer is that does whatever a test has it do. */
export interface Habits {
  /** What it says of itself, beside what it should say. */
  metadata?: Record<string, unknown>
  /** Paths at which nobody answers, or with this status. */
  silent?: string[]
  broken?: string[]
}

/** An issuer in this process that signs in whomever a test names, well or badly. */
export interface ScriptedIssuer {
  url: string
  habits: Habits
  /** How often each path was asked for. */
  asked: Map<string, number>
  /** Everything that it gave out and nobody else may keep. */
  given: Map<string, string>
  /** As if somebody had signed in at this address: resolves to the path by which they come back. */
  signIn(url: string, subject: string, twist?: TokenTwist): string
}

const made = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const KID = 'the key of the issuer'

/** Starts one on 127.0.0.1, whose clients have this secret. */
export async function scriptedIssuer(t: Test, secret: string): Promise<ScriptedIssuer> {
  const [own, another] = [made(), made()]
  const habits: Habits = {}
  const asked = new Map<string, number>()
  const given = new Map<string, string>()
  const codes = new Map<string, { asked: URLSearchParams; subject: string; twist: TokenTwist }>()
  const server = createServer((request, response) => {
    answer(request, response).catch(err => response.destroy(err))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = String(request.url)
    asked.set(path, (asked.get(path) ?? 0) + 1)
    if (habits.silent?.includes(path)) return
    const send = (body: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    if (habits.broken?.includes(path)) return send({ error: 'server_error' }, 503)
    if (path === '/.well-known/openid-configuration') return send(metadata())
    if (path === '/jwks') {
      const mark = { kid: KID, alg: 'ES256', use: 'sig' }
      return send({ keys: [{ ...own.publicKey.export({ format: 'jwk' }), ...mark }] })
    }
    if (path !== '/token') return send({}, 404)
    const form = new URLSearchParams(await text(request))
    const code = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '')
    const isSame = challenge.digest('base64url') === code?.asked.get('code_challenge')
    if (code === undefined || !isSame) return send({ error: 'invalid_grant' }, 400)
    const { twist } = code
    if (twist.answer === undefined) return send(await tokens(code))
    response.writeHead(twist.answer.status, {
      'content-type': 'application/json',
      ...twist.answer.headers
    })
    response.end(twist.answer.body)
  }

  const metadata = () => ({
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/jwks`,
    authorization_response_iss_parameter_supported: true,
    id_token_signing_alg_values_supported: ['ES256', 'HS256', 'none'],
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    ...habits.metadata
  })

  async function tokens(code: { asked: URLSearchParams; subject: string; twist: TokenTwist }) {
    const { asked, subject, twist } = code
    const now = Math.floor(Date.now() / 1000)
    const claims: JWTPayload = {
      iss: url,
      sub: subject,
      aud: asked.get('client_id') ?? '',
      iat: now,
      exp: now + 60,
      nonce: asked.get('nonce') ?? '',
      acr: 'mfa',
      auth_time: now,
      ...twist.claims
    }
    for (const name of twist.without ?? []) delete claims[name]
    const idToken = await signedBy(claims, twist)
    const accessToken = randomBytes(32).toString('base64url')
    given.set('ID token', idToken).set('access token', accessToken)
    return { access_token: accessToken, token_type: 'Bearer', id_token: idToken }
  }

  function signedBy(claims: JWTPayload, { signed }: TokenTwist): string | Promise<string> {
    if (signed === 'not') return new UnsecuredJWT(claims).encode()
    const sign = (alg: string, key: KeyObject | Uint8Array) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid: KID }).sign(key)
    if (signed === 'by the secret') return sign('HS256', new TextEncoder().encode(secret))
    return sign('ES256', signed === 'by another' ? another.privateKey : own.privateKey)
  }

  return {
    url,
    habits,
    asked,
    given,
    signIn(address, subject, twist = {}) {
      const { searchParams } = new URL(address)
      const code = randomBytes(32).toString('base64url')
      codes.set(code, { asked: searchParams, subject, twist })
      const state = searchParams.get('state') ?? ''
      given.set('authorization code', code).set('state', state)
      given.set('nonce', searchParams.get('nonce') ?? '')
      const back = searchParams.get('redirect_uri') ?? ''
      const query = new URLSearchParams({ code, state, iss: url })
      return `${back.slice(PUBLIC_URL.length)}?${query}`
    }
  }
}
