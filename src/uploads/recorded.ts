import type { KeyObject } from 'node:crypto'
import type { Action } from '../../schemas/audit-event.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Queries } from '../database/database.ts'
import { Refusal, type RefusalCode } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import type { Inspection } from '../records/inspect/inspect.ts'
import { type Segment, sealLayout } from '../records/layout.ts'
import { aboutUpload, homeOf, openMetadata, type UploadInCase } from './draft.ts'
import { addToDraft } from './draft-queries.ts'
import {
  advanceUpload,
  deleteSegments,
  insertSegment,
  refuseUpload,
  type SegmentRow,
  segmentsOfUpload,
  storeUpload
} from './queries.ts'
import type { SealedSegment } from './segment.ts'
import { removeEnded } from './sweep.ts'

/** Who is adding to which upload, and as which act it goes on the access log. */
export interface Act {
  caller: Caller
  found: UploadInCase
  key: KeyObject
  action: Extract<Action, 'upload.create' | 'upload.receive' | 'record.create'>
}

/** Durable segments, in order, that are to be acknowledged. */
export interface Arrived {
  /** Offset of the upload before and after them. */
  from: number
  to: number
  segments: SealedSegment[]
  /** The segment whose bytes the first of them holds too. */
  replaced: { blob: string } | undefined
  /** What its first bytes say it is, once they are known. */
  seen: Inspection | undefined
}

/**
 * Puts durable segments and the new offset on record in one transaction, with the event; nobody is
 * told an offset before. With the last of them the file is whole, where its digest is known by then.
 * Resolves to whether it is. Refusal `upload-offset-conflict` when another has added to the upload.
 */
export async function recordSegments(
  exchange: Exchange,
  act: Act,
  arrived: Arrived
): Promise<boolean> {
  const { upload } = act.found
  const { from, to, segments, replaced, seen } = arrived
  const last = segments.at(-1)
  const isAll = to === upload.bytes
  const digest = isAll && upload.part !== 'partial' && seen !== undefined ? last?.sha256 : undefined
  const wanted = digest && openMetadata(act.key, upload).sha256
  const mismatch = wanted !== undefined && wanted !== digest?.toString('hex')
  await exchange.database.write(async tx => {
    const isTaken = await advanceUpload(tx, {
      id: upload.id,
      from,
      to,
      segments: last === undefined ? upload.segments : last.place + 1,
      state: isAll && upload.part === 'partial' ? 'stored' : 'receiving',
      type: seen?.type ?? null,
      endToEnd: seen?.endToEnd ?? null
    })
    if (!isTaken) throw conflict(act.found)
    if (replaced !== undefined) await deleteSegments(tx, [replaced.blob])
    for (const { blob, number, place, bytes } of segments) {
      const row = { blob, uploadId: upload.id, place, sealedFor: upload.id, number, bytes }
      await insertSegment(tx, row)
    }
    if (digest !== undefined && !mismatch) await makeWhole(tx, act, digest, seen)
    if (!mismatch) await append(exchange, tx, act, { from, to })
    else await refuse(exchange, tx, act, 'digest-mismatch')
  })
  // An orphan if it cannot be removed now.
  if (replaced !== undefined) await exchange.blobs.remove(replaced.blob).catch(() => {})
  if (mismatch) await cleanAndThrow(exchange, act, 'digest-mismatch')
  return digest !== undefined
}

/** Makes the upload whole: its segments become the layout that its object will have. */
export async function makeWhole(
  tx: Queries,
  { found, key }: Act,
  sha256: Buffer,
  seen: Inspection | undefined
): Promise<void> {
  const { id } = found.upload
  const segments = (await segmentsOfUpload(tx, { uploadId: id })).map(asSegment)
  const layoutSealed = sealLayout(key, homeOf(found), id, segments)
  const { type = null, endToEnd = null } = seen ?? {}
  if (!(await storeUpload(tx, id, { sha256, layoutSealed, type, endToEnd }))) throw conflict(found)
}

/**
 * Ends an upload whose file is not one to keep, with the event, and removes what came of it. Always
 * throws: the refusal, which is on the log already.
 */
export async function refuseFile(
  exchange: Exchange,
  act: Act,
  code: RefusalCode,
  detail?: string
): Promise<never> {
  await exchange.database.write(tx => refuse(exchange, tx, act, code))
  return cleanAndThrow(exchange, act, code, detail)
}

async function refuse(exchange: Exchange, tx: Queries, act: Act, code: RefusalCode): Promise<void> {
  const { upload, draft } = act.found
  if (!(await refuseUpload(tx, upload.id, code))) throw conflict(act.found)
  // It stays in the draft, which says why, but it takes no room any more.
  const now = exchange.clock()
  const filesMax = Number.MAX_SAFE_INTEGER
  await addToDraft(tx, { id: draft.id, files: 0, bytes: -upload.bytes, now, filesMax })
  await exchange.audit.append(tx, {
    action: act.action,
    outcome: 'refused',
    code,
    ...actedBy(act.caller, { filePosition: upload.position }),
    ...aboutUpload(act.found)
  })
}

async function cleanAndThrow(
  exchange: Exchange,
  { found }: Act,
  code: RefusalCode,
  detail?: string
): Promise<never> {
  await removeEnded(exchange, found.upload.id)
  throw new Refusal(code, detail, { filePosition: found.upload.position, recorded: true })
}

/** The event of an act on an upload. */
export async function append(
  exchange: Pick<Exchange, 'audit'>,
  tx: Queries,
  { caller, found, action }: Act,
  more: Record<string, unknown>
): Promise<void> {
  await exchange.audit.append(tx, {
    action,
    outcome: 'success',
    ...actedBy(caller, more),
    ...aboutUpload(found)
  })
}

export const asSegment = ({ sealedFor, number, blob, bytes }: SegmentRow): Segment => ({
  upload: sealedFor,
  number,
  blob,
  bytes
})

function conflict(found: UploadInCase): Refusal {
  return new Refusal('upload-offset-conflict', 'changed meanwhile', { about: aboutUpload(found) })
}
