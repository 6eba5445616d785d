import type { Blobs, BlobWriter } from '../../src/blobs/blobs.ts'
import { BlobError } from '../../src/blobs/blobs.ts'

export const faultyActs = ['create', 'write', 'commit', 'sync'] as const
export const faultyEnds = ['failed', 'failed but stored'] as const

export type FaultyAct = (typeof faultyActs)[number]

/**
 * The `nth` call of `act`, counted from 1 over all writers, is reported as failed: before it was
 * done ('failed') or after ('failed but stored'). All other calls pass.
 */
export interface Fault {
  act: FaultyAct
  nth: number
  end: (typeof faultyEnds)[number]
}

export interface FaultyBlobs extends Blobs {
  /** Whether the fault has struck. A fault test in which it has not proves nothing. */
  struck(): boolean
  /** How often each act was called, so that a test can first count and then fail each in turn. */
  calls(): Record<FaultyAct, number>
}

/** Wraps a store so that one chosen act fails. Without a fault it only counts. */
export function faultyBlobs(inner: Blobs, fault?: Fault): FaultyBlobs {
  const counts = { create: 0, write: 0, commit: 0, sync: 0 }
  let struck = false

  async function pass<T>(act: FaultyAct, work: () => Promise<T>): Promise<T> {
    counts[act]++
    if (fault?.act !== act || counts[act] !== fault.nth) return await work()
    struck = true
    if (fault.end === 'failed but stored') await work()
    throw new BlobError('blob-store-failed', `Fault test: ${act} ${fault.nth} ${fault.end}.`)
  }

  function wrap(writer: BlobWriter): BlobWriter {
    return {
      name: writer.name,
      write: bytes => pass('write', () => writer.write(bytes)),
      commit: () => pass('commit', () => writer.commit()),
      abort: () => writer.abort()
    }
  }

  return {
    create: async () => wrap(await pass('create', () => inner.create())),
    open: (name, receipt) => inner.open(name, receipt),
    remove: name => inner.remove(name),
    list: () => inner.list(),
    sync: names => pass('sync', () => inner.sync(names)),
    check: () => inner.check(),
    freeBytes: () => inner.freeBytes(),
    sweepUnfinished: () => inner.sweepUnfinished(),
    close: () => inner.close(),
    struck: () => struck,
    calls: () => ({ ...counts })
  }
}
