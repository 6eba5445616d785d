import { createSecretKey } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { KEY_BYTES } from '../keys.ts'
import { readPrivateFile } from '../private-file.ts'
import { SealError, type SealErrorCode } from '../seal-error.ts'
import {
  contextDigest,
  type KeyServicePatience,
  keyServicePatience,
  type NamedKek
} from './key-service.ts'
import type { Keyring } from './keyring.ts'

/** Which transit engine of OpenBao or Vault to use, and with which keys of it. */
export interface TransitSettings {
  /** An origin. */
  url: string
  /** Where the engine is mounted. */
  mount: string
  namespace: string | undefined
  /** A file that this user alone can read, which is read for every request; or the token itself. */
  token: { file: string } | { value: string }
  /** The current one first. */
  keks: NamedKek[]
}

const RETRY_MILLISECONDS = 100
/** What the engine makes of 32 bytes has about a hundred. */
const CIPHERTEXT = /^vault:v[1-9]\d{0,8}:[A-Za-z0-9+/]{4,1000}={0,2}$/

/**
 * What the transit engine says when it turns a key down, with status 400. Read off OpenBao 2.7; a
 * sentence that is not here may pass, so the caller is asked to try again.
 */
const refusals: [RegExp, SealErrorCode][] = [
  [/message authentication failed|invalid ciphertext/, 'key-damaged'],
  [/encryption key not found|disallowed by policy \(too old\)/, 'key-missing']
]

/**
 * Key ring of keys in the transit engine of OpenBao or HashiCorp Vault, which never leave it. The
 * context goes with each key, as SHA-256, for additional data. The keys must be of an AEAD type
 * (aes256-gcm96, the default, or chacha20-poly1305): others would ignore it.
 */
export function openTransitKeyring(
  settings: TransitSettings,
  patience: KeyServicePatience = keyServicePatience
): Keyring {
  const names = new Map(settings.keks.map(({ id, name }) => [id, name]))
  const ids = [...names.keys()]

  function nameOf(id: string): string {
    const name = names.get(id)
    if (name !== undefined) return name
    throw new SealError('key-missing', 'The settings do not name the key this was wrapped with.')
  }
  function ask(
    act: 'encrypt' | 'decrypt',
    name: string,
    context: Buffer,
    fields: Record<string, string>
  ): Promise<Record<string, unknown>> {
    const body = { ...fields, associated_data: contextDigest(context).toString('base64') }
    return post(settings, patience, `${act}/${name}`, body)
  }
  return {
    currentId: async () => ids[0] ?? '',
    kekIds: async () => ids,
    async wrap(kekId, context, key) {
      const plaintext = Buffer.from(key).toString('base64')
      const { ciphertext } = await ask('encrypt', nameOf(kekId), context, { plaintext })
      if (typeof ciphertext !== 'string' || !CIPHERTEXT.test(ciphertext)) throw unavailable('form')
      return Buffer.from(ciphertext, 'ascii')
    },
    async unwrap(kekId, context, wrapped) {
      const name = nameOf(kekId)
      const ciphertext = Buffer.from(wrapped).toString('latin1')
      if (!CIPHERTEXT.test(ciphertext)) {
        throw new SealError('key-damaged', 'A wrapped key is damaged or belongs elsewhere.')
      }
      const { plaintext } = await ask('decrypt', name, context, { ciphertext })
      const bytes = Buffer.from(typeof plaintext === 'string' ? plaintext : '', 'base64')
      if (bytes.byteLength !== KEY_BYTES) throw unavailable('form')
      const key = createSecretKey(bytes)
      bytes.fill(0)
      return key
    },
    // The connections are those of Node, which lets go of idle ones by itself.
    close() {}
  }
}

/** One question, asked again a few times when the service could not answer it. */
async function post(
  settings: TransitSettings,
  patience: KeyServicePatience,
  path: string,
  body: Record<string, string>
): Promise<Record<string, unknown>> {
  const deadline = AbortSignal.timeout(patience.totalMilliseconds)
  for (let attempt = 1; ; attempt += 1) {
    const answer = await postOnce(settings, patience, path, body, deadline)
    if ('data' in answer) return answer.data
    if (!answer.mayPass || attempt >= patience.attemptsMax || deadline.aborted) throw answer.error
    await sleep(RETRY_MILLISECONDS * 2 ** attempt * Math.random())
  }
}

type Answer = { data: Record<string, unknown> } | { error: SealError; mayPass: boolean }

async function postOnce(
  { url, mount, namespace, token }: TransitSettings,
  { answerMilliseconds }: KeyServicePatience,
  path: string,
  body: Record<string, string>,
  deadline: AbortSignal
): Promise<Answer> {
  const secret = await readToken(token)
  try {
    const response = await fetch(`${url}/v1/${mount}/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-vault-request': 'true',
        'x-vault-token': secret,
        ...(namespace !== undefined && { 'x-vault-namespace': namespace })
      },
      body: JSON.stringify(body),
      // The token would follow to wherever it is sent.
      redirect: 'error',
      signal: AbortSignal.any([deadline, AbortSignal.timeout(answerMilliseconds)])
    })
    const text = await response.text()
    if (response.status === 200) return { data: dataOf(text) }
    const isRefused = response.status === 400
    const code = isRefused && refusals.find(([sentence]) => sentence.test(text))?.[1]
    if (code) {
      return { error: new SealError(code, 'The transit engine refuses a key.'), mayPass: false }
    }
    const mayPass = response.status >= 500 || response.status === 429
    return { error: unavailable(`status ${response.status}`), mayPass }
  } catch (err) {
    if (err instanceof SealError) throw err
    return { error: unavailable(reasonOf(err)), mayPass: true }
  }
}

/** Read each time: an agent that renews the token writes it there. */
async function readToken(token: TransitSettings['token']): Promise<string> {
  if ('value' in token) return token.value
  try {
    return (await readPrivateFile(token.file)).trim()
  } catch (err) {
    throw unavailable(`the token file, ${err instanceof SealError ? err.code : 'unreadable'}`)
  }
}

function dataOf(text: string): Record<string, unknown> {
  try {
    const { data } = JSON.parse(text)
    if (typeof data === 'object' && data !== null) return data
  } catch {
    // The parser's own message quotes the text, which may hold a key.
  }
  throw unavailable('form')
}

/** What Node says of a connection, ECONNREFUSED and the like; never a message, which may quote. */
function reasonOf(err: unknown): string {
  if (!(err instanceof Error)) return 'unknown'
  const { cause } = err
  return cause instanceof Error && 'code' in cause ? String(cause.code) : err.name
}

function unavailable(why: string): SealError {
  return new SealError(
    'keys-unavailable',
    `The transit engine did not answer as it should: ${why}.`
  )
}
