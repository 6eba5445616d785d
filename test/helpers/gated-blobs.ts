import type { Blobs } from '../../src/blobs/blobs.ts'

export interface Gate {
  /** Resolves once somebody waits at the gate. */
  knocked(): Promise<void>
  /** Lets everybody pass from now on. */
  open(): void
  pass(): Promise<void>
}

export function gate(): Gate {
  const knock = Promise.withResolvers<void>()
  const opening = Promise.withResolvers<void>()
  return {
    knocked: () => knock.promise,
    open: () => opening.resolve(),
    pass() {
      knock.resolve()
      return opening.promise
    }
  }
}

/** A store whose blobs open only once the gate does. Writing goes on as ever. */
export function gatedBlobs(inner: Blobs, door: Gate): Blobs {
  return {
    create: () => inner.create(),
    async open(name, receipt) {
      await door.pass()
      return inner.open(name, receipt)
    },
    remove: name => inner.remove(name),
    list: () => inner.list(),
    sync: names => inner.sync(names),
    check: () => inner.check(),
    freeBytes: () => inner.freeBytes(),
    sweepUnfinished: () => inner.sweepUnfinished(),
    close: () => inner.close()
  }
}
