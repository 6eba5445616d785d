import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT
} from 'jose'
import type { Test } from 'tap'
import type { Role } from '../../schemas/account.ts'
import { addAccount, addClient, addOrganisation, type ClientKey } from '../../src/identity/enrol.ts'
import { embeddedIssuer } from '../../src/identity/issuer.ts'
import { PUBLIC_URL, type TestData } from './data.ts'

export interface Enrolled {
  organisationId: string
  accountId: string
  key: ClientKey
}

/** One organisation, one account in it, one client that acts for it. */
export async function enrol(data: TestData, role: Role = 'clinician'): Promise<Enrolled> {
  const odsCode = `T${randomUUID().slice(0, 8)}`
  const organisationId = await addOrganisation(data, { name: 'St Example', odsCode, country: 'GB' })
  const accountId = await addAccount(data, {
    organisation: organisationId,
    role,
    name: 'Dr Ada Example',
    professionalBody: 'GMC',
    registrationNumber: 'C1234567'
  })
  return { organisationId, accountId, key: await addClient(data, { accountId }) }
}

/** A private key nobody knows, with its thumbprint as key id. */
export async function makeKey(alg: 'ES256' | 'ES384'): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg, use: 'sig' }
}

/** The embedded issuer on a real socket. `at` is where it listens, not what it calls itself. */
export async function startIssuer(t: Test, data: TestData) {
  const signingKey = await makeKey('ES256')
  const embedded = embeddedIssuer(data, { keys: [signingKey] })
  const app = Fastify()
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('strict-transport-security', 'max-age=31536000')
  })
  embedded.routes(app)
  const at = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return { ...embedded, signingKey, at }
}

export interface Changes {
  /** The client's clock, milliseconds since 1970 UTC; the machine's if not given. */
  clock?: () => number
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  /** Signs with this key instead. */
  key?: JWK
}

/** An assertion as SMART Backend Services has it; `changes` spoils it. */
export async function assertion(key: ClientKey, changes: Changes = {}): Promise<string> {
  const now = Math.floor((changes.clock ?? Date.now)() / 1000)
  const claims = {
    iss: key.client_id,
    sub: key.client_id,
    aud: `${PUBLIC_URL}/oidc/token`,
    jti: randomUUID(),
    iat: now,
    exp: now + 240,
    ...changes.claims
  }
  const header = { alg: 'ES384', kid: key.kid, typ: 'JWT', ...changes.header }
  const signing = await importJWK({ ...(changes.key ?? key) }, header.alg)
  return new SignJWT(claims).setProtectedHeader(header).sign(signing)
}

/** Asks the token endpoint. */
export async function askToken(
  at: string,
  clientAssertion: string,
  more: Record<string, string> = {},
  headers: Record<string, string> = {}
) {
  const response = await fetch(`${at}/oidc/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: clientAssertion,
      ...more
    })
  })
  const text = await response.text()
  const body: Record<string, unknown> = JSON.parse(text)
  return { status: response.status, headers: response.headers, text, body }
}

/** A fresh access token, or an error. `clock` is that of the exchange, where a test has moved it. */
export async function accessToken(
  at: string,
  key: ClientKey,
  clock: () => number = Date.now
): Promise<string> {
  const { status, body } = await askToken(at, await assertion(key, { clock }))
  if (status !== 200) throw new Error(`No token: ${status}`)
  return String(body.access_token)
}
