import type { Receipt } from '../audit/receipt.ts'
import { BlobError, type Blobs } from '../blobs/blobs.ts'
import { Refusal } from '../errors.ts'
import { digestOf } from '../housekeeping/check-exchange.ts'
import { openRecordKey } from '../records/record.ts'
import type { Keyring } from '../sealing/keyrings/keyring.ts'
import { SEALED_READ_BYTES, sealedBytes } from '../sealing/layout.ts'
import { SealError } from '../sealing/seal-error.ts'
import type { Brought } from './brought.ts'
import { MoveError } from './move-error.ts'
import type { OwnedObject } from './queries.ts'

/** Objects on their way at once. To S3 each takes three parts of 8 MiB. */
const AT_ONCE = 4
/** Objects that share one sync. */
const SYNC_MAX = 1000

export interface ObjectsMove {
  from: Blobs
  to: Blobs
  keyring: Keyring
  receipt: Receipt
  /** Objects that do not open are copied as they are. Otherwise they are only told of. */
  withFaults: boolean
  fault(sentence: string): void
  /** What this move has put into the other store, in this run and those before. */
  brought: Brought
  /** Told of each object that is there now, with its bytes, and whether it was there before. */
  moved(bytes: number, wasThere: boolean): void
  signal: AbortSignal
}

/**
 * Copies every object that is not in the other store with its whole length, opens it on the way, and
 * holds it against the digest of its row: what does not open is not copied. What an earlier run has
 * brought and was erased since is removed. Whatever else the other store holds is none of ours, and
 * refused. If it stops anywhere, the next run goes on: stores show whole objects only. Resolves to the
 * number of faults.
 */
export async function moveObjects(
  parts: ObjectsMove,
  objects: AsyncGenerator<OwnedObject>
): Promise<number> {
  const there = new Map<string, number>()
  for await (const { name, bytes } of parts.to.list()) there.set(name, bytes)
  const names: string[] = []
  const state = { faults: 0, stopped: false }

  async function work(): Promise<void> {
    for (;;) {
      const { value: owned, done } = await objects.next()
      if (done || state.stopped) return
      if (parts.signal.aborted) throw new MoveError('The move was stopped. Run it again to go on.')
      const blobs = blobsOf(owned)
      const wasThere = blobs.every(({ name, bytes }) => there.get(name) === sealedBytes(bytes))
      for (const { name } of blobs) there.delete(name)
      if (!wasThere && !(await moveObject(parts, owned))) state.faults += 1
      for (const { name } of blobs) names.push(name)
      parts.moved(owned.object.bytes, wasThere)
    }
  }

  const workers = Array.from({ length: AT_ONCE }, () =>
    work().catch(err => {
      state.stopped = true
      throw err
    })
  )
  const ends = await Promise.allSettled(workers)
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  for (let at = 0; at < names.length; at += SYNC_MAX) {
    await parts.to.sync(names.slice(at, at + SYNC_MAX))
  }
  for (const name of there.keys()) {
    if (!parts.brought.has(name)) continue
    await parts.to.remove(name)
    there.delete(name)
  }
  if (there.size > 0) {
    throw new MoveError(
      `The store holds ${there.size} objects that are not of these data. Choose an empty bucket, prefix or directory.`
    )
  }
  return state.faults
}

/** What an object is sealed as, with the bytes that each opens into. */
function blobsOf({ object, segments }: OwnedObject): { name: string; bytes: number }[] {
  if (object.blob !== null) return [{ name: object.blob, bytes: object.bytes }]
  return segments.map(({ blob, bytes }) => ({ name: blob, bytes }))
}

/** False when the object is at fault, which has been told. */
async function moveObject(parts: ObjectsMove, owned: OwnedObject): Promise<boolean> {
  const code = await copyOpened(parts, owned)
  if (code === undefined) return true
  parts.fault(`Object ${owned.object.id}: ${code}.`)
  if (parts.withFaults) for (const { name } of blobsOf(owned)) await copyUnopened(parts, name)
  return false
}

/** Copies an object while it is opened. Resolves to what is wrong with it, and then nothing is kept. */
async function copyOpened(parts: ObjectsMove, owned: OwnedObject): Promise<string | undefined> {
  const { object } = owned
  const copies = copyingStore(parts)
  try {
    const recordKey = await openRecordKey(parts.keyring, owned)
    const source = { organisationId: owned.case.organisationId, recordKey, object }
    const digest = await digestOf(copies, parts.receipt, source)
    if (!digest.equals(object.sha256)) throw new SealError('sealed-damaged', 'Not of its digest.')
    return undefined
  } catch (err) {
    await copies.undo()
    return faultOf(err)
  }
}

/** The code of what is wrong with the object itself. Throws whatever else it was. */
function faultOf(err: unknown): string {
  const isOfObject =
    (err instanceof SealError && err.code !== 'keys-unavailable') ||
    (err instanceof BlobError && err.code === 'blob-missing') ||
    (err instanceof Refusal && err.code === 'object-damaged')
  if (isOfObject) return err.code
  throw err
}

/** The blobs of `from`, each of which is copied to `to` as it is read, from its start to its end. */
function copyingStore({
  from,
  to,
  brought
}: Pick<ObjectsMove, 'from' | 'to' | 'brought'>): Pick<Blobs, 'open'> & { undo(): Promise<void> } {
  const made: string[] = []
  return {
    async open(name, receipt) {
      const reader = await from.open(name, receipt)
      const writer = await brought
        .add(name)
        .then(() => to.create(name))
        .catch(async err => {
          await reader.close()
          throw err
        })
      made.push(name)
      let copied = 0
      return {
        bytes: reader.bytes,
        async read(into, position) {
          if (position !== copied) throw new Error('A blob is copied from start to end.')
          const read = await reader.read(into, position)
          await writer.write(into.subarray(0, read))
          copied += read
          return read
        },
        async close() {
          await reader.close()
          if (copied === reader.bytes) await writer.commit()
          else await writer.abort()
        }
      }
    },
    async undo() {
      for (const name of made) await to.remove(name)
    }
  }
}

async function copyUnopened(
  { from, to, brought, receipt }: ObjectsMove,
  name: string
): Promise<void> {
  const reader = await from.open(name, receipt).catch(err => {
    if (err instanceof BlobError && err.code === 'blob-missing') return undefined
    throw err
  })
  if (reader === undefined) return
  await brought.add(name)
  const writer = await to.create(name)
  try {
    const piece = Buffer.allocUnsafeSlow(SEALED_READ_BYTES)
    for (let at = 0; at < reader.bytes; ) {
      const read = await reader.read(piece, at)
      if (read === 0) break
      await writer.write(piece.subarray(0, read))
      at += read
    }
    await writer.commit()
  } catch (err) {
    await writer.abort()
    throw err
  } finally {
    await reader.close()
  }
}
