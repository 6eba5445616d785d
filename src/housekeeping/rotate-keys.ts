import type { Exchange } from '../exchange.ts'
import { addKek, listKeks, removeKek } from '../sealing/keyrings/file.ts'
import type { Keyring } from '../sealing/keyrings/keyring.ts'
import { unwrapKey, wrapKey } from '../sealing/keys.ts'
import { SealError } from '../sealing/seal-error.ts'
import { type WrappedKeys, type WrappedRow, wrappedKeys } from './wrapped-keys.ts'

/** Keys re-wrapped in one transaction, so that no other write waits long for it. */
export const REWRAP_BATCH_MAX = 200

/** How many of them are with the key service at once. */
const ASKED_AT_ONCE_MAX = 8

/**
 * A KEK stays in the key ring file for so long after another took its place: a request may have
 * wrapped a key just before, and not have stored it yet.
 */
export const RETIRE_MILLISECONDS_MIN = 10 * 60_000

type Parts = Pick<Exchange, 'database' | 'keyring' | 'audit' | 'clock'>

/** What was re-wrapped, and what could not be. */
export interface Rewrapped {
  /** The KEK that everything else is under now. */
  to: string
  count: number
  failed: { what: WrappedKeys['name']; id: string; code: SealError['code'] }[]
}

/** How many keys are done, of how many that were found to do. */
export type Progress = (done: number, of: number) => void

/**
 * Adds a KEK to the key ring file, on the access log first. Everything that is wrapped from then on
 * is wrapped under it, by a running service too. Resolves to its id.
 */
export function addCurrentKek({ database, audit, clock }: Parts, file: string): Promise<string> {
  return addKek(file, clock(), async to => {
    await database.write(tx =>
      audit.append(tx, { action: 'keys.rotate', outcome: 'success', details: told({ to }) })
    )
  })
}

/**
 * Wraps every key of the database that is not under the current KEK anew, under that, while the
 * service serves: it unwraps what it reads, old or new. Each batch is stored in the transaction that
 * writes its `keys.rewrap` event, and only in the place of what was read. If it stops at any point,
 * doing it again goes on with the rest. It ends once it has looked through everything and found
 * nothing left, but for keys that cannot be unwrapped, which it leaves as they are.
 * Throws SealError keys-unavailable when the key ring cannot be asked.
 */
export async function rewrapKeys(parts: Parts, onProgress: Progress): Promise<Rewrapped> {
  const failed = new Map<string, Rewrapped['failed'][number]>()
  let count = 0
  for (;;) {
    const to = await parts.keyring.currentId()
    const left = await keysOutside(parts, to)
    let done = 0
    for (const keys of wrappedKeys) {
      for await (const batch of rewrapAll(parts, keys, to)) {
        done += batch.done
        onProgress(count + done, count + left)
        for (const one of batch.failed) failed.set(`${one.what} ${one.id}`, one)
      }
    }
    count += done
    if (done === 0) return { to, count, failed: [...failed.values()] }
  }
}

async function* rewrapAll(
  parts: Parts,
  keys: WrappedKeys,
  to: string
): AsyncGenerator<{ done: number; failed: Rewrapped['failed'] }> {
  let afterId = ''
  for (;;) {
    const rows = await keys.outside(parts.database.read, to, afterId, REWRAP_BATCH_MAX)
    if (rows.length === 0) return
    const fresh = await rewrapRows(parts.keyring, rows)
    yield {
      done: await storeBatch(parts, keys, to, fresh),
      failed: fresh.flatMap(({ row, code }) =>
        code === undefined ? [] : [{ what: keys.name, id: row.id, code }]
      )
    }
    afterId = rows.at(-1)?.id ?? ''
  }
}

interface Fresh {
  row: WrappedRow
  wrappedKey?: Buffer
  /** Why it could not be unwrapped. */
  code?: SealError['code']
}

async function rewrapRows(keyring: Keyring, rows: WrappedRow[]): Promise<Fresh[]> {
  const fresh: Fresh[] = []
  for (let at = 0; at < rows.length; at += ASKED_AT_ONCE_MAX) {
    const some = rows.slice(at, at + ASKED_AT_ONCE_MAX)
    fresh.push(...(await Promise.all(some.map(row => rewrapRow(keyring, row)))))
  }
  return fresh
}

async function rewrapRow(keyring: Keyring, row: WrappedRow): Promise<Fresh> {
  try {
    const key = await unwrapKey(keyring, row.context, row.wrappedKey)
    const wrappedKey = await wrapKey(keyring, row.context, key)
    // The old one is about to go, and with it the only other way to what it opens.
    if (!(await unwrapKey(keyring, row.context, wrappedKey)).equals(key)) {
      throw new SealError('keys-unavailable', 'The key ring does not unwrap what it wraps.')
    }
    return { row, wrappedKey }
  } catch (err) {
    if (!(err instanceof SealError) || err.code === 'keys-unavailable') throw err
    return { row, code: err.code }
  }
}

async function storeBatch(
  { database, audit }: Parts,
  keys: WrappedKeys,
  to: string,
  fresh: Fresh[]
): Promise<number> {
  return await database.write(async tx => {
    let done = 0
    for (const { row, wrappedKey } of fresh) {
      if (wrappedKey !== undefined && (await keys.replace(tx, row, wrappedKey))) done += 1
    }
    if (done === 0) return 0
    const details = told({ to, [keys.name]: done })
    await audit.append(tx, { action: 'keys.rewrap', outcome: 'success', details })
    return done
  })
}

/** How many keys of the database are not under this KEK. */
export async function keysOutside({ database }: Pick<Parts, 'database'>, kekId: string) {
  let sum = 0
  for (const keys of wrappedKeys) sum += await keys.countOutside(database.read, kekId)
  return sum
}

/** How many keys of the database are under this KEK. */
export async function keysUnder({ database }: Pick<Parts, 'database'>, kekId: string) {
  let sum = 0
  for (const keys of wrappedKeys) sum += await keys.countUnder(database.read, kekId)
  return sum
}

/**
 * Removes a KEK from the key ring file, on the access log first. Throws an Error, whose sentence is
 * for the operator, while anything still needs it or may come to need it.
 */
export async function retireKek(parts: Parts, file: string, id: string): Promise<void> {
  const { database, audit, clock } = parts
  const kek = (await listKeks(file)).find(one => one.id === id)
  if (kek === undefined) throw new Error('The key ring file has no such KEK.')
  if (kek.isCurrent) {
    throw new Error('It is the current KEK of the key ring file: rotate first.')
  }
  const wait = (kek.replacedAt ?? 0) + RETIRE_MILLISECONDS_MIN - clock()
  if (wait > 0) {
    throw new Error(
      `It was the current KEK a short while ago, and a request may still be storing a key under it. Try again in ${Math.ceil(wait / 60_000)} minutes.`
    )
  }
  const uses = await keysUnder(parts, id)
  if (uses > 0) {
    throw new Error(`${uses} keys in the database are still wrapped under it: rotate first.`)
  }
  await database.write(tx =>
    audit.append(tx, { action: 'keys.retire', outcome: 'success', details: told({ kek: id }) })
  )
  await removeKek(file, id)
}

const told = (details: Record<string, unknown>) => ({ by: 'operator console', ...details })
