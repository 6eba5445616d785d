import { createSecretKey } from 'node:crypto'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { SealError, type SealErrorCode } from '../seal-error.ts'
import {
  contextDigest,
  type KeyServicePatience,
  keyServicePatience,
  type NamedKek
} from './key-service.ts'
import type { Keyring } from './keyring.ts'

/** Which keys of AWS KMS to use. Credentials are never part of it. */
export interface KmsSettings {
  region: string
  /** An origin, for a service other than Amazon's own. */
  endpoint: string | undefined
  /** The current one first. Each name is an ARN, a key id or an alias. */
  keks: NamedKek[]
}

const SOCKETS_MAX = 50
/** The one name in the encryption context, for IAM policies to insist on. */
const CONTEXT_NAME = 'consilium'

/** Error names of AWS KMS (its API reference, "Encrypt" and "Decrypt"). All others may pass. */
const codes: Record<string, SealErrorCode> = {
  NotFoundException: 'key-missing',
  InvalidCiphertextException: 'key-damaged',
  IncorrectKeyException: 'key-damaged'
}

/**
 * Key ring of symmetric keys in AWS KMS, which never leave it: it encrypts and decrypts our 32-byte
 * keys. The context goes with each as SHA-256 in the encryption context, because AWS CloudTrail
 * shows that in clear. Credentials come from the standard chain: environment, shared files, web
 * identity, container, host.
 */
export function openKmsKeyring(
  settings: KmsSettings,
  patience: KeyServicePatience = keyServicePatience
): Keyring {
  const client = createClient(settings, patience)
  const names = new Map(settings.keks.map(({ id, name }) => [id, name]))
  const ids = [...names.keys()]

  function nameOf(id: string): string {
    const name = names.get(id)
    if (name !== undefined) return name
    throw new SealError('key-missing', 'The settings do not name the key this was wrapped with.')
  }
  return {
    currentId: async () => ids[0] ?? '',
    kekIds: async () => ids,
    async wrap(kekId, context, key) {
      const command = new EncryptCommand({
        KeyId: nameOf(kekId),
        Plaintext: key,
        EncryptionContext: contextOf(context)
      })
      const { CiphertextBlob: wrapped } = await attempt('wrap', patience, signal =>
        client.send(command, { abortSignal: signal })
      )
      return Buffer.from(present(wrapped))
    },
    async unwrap(kekId, context, wrapped) {
      const command = new DecryptCommand({
        // Named although the ciphertext names it too: whoever can write to the database must not
        // choose under which key of the account something opens.
        KeyId: nameOf(kekId),
        CiphertextBlob: wrapped,
        EncryptionContext: contextOf(context)
      })
      const { Plaintext: bytes } = await attempt('unwrap', patience, signal =>
        client.send(command, { abortSignal: signal })
      )
      const key = createSecretKey(present(bytes))
      bytes?.fill(0)
      return key
    },
    close: () => client.destroy()
  }
}

function createClient(settings: KmsSettings, patience: KeyServicePatience): KMSClient {
  const pool = { keepAlive: true, maxSockets: SOCKETS_MAX }
  return new KMSClient({
    region: settings.region,
    ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
    maxAttempts: patience.attemptsMax,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: patience.connectMilliseconds,
      requestTimeout: patience.answerMilliseconds,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(pool),
      httpsAgent: new HttpsAgent(pool)
    },
    // A wrong clock would be wrong in the access log too: it is to be mended, not made up for.
    disableClockSkewCorrection: true,
    // What `AWS_ENDPOINT_URL` says for other programs is not meant for the keys of records.
    ignoreConfiguredEndpointUrls: true
  })
}

const contextOf = (context: Buffer): Record<string, string> => ({
  [CONTEXT_NAME]: contextDigest(context).toString('base64url')
})

async function attempt<T>(
  act: string,
  { totalMilliseconds }: KeyServicePatience,
  work: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  try {
    return await work(AbortSignal.timeout(totalMilliseconds))
  } catch (err) {
    // Its message may quote identities of the account, so its name is all that is passed on.
    const name = err instanceof Error ? err.name : 'unknown'
    const code = codes[name] ?? 'keys-unavailable'
    throw new SealError(code, `AWS KMS did not ${act} a key: ${name}.`)
  }
}

function present(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes !== undefined) return bytes
  throw new SealError('keys-unavailable', 'AWS KMS answered without a key.')
}
