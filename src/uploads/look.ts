import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { aboutUpload, openDraftKey, openMetadata, uploadOf } from './draft.ts'
import { CHECKSUM_ALGORITHMS, TUS_EXTENSIONS, TUS_VERSION, type TusAnswer } from './protocol.ts'

/** Puts it on record that somebody asked where an upload goes on, and adds what tus leaves to us. */
export async function lookAtUpload(
  exchange: Exchange,
  caller: Caller,
  uploadId: string
): Promise<Record<string, string>> {
  const { database, keyring } = exchange
  const found = await uploadOf(database.read, caller, uploadId, exchange.clock())
  const { concat } = openMetadata(await openDraftKey(keyring, found), found.upload)
  await exchange.audit.add({
    action: 'upload.read',
    outcome: 'success',
    ...actedBy(caller),
    ...aboutUpload(found)
  })
  return { 'cache-control': 'no-store', ...(concat !== undefined && { 'upload-concat': concat }) }
}

/** What of tus there is, as OPTIONS tells it. No origin of another is ever let in. */
export async function tellExtensions(exchange: Exchange, caller: Caller): Promise<TusAnswer> {
  await exchange.audit.add({
    action: 'upload.read',
    outcome: 'success',
    ...actedBy(caller)
  })
  return {
    status: 204,
    headers: {
      'tus-version': TUS_VERSION,
      'tus-extension': TUS_EXTENSIONS,
      'tus-max-size': String(exchange.limits.objectBytesMax),
      'tus-checksum-algorithm': CHECKSUM_ALGORITHMS.join(',')
    }
  }
}
