import { once } from 'node:events'
import { createDeflateRaw } from 'node:zlib'

/** Takes the next bytes of a file. The buffer is the taker's from then on. */
export type Write = (bytes: Buffer) => Promise<void>

/** Small pieces are gathered up to this before they are written. */
const GATHER_BYTES = 65_536

/** A file written from its beginning to its end. */
export interface DicomSink {
  /** Adds bytes, which are copied. Ask `isFull` now and then. */
  put(bytes: Buffer): void
  /** Whether `flush` should be awaited before more is put. */
  isFull(): boolean
  flush(): Promise<void>
  /** Writes what is left. Nothing may be put afterwards. */
  end(): Promise<void>
}

export function dicomSink(write: Write): DicomSink {
  let gathered = Buffer.allocUnsafeSlow(GATHER_BYTES)
  let used = 0
  const full: Buffer[] = []

  function close(): void {
    if (used > 0) full.push(gathered.subarray(0, used))
    gathered = Buffer.allocUnsafeSlow(GATHER_BYTES)
    used = 0
  }
  async function flush(): Promise<void> {
    for (const piece of full.splice(0)) await write(piece)
  }
  return {
    put(bytes) {
      if (bytes.length > GATHER_BYTES - used) close()
      if (bytes.length > GATHER_BYTES) {
        const copy = Buffer.allocUnsafeSlow(bytes.length)
        copy.set(bytes)
        full.push(copy)
        return
      }
      gathered.set(bytes, used)
      used += bytes.length
    },
    isFull: () => full.length > 0,
    flush,
    async end() {
      close()
      await flush()
    }
  }
}

/** A sink whose content is deflated on its way to `write`. */
export function deflatingSink(write: Write): DicomSink {
  const packing = createDeflateRaw()
  const writing = (async () => {
    for await (const piece of packing) await write(piece as Buffer)
  })()
  // Whoever flushes hears of it.
  writing.catch(() => packing.destroy())
  const inner = dicomSink(async piece => {
    if (packing.destroyed) return await writing
    if (!packing.write(piece)) await Promise.race([once(packing, 'drain'), writing])
  })
  return {
    ...inner,
    async end() {
      await inner.end()
      packing.end()
      await writing
    }
  }
}
