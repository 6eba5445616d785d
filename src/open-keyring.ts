import { ConfigError } from './config.ts'
import type { KeyringKind, KeyringSettings } from './config-keyring.ts'
import { openKeyringFile } from './sealing/keyrings/file.ts'
import { joinKeyrings } from './sealing/keyrings/joined.ts'
import type { Keyring } from './sealing/keyrings/keyring.ts'
import { openTransitKeyring } from './sealing/keyrings/transit.ts'
import { SealError } from './sealing/seal-error.ts'

/**
 * Opens the key ring that the configuration chooses; `file` is where it is when it is a file.
 * Nothing is asked of a key service yet. Throws SealError as `openKeyringFile`.
 */
export async function openKeyring(settings: KeyringSettings, file: string): Promise<Keyring> {
  const open = async (kind: KeyringKind): Promise<Keyring> => {
    if (kind === 'kms' && settings.kms !== undefined) {
      const { openKmsKeyring } = await import('./sealing/keyrings/kms.ts')
      return openKmsKeyring(settings.kms)
    }
    if (kind === 'transit' && settings.transit !== undefined) {
      return openTransitKeyring(settings.transit)
    }
    return await openKeyringFile(file)
  }
  const [first, ...older] = await Promise.all(settings.kinds.map(open))
  if (first === undefined) throw new ConfigError(['CONSILIUM_KEYRING names no key ring.'])
  return older.length === 0 ? first : joinKeyrings(first, ...older)
}

/** Runs `open`; says what is wrong with the key ring and what to do, in the words of the operator. */
export async function checkedKeyring<T>(
  { kinds }: KeyringSettings,
  open: () => Promise<T>
): Promise<T> {
  try {
    return await open()
  } catch (err) {
    if (!(err instanceof SealError)) throw err
    const inFile = kinds.length === 1 && kinds[0] === 'file'
    const problem = (inFile ? fileAdvice : serviceAdvice)(err)
    throw problem === undefined ? err : new ConfigError([problem])
  }
}

function fileAdvice({ code }: SealError): string | undefined {
  return keyFileAdvice('keyring.json', code)
}

function serviceAdvice({ code, message }: SealError): string | undefined {
  const advice: Partial<Record<SealError['code'], string>> = {
    'keys-unavailable': `The key service does not do what it has to. ${message} Look at CONSILIUM_KEYRING, the settings of its service, credentials and network.`,
    'key-missing':
      'A key that the data need is not in the key ring: CONSILIUM_KMS_KEYS or CONSILIUM_TRANSIT_KEYS does not name it, or it was deleted in its service, or keys/keyring.json is missing.',
    'key-damaged':
      'The keys in CONSILIUM_KEYRING do not belong to this database: a short name stands for another key than it did.'
  }
  return advice[code] ?? keyFileAdvice('keyring.json', code)
}

/** What to do about a key file in the data directory; undefined when it is not about one. */
export function keyFileAdvice(file: string, code: SealError['code']): string | undefined {
  const advice: Partial<Record<SealError['code'], string>> = {
    'key-missing': `keys/${file} is missing, or lacks a key that the data needs. Put it back from your backup.`,
    'keyring-unsafe': `keys/${file} must belong to the user that runs the service and nobody else may read it: chmod 600 it.`,
    'keyring-damaged': `keys/${file} is damaged. Put it back from your backup.`,
    'key-damaged': `keys/${file} does not belong to this database. Put back the one that does.`
  }
  return advice[code]
}
