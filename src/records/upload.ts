import { createSecretKey, type KeyObject } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { RecordView } from '../../schemas/record.ts'
import { actedBy } from '../audit/acted-by.ts'
import { type CaseRow, caseOf } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { newKey, recordKeyContext, wrapKey } from '../sealing/keys.ts'
import { recordForm, type UploadPart } from './form.ts'
import { insertRecord, type ObjectRow } from './queries.ts'
import { aboutRecord, sealRecordDetails, viewRecord } from './record.ts'
import { beginFiles, type StoredFile } from './store-file.ts'

/**
 * Takes one record: the fields, then any number of files, each streamed through type check, digest
 * and sealing into the blob store and never in clear on the disk. All or nothing: the record and
 * its event appear in one transaction once every file is durable. If it stops earlier, for whatever
 * reason, no row names what was stored; it is removed at once, or after a crash by housekeeping.
 */
export async function uploadRecord(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  parts: AsyncIterable<UploadPart>
): Promise<RecordView> {
  const { database, blobs, limits } = exchange
  const found = await caseOf(database.read, caller, caseId)
  if ((await blobs.freeBytes()) < limits.freeBytesMin) throw new Refusal('storage-full')

  const recordId = uuidv7({ msecs: exchange.clock() })
  const key = newKey()
  const files = beginFiles(exchange, { organisationId: found.organisationId, recordId, key })
  let committing = false
  try {
    const form = recordForm(parts, limits)
    for await (const file of form.files) await files.add(file)
    const stored = await files.finish()
    if (stored.length === 0) throw new Refusal('file-missing')
    committing = true
    return await commitRecord(exchange, caller, found, { recordId, key, ...form.fields(), stored })
  } catch (err) {
    // A commit that the disk failed may be stored all the same, and then its rows need these blobs.
    // If it is not, housekeeping removes them after the next start.
    const mayBeStored = committing && err instanceof Refusal && err.code === 'storage-unavailable'
    if (!mayBeStored) await files.discard()
    throw err
  } finally {
    key.fill(0)
  }
}

interface NewRecord {
  recordId: string
  key: Buffer
  kind: string
  title: string
  date: string
  stored: StoredFile[]
}

async function commitRecord(
  exchange: Exchange,
  caller: Caller,
  found: CaseRow,
  wanted: NewRecord
): Promise<RecordView> {
  const { recordId, kind, title, date, stored } = wanted
  const key: KeyObject = createSecretKey(wanted.key)
  const record = {
    id: recordId,
    caseId: found.id,
    kind,
    wrappedKey: await wrapKey(
      exchange.keyring,
      recordKeyContext(found.organisationId, recordId),
      key
    ),
    detailsSealed: sealRecordDetails(key, recordId, { title, date }),
    objectCount: stored.length,
    bytes: stored.reduce((total, file) => total + file.bytes, 0),
    createdBy: caller.accountId,
    createdAt: exchange.clock(),
    copyOf: null,
    copyFor: null
  }
  const objects: ObjectRow[] = stored.map(file => ({ ...file, recordId }))
  await exchange.database.write(async tx => {
    await insertRecord(tx, record, objects)
    await exchange.audit.append(tx, {
      action: 'record.create',
      outcome: 'success',
      ...actedBy(caller, { kind, objects: stored.length, bytes: record.bytes }),
      ...aboutRecord({ record, case: found })
    })
  })
  return viewRecord(record, objects, key)
}
