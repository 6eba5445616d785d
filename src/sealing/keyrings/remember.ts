import type { KeyObject } from 'node:crypto'
import type { Keyring } from './keyring.ts'

/** Unwrapped keys kept at once. */
export const KEYS_REMEMBERED_MAX = 1000

/** How long a key may be used without asking its key ring again. */
export const KEY_REMEMBERED_MILLISECONDS_MAX = 60_000

interface Remembered {
  key: KeyObject
  until: number
}

/**
 * A key ring that remembers for a minute what it unwrapped, because one case is read many times in
 * a row and a key service takes milliseconds. A key is found only by the same wrapped bytes and
 * context, so once they are destroyed nobody can ask for it. Callers who want the same key at the
 * same time share one question.
 */
export function rememberingKeyring(keyring: Keyring, clock: () => number): Keyring {
  const remembered = new Map<string, Remembered>()
  const asking = new Map<string, Promise<KeyObject>>()

  function remember(name: string, key: KeyObject): void {
    const now = clock()
    // In the order they came, so those that are due are the first.
    for (const [oldName, old] of remembered) {
      if (old.until > now && remembered.size < KEYS_REMEMBERED_MAX) break
      remembered.delete(oldName)
    }
    remembered.set(name, { key, until: now + KEY_REMEMBERED_MILLISECONDS_MAX })
  }

  return {
    currentId: () => keyring.currentId(),
    kekIds: () => keyring.kekIds(),
    wrap: (kekId, context, key) => keyring.wrap(kekId, context, key),
    async unwrap(kekId, context, wrapped) {
      // The context holds the id of the KEK (docs/sealed-object.md).
      const name = Buffer.concat([context, wrapped]).toString('latin1')
      const known = remembered.get(name)
      if (known !== undefined && known.until > clock()) return known.key
      remembered.delete(name)
      const other = asking.get(name)
      if (other !== undefined) return other
      const question = keyring.unwrap(kekId, context, wrapped)
      asking.set(name, question)
      try {
        const key = await question
        remember(name, key)
        return key
      } finally {
        asking.delete(name)
      }
    },
    close: () => keyring.close()
  }
}
