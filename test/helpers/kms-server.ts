import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { installPeer } from '../peers/python.ts'
import { startOnFreePort } from './local-server.ts'

const REGION = 'eu-west-2'

/** A server on 127.0.0.1 that speaks for AWS KMS. */
export interface KmsServer {
  endpoint: string
  region: string
  /** In the environment they are what the standard chain finds. */
  credentials: { AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string }
  /** Makes a symmetric key and resolves to its ARN. */
  makeKey(): Promise<string>
  /** The settings by which the service uses these keys, as the environment gives them. */
  env(keks: Record<string, string>): Record<string, string>
  stop(): Promise<void>
}

/** Starts moto (docs/decisions/0014-servers-for-key-rings.md); says why if it cannot be had. */
export async function startKmsServer(): Promise<KmsServer | { absent: string }> {
  const peer = installPeer('kms-server')
  if ('absent' in peer) return peer
  const cwd = mkdtempSync(join(tmpdir(), 'kms-server-'))
  const credentials = {
    AWS_ACCESS_KEY_ID: randomBytes(10).toString('hex'),
    AWS_SECRET_ACCESS_KEY: randomBytes(20).toString('hex')
  }
  const env = { PATH: process.env.PATH ?? '', PYTHONPATH: peer.directory, HOME: cwd }
  const server = await startOnFreePort(
    port => ({
      command: 'python3',
      args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
      env: { ...env, PYTHONDONTWRITEBYTECODE: '1' },
      cwd
    }),
    { path: '/moto-api/data.json', status: 200 }
  )
  const client = new KMSClient({
    endpoint: server.url,
    region: REGION,
    credentials: {
      accessKeyId: credentials.AWS_ACCESS_KEY_ID,
      secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY
    }
  })
  return {
    endpoint: server.url,
    region: REGION,
    credentials,
    async makeKey() {
      const { KeyMetadata: made } = await client.send(new CreateKeyCommand({}))
      if (made?.Arn === undefined) throw new Error('No key was made.')
      return made.Arn
    },
    env: keks => ({
      CONSILIUM_KMS_ENDPOINT: server.url,
      CONSILIUM_KMS_REGION: REGION,
      CONSILIUM_KMS_KEYS: listed(keks)
    }),
    async stop() {
      client.destroy()
      await server.stop()
      rmSync(cwd, { recursive: true, force: true })
    }
  }
}

/** Keys as the settings list them. */
export function listed(keks: Record<string, string>): string {
  return Object.entries(keks)
    .map(([id, name]) => `${id}=${name}`)
    .join(',')
}
