import type { KeyObject } from 'node:crypto'
import { BlobError } from '../blobs/blobs.ts'
import type { Exchange } from '../exchange.ts'
import type { Sealed } from '../sealing/seal-pool.ts'

/** One object that this service wrote itself, durable once `sync` has named its blob. */
export interface StoredCopy extends Sealed {
  blob: string
}

/**
 * Seals what `produce` writes into a new blob. `begun` is told the blob's name before anything is
 * stored, so that whoever gives up can remove it; if the process stops, housekeeping does.
 */
export async function storeCopy(
  exchange: Pick<Exchange, 'blobs' | 'sealPool'>,
  seal: { key: KeyObject; context: Uint8Array },
  produce: (write: (piece: Buffer) => Promise<void>) => Promise<void>,
  begun: (blob: string) => void
): Promise<StoredCopy> {
  const blob = await exchange.blobs.create()
  begun(blob.name)
  const job = exchange.sealPool.seal(seal)
  const storing = (async () => {
    for await (const sealed of job.output) {
      await blob.write(sealed)
      job.recycle(sealed)
    }
  })()
  storing.catch(() => job.abort())
  try {
    await produce(piece => job.write(piece))
    const sealed = await job.end()
    await storing
    await blob.commit()
    return { blob: blob.name, ...sealed }
  } catch (err) {
    job.abort()
    const failure: unknown = await storing.catch((cause: unknown) => cause)
    await blob.abort()
    // Sealing was given up because its output could not be stored: that is the one to tell.
    throw failure instanceof BlobError ? failure : err
  }
}
