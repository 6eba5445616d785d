import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { PUBLIC_URL } from './data.ts'
import { startOnFreePort } from './local-server.ts'
import { plainEnvironment, plainNode } from './own-process.ts'

export const CLIENT_SECRET = 'the heron of the city keeps it'
const KEY_CLIENT = 'consilium-by-key'
const SECRET_CLIENT = 'consilium'

/** An issuer of a hospital, and what the service has to be told to use it under these names. */
export interface OpenidIssuer {
  url: string
  stop(): Promise<void>
}

/** Entries of the file that `CONSILIUM_SIGN_IN_ISSUERS` names; every one has what it needs by itself. */
export type IssuerEntry = Record<string, unknown> & { name: string; issuer: string }

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const mark = { kid: 'of the test', alg: 'ES256' }

/** Starts OpenID Connect's own reference, more or less, on 127.0.0.1 in a process of its own. */
export async function startOpenidIssuer(t: Test, names = ['city']): Promise<OpenidIssuer> {
  const addresses = {
    redirect_uris: names.map(name => `${PUBLIC_URL}/sign-in/from/${name}`),
    post_logout_redirect_uris: [`${PUBLIC_URL}/`]
  }
  const clients = [
    { client_id: SECRET_CLIENT, client_secret: CLIENT_SECRET, ...addresses },
    {
      client_id: KEY_CLIENT,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), ...mark }] },
      ...addresses
    }
  ]
  const [command, ...args] = plainNode()
  const script = join(import.meta.dirname, 'openid-issuer-process.ts')
  const server = await startOnFreePort(
    port => ({
      command,
      args: [...args, script],
      env: { ...plainEnvironment(), PORT: String(port), CLIENTS: JSON.stringify(clients) },
      cwd: import.meta.dirname
    }),
    { path: '/.well-known/openid-configuration', status: 200 }
  )
  t.teardown(() => server.stop())
  return server
}

/** Writes the file of the operator, and resolves to the setting that names it. */
export function issuerSettings(t: Test, entries: IssuerEntry[]): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'sign-in-issuers-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const key = JSON.stringify({ ...privateKey.export({ format: 'jwk' }), ...mark })
  const whole = entries.map(entry => {
    const { name } = entry
    const isByKey = entry['by'] === 'key'
    const file = isByKey ? `${name}.jwk` : `${name}.secret`
    writeFileSync(join(folder, file), isByKey ? key : CLIENT_SECRET, { mode: 0o600 })
    const { by: _, ...own } = entry
    return {
      label: `the account of ${name}`,
      clientId: isByKey ? KEY_CLIENT : SECRET_CLIENT,
      [isByKey ? 'clientKeyFile' : 'clientSecretFile']: file,
      acr: ['mfa'],
      ...own
    }
  })
  const path = join(folder, 'issuers.json')
  writeFileSync(path, JSON.stringify(whole))
  return { CONSILIUM_SIGN_IN_ISSUERS: path }
}

/** The cookies that a browser has of one site. */
function cookieJar() {
  const cookies = new Map<string, string>()
  return {
    header: () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    take(headers: Headers) {
      for (const line of headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (value === '' || /expires=Thu, 01 Jan 1970|max-age=0/i.test(line)) cookies.delete(name)
        else cookies.set(name, value)
      }
    }
  }
}

/** How somebody answers the page of the issuer: an empty name goes away again. */
export interface SignsIn {
  name: string
  acr?: string
}

/** A browser at the issuer alone; it goes where that leads until it is led to the service. */
export function browserAtIssuer() {
  const jar = cookieJar()
  const ask = async (url: string, init: RequestInit = {}) => {
    const headers = { accept: 'text/html', cookie: jar.header() }
    const answer = await fetch(url, { redirect: 'manual', headers, ...init })
    jar.take(answer.headers)
    return { answer, text: await answer.text() }
  }
  return {
    asked: 0,
    /** Resolves to the path, with its query, at which the service is come back to. */
    async signIn(url: string, { name, acr = 'mfa' }: SignsIn): Promise<string> {
      let at = url
      for (let step = 0; step < 10; step += 1) {
        if (at.startsWith(`${PUBLIC_URL}/`)) return at.slice(PUBLIC_URL.length)
        let { answer, text } = await ask(at)
        if (answer.status === 200) {
          this.asked += 1
          const body = new URLSearchParams({ name, acr })
          ;({ answer, text } = await ask(at, { method: 'POST', body }))
        }
        const location = answer.headers.get('location')
        if (location === null) throw new Error(`The issuer leads nowhere: ${answer.status} ${text}`)
        at = new URL(location, at).href
      }
      throw new Error('The issuer leads in a circle.')
    }
  }
}
