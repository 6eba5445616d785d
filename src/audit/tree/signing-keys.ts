import { createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import {
  createPrivateFile,
  readPrivateFile,
  removeUnfinished,
  replacePrivateFile
} from '../../sealing/private-file.ts'
import { SealError } from '../../sealing/seal-error.ts'
import {
  formatVerifierKey,
  type NoteSigner,
  type NoteVerifier,
  noteSigner,
  noteVerifier,
  parseVerifierKey,
  type VerifierKey,
  verifierKeyOf
} from '../tlog/note.ts'

/**
 * The keys that sign checkpoints, and the name of the log. A retired key keeps its public half here,
 * so that checkpoints it signed can still be verified.
 */
export interface LogKeys {
  /** The name of the log in its checkpoints. It never changes, even when the service moves. */
  origin: string
  /** Keys in use, oldest first: each signs every checkpoint. */
  signers: NoteSigner[]
  /** Every key that ever signed, the retired ones included, oldest first. */
  keys: { vkey: string; since: string; until?: string }[]
  verifiers: NoteVerifier[]
  /** When the first checkpoint was on the disk: without its database this log cannot go on. */
  begun: string | undefined
  /**
   * Notes in the key file that a checkpoint is on the disk, the first time it is called. After a
   * crash there is the old file or the new one.
   */
  noteBegun(at: string): Promise<void>
}

interface KeyFile {
  origin: string
  /** When the first checkpoint was on the disk, before anybody was shown it. */
  begun?: string
  keys: { vkey: string; since: string; until?: string; privateKey?: JsonWebKey }[]
}

/** Makes the key file of a new log. Rejects with EEXIST when there is one. */
export async function createLogKeys(path: string, origin: string, since: string): Promise<void> {
  await createPrivateFile(path, textOf({ origin, keys: [newKey(origin, since)] }))
}

/** Opens the key file. Throws SealError when it is missing, unsafe or damaged. */
export async function openLogKeys(path: string): Promise<LogKeys> {
  const { origin, keys, begun } = await readKeyFile(path)
  const inUse = keys.flatMap(key => (key.privateKey === undefined ? [] : [key]))
  const logKeys: LogKeys = {
    origin,
    signers: inUse.map(key => noteSigner(origin, privateKeyOf(key))),
    keys: keys.map(({ privateKey: _, ...key }) => key),
    verifiers: keys.map(({ vkey }) => noteVerifier(parseVerifierKey(vkey))),
    begun,
    async noteBegun(at) {
      if (logKeys.begun !== undefined) return
      // What a crash left of doing this holds private keys.
      await removeUnfinished(path)
      await replacePrivateFile(path, textOf({ ...(await readKeyFile(path)), begun: at }))
      logKeys.begun = at
    }
  }
  return logKeys
}

/** Whether keys are here that have signed a checkpoint. Throws SealError as `openLogKeys` does. */
export async function haveSigned(path: string): Promise<boolean> {
  try {
    return (await readKeyFile(path)).begun !== undefined
  } catch (err) {
    if (err instanceof SealError && err.code === 'key-missing') return false
    throw err
  }
}

/**
 * Adds a key that signs from the next start on, beside those in use. Resolves to its verifier key,
 * which is to be published before the older ones are retired. `record` puts it on the access log
 * first: if it stops in between, the log tells of a key that never signed.
 */
export async function addLogKey(
  path: string,
  since: string,
  record: (vkey: string) => Promise<void>
): Promise<string> {
  const file = await readKeyFile(path)
  const key = newKey(file.origin, since)
  await record(key.vkey)
  await replacePrivateFile(path, textOf({ ...file, keys: [...file.keys, key] }))
  return key.vkey
}

/**
 * Forgets the private half of every key but the newest. Resolves to the verifier keys retired;
 * checkpoints they signed stay valid. `record` puts them on the access log first; if it stops before
 * its end, nothing else has changed.
 */
export async function retireOldLogKeys(
  path: string,
  until: string,
  record: (vkeys: string[]) => Promise<void>
): Promise<string[]> {
  const file = await readKeyFile(path)
  const retired: string[] = []
  const keys = file.keys.map((key, n) => {
    const { privateKey, ...publicHalf } = key
    if (n === file.keys.length - 1 || privateKey === undefined) return key
    retired.push(key.vkey)
    return { ...publicHalf, until }
  })
  if (retired.length === 0) return []
  await record(retired)
  await replacePrivateFile(path, textOf({ ...file, keys }))
  return retired
}

function newKey(origin: string, since: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const vkey = formatVerifierKey(verifierKeyOf(origin, publicKey))
  return { vkey, since, privateKey: privateKey.export({ format: 'jwk' }) }
}

function privateKeyOf(key: KeyFile['keys'][number]): KeyObject {
  return createPrivateKey({ key: key.privateKey ?? {}, format: 'jwk' })
}

async function readKeyFile(path: string): Promise<KeyFile> {
  const text = await readPrivateFile(path)
  try {
    const file: KeyFile = JSON.parse(text)
    const ofOrigin = (key: VerifierKey) => key.name === file.origin
    const fits = file.keys.every(key => {
      const verifier = parseVerifierKey(key.vkey)
      const isOwn =
        key.privateKey === undefined ||
        formatVerifierKey(verifierKeyOf(file.origin, privateKeyOf(key))) === key.vkey
      return ofOrigin(verifier) && isOwn
    })
    if (fits && file.keys.at(-1)?.privateKey !== undefined) return file
  } catch {
    // The parser's own message quotes the text, which holds keys.
  }
  throw new SealError('keyring-damaged', 'The key file of the access log is damaged.')
}

const textOf = (file: KeyFile): string => `${JSON.stringify(file, null, 2)}\n`
