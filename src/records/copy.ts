import type { KeyObject } from 'node:crypto'
import { createSecretKey } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { Receipt } from '../audit/receipt.ts'
import { type CaseRow, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { newKey, objectContext, recordKeyContext, wrapKey } from '../sealing/keys.ts'
import { type Content, openContent } from './content.ts'
import { pseudonymiseDicom } from './deidentify/deidentify.ts'
import { type Examined, examineDicom } from './deidentify/examine.ts'
import type { Pseudonyms } from './deidentify/pseudonyms.ts'
import { shiftTemporal } from './deidentify/values.ts'
import { acceptedTypes, type FileType } from './inspect/signatures.ts'
import { inspectorOf } from './inspect-file.ts'
import { ONE_BLOB } from './layout.ts'
import {
  findObjects,
  type ObjectRow,
  openRecordKey,
  type RecordRow,
  sealFileName,
  sealRecordDetails,
  viewSummary
} from './record.ts'
import { storeCopy } from './store-copy.ts'
import { storedSource } from './stored-source.ts'

/** Files read or written at once: while one waits for the disk, others are worked on. */
const AT_ONCE_MAX = 4

/** A record with what is known of each of its files. Those that are not DICOM have nothing. */
export interface ExaminedRecord {
  record: RecordRow
  key: KeyObject
  files: { object: ObjectRow; examined: Examined | undefined }[]
}

/** What the copies have in common. */
export interface CopyPlan {
  shareId: string
  createdBy: string
  pseudonyms: Pseudonyms
  /** More of the patient's names and numbers than the files tell, in small letters. */
  names: ReadonlySet<string>
  /** Records whose held files somebody has looked at and released. */
  released: ReadonlySet<string>
  receipt: Receipt
  /** Throws when the work must stop. */
  goOn(): void
}

export interface Copies {
  rows: { record: RecordRow; objects: ObjectRow[] }[]
  /** Removes whatever was stored. Never throws. */
  discard(): Promise<void>
}

/**
 * Looks at every file of these records, as far as its pixel data. Refusals `dicom-unreadable` and
 * `dicom-too-complex` say under `problems` which file of which record it is.
 */
export async function examineRecords(
  exchange: Exchange,
  found: CaseRow,
  records: RecordRow[],
  { receipt, goOn }: Pick<CopyPlan, 'receipt' | 'goOn'>
): Promise<ExaminedRecord[]> {
  const examined: ExaminedRecord[] = []
  for (const record of records) {
    const key = await openRecordKey(exchange.keyring, { record, case: found })
    const objects = await findObjects(exchange.database.read, { recordId: record.id })
    const files = await inParallel(objects, async object => {
      goOn()
      if (object.type !== 'application/dicom') return { object, examined: undefined }
      const look = (content: Content) => examineDicom(() => content.pull())
      const source = { exchange, receipt, found, key, object }
      return { object, examined: await reading(source, look) }
    })
    examined.push({ record, key, files })
  }
  return examined
}

/**
 * Makes a copy of each record for one share: under a key of its own, with neutral names, DICOM files
 * pseudonymised and all others as they are. Nothing names the copies until the caller's transaction;
 * if that never comes, `discard` removes them, or after a crash housekeeping.
 */
export async function copyRecords(
  exchange: Exchange,
  found: CaseRow,
  records: ExaminedRecord[],
  plan: CopyPlan
): Promise<Copies> {
  const blobs: string[] = []
  const discard = async () => {
    for (const blob of blobs) await exchange.blobs.remove(blob).catch(() => {})
  }
  try {
    const made = []
    for (const [n, record] of records.entries()) {
      made.push(await copyRecord(exchange, found, record, plan, n + 1, blob => blobs.push(blob)))
    }
    await exchange.blobs.sync(blobs)
    // Only now: what wraps them may be replaced, and then retired, while a large share is copied.
    const rows = await inParallel(made, async ({ key, record, objects }) => {
      const context = recordKeyContext(found.organisationId, record.id)
      const wrappedKey = await wrapKey(exchange.keyring, context, key)
      return { record: { ...record, wrappedKey }, objects }
    })
    return { rows, discard }
  } catch (err) {
    await discard()
    throw err
  }
}

async function copyRecord(
  exchange: Exchange,
  found: CaseRow,
  original: ExaminedRecord,
  plan: CopyPlan,
  place: number,
  begun: (blob: string) => void
) {
  const { record } = original
  const id = uuidv7({ msecs: exchange.clock() })
  const bytes = newKey()
  const key = createSecretKey(bytes)
  bytes.fill(0)
  const { keyring } = exchange
  const patient = async () => openCaseDetails(await openCaseKey(keyring, found), found).patient
  const inspectFile = inspectorOf(exchange, {
    organisationId: found.organisationId,
    caseId: found.id,
    key,
    patient
  })
  const to = { plan, recordId: id, key, begun, inspectFile }
  const objects = await inParallel(original.files, file =>
    copyFile(exchange, found, { ...original, file }, to)
  )
  const { kind, date } = viewSummary(record, original.key)
  const shifted = shiftTemporal(date.replaceAll('-', ''), 'DA', plan.pseudonyms.days) ?? ''
  const copy: Omit<RecordRow, 'wrappedKey'> = {
    ...record,
    id,
    detailsSealed: sealRecordDetails(key, id, {
      title: `Record ${place}: ${kind}`,
      date: shifted.replace(/^(....)(..)(..)$/, '$1-$2-$3')
    }),
    bytes: objects.reduce((total, object) => total + object.bytes, 0),
    createdBy: plan.createdBy,
    createdAt: exchange.clock(),
    // Its headers name nobody any more; what was said about the original is not for its reader.
    patientMatch: 'cannot-tell',
    patientReasonSealed: null,
    patientConfirmedBy: null,
    patientConfirmedAt: null,
    copyOf: record.id,
    copyFor: plan.shareId
  }
  return { key, record: copy, objects }
}

async function copyFile(
  exchange: Exchange,
  found: CaseRow,
  from: { record: RecordRow; key: KeyObject; file: ExaminedRecord['files'][number] },
  to: {
    plan: CopyPlan
    recordId: string
    key: KeyObject
    begun: (blob: string) => void
    inspectFile: ReturnType<typeof inspectorOf>
  }
): Promise<ObjectRow> {
  const { object, examined } = from.file
  const { plan, recordId, key } = to
  const id = uuidv7({ msecs: exchange.clock() })
  const isReviewed = examined?.held !== undefined && plan.released.has(from.record.id)
  const { pseudonyms, names, receipt } = plan
  const source = { exchange, receipt, found, key: from.key, object }
  const stored = await reading(source, content =>
    storeCopy(
      exchange,
      { key, context: objectContext(found.organisationId, recordId, id) },
      async write => {
        const pull = async () => {
          plan.goOn()
          return content.pull()
        }
        if (examined === undefined) return await passOn(pull, write)
        const copying = { pseudonyms, examined, names, isReviewed }
        return await pseudonymiseDicom(pull, write, copying)
      },
      to.begun
    )
  )
  // How the original was scanned holds for what was made of it.
  const copy: ObjectRow = {
    ...object,
    ...stored,
    id,
    recordId,
    format: ONE_BLOB,
    layoutSealed: null,
    nameSealed: sealFileName(key, id, neutralName(object)),
    summarySealed: null,
    instanceRef: null
  }
  const { organisationId } = found
  const { dicom, ...inspected } = await to.inspectFile({
    objectId: id,
    type: object.type as FileType,
    head: Buffer.alloc(0),
    source: storedSource(exchange.blobs, { organisationId, recordKey: key, object: copy })
  })
  return { ...copy, ...inspected }
}

async function passOn(
  pull: () => Promise<Buffer | undefined>,
  write: (piece: Buffer) => Promise<void>
): Promise<void> {
  // Copied: what is pulled is used again, and what is written is given away.
  for (let piece = await pull(); piece; piece = await pull()) await write(Buffer.from(piece))
}

/** A name that says what the file is, and not whose. */
function neutralName({ position, type }: ObjectRow): string {
  const extension = acceptedTypes[type as FileType]?.extensions[0] ?? 'bin'
  return `file-${String(position).padStart(4, '0')}.${extension}`
}

/** Opens an object for as long as `work` takes. A refusal of its content says which it is. */
async function reading<T>(
  source: {
    exchange: Exchange
    receipt: Receipt
    found: CaseRow
    key: KeyObject
    object: ObjectRow
  },
  work: (content: Content) => Promise<T>
): Promise<T> {
  const { exchange, receipt, found, key, object } = source
  const content = await openContent(
    exchange.blobs,
    receipt,
    { organisationId: found.organisationId, recordKey: key, object },
    { start: 0, end: object.bytes }
  )
  try {
    return await work(content)
  } catch (err) {
    if (!(err instanceof Refusal) || !err.code.startsWith('dicom-')) throw err
    const problems = [`file ${object.position} of record ${object.recordId}`]
    throw new Refusal(err.code, err.message, { ...err.extra, problems })
  } finally {
    await content.close()
  }
}

/** Some at a time, the results in order. After a failure no more are begun; it waits for the rest. */
async function inParallel<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const left = items.entries()
  let failed = false
  const lane = async () => {
    for (const [n, item] of left) {
      if (failed) return
      try {
        results[n] = await work(item)
      } catch (err) {
        failed = true
        throw err
      }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE_MAX }, lane))
  const failure = lanes.find(({ status }) => status === 'rejected')
  if (failure?.status === 'rejected') throw failure.reason
  return results
}
