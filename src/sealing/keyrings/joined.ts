import { SealError } from '../seal-error.ts'
import type { Keyring } from './keyring.ts'

/**
 * Several key rings as one: the first wraps, all unwrap. So an exchange moves from one kind of key
 * ring to another while it serves.
 */
export function joinKeyrings(first: Keyring, ...older: Keyring[]): Keyring {
  const all = [first, ...older]

  /** Asks one after the other, as long as the KEK is not theirs. */
  async function ask<T>(question: (keyring: Keyring) => Promise<T>): Promise<T> {
    for (const keyring of all) {
      try {
        return await question(keyring)
      } catch (err) {
        if (!(err instanceof SealError && err.code === 'key-missing')) throw err
      }
    }
    throw new SealError('key-missing', 'No key ring has the key this was wrapped with.')
  }

  return {
    currentId: () => first.currentId(),
    async kekIds() {
      return (await Promise.all(all.map(keyring => keyring.kekIds()))).flat()
    },
    wrap: (kekId, context, key) => ask(keyring => keyring.wrap(kekId, context, key)),
    unwrap: (kekId, context, wrapped) => ask(keyring => keyring.unwrap(kekId, context, wrapped)),
    close() {
      for (const keyring of all) keyring.close()
    }
  }
}
