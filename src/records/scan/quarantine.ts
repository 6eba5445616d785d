import { timestamp } from '../../../schemas/common.ts'
import type { ObjectScan, Quarantine } from '../../../schemas/record.ts'
import type { Database, Queries } from '../../database/database.ts'
import { Refusal, type RefusalExtra } from '../../errors.ts'
import type { ObjectRow } from '../record.ts'
import type { Access } from '../serve.ts'
import { findInfected, kindsNotClean } from './queries.ts'
import type { ScanPolicy } from './scanner.ts'
import type { NotScanned } from './verdict.ts'

/** What decides about an object. */
type Scanned = Pick<ObjectRow, 'scan' | 'scanReason' | 'type' | 'endToEnd'>

/** Types whose structure was checked at upload, and in which no viewer runs anything. */
const STRUCTURED_TYPES = new Set(['application/dicom', 'image/tiff'])

/**
 * Whether a record with these objects may be shared. `held` for good, unless the operator changes the
 * policy or a later scan succeeds; `waiting` until the scanner has looked at it. Objects that are
 * clean may be left out.
 */
export function quarantineOf(objects: Scanned[], policy: ScanPolicy): Quarantine {
  if (objects.some(({ scan }) => scan === 'infected')) return 'held'
  if (!policy.isOn) return 'none'
  if (objects.some(object => isUnscanned(object) && !mayGoUnscanned(object, policy))) return 'held'
  return objects.some(({ scan }) => scan === 'pending') ? 'waiting' : 'none'
}

const isUnscanned = ({ scan }: Scanned): boolean => scan === 'not-scanned'

/**
 * What may be shared although no scanner has seen it. What its sender encrypted can be scanned by
 * nobody but its reader: held back, it could never be sent at all, so only `refuse` does that.
 */
function mayGoUnscanned(object: Scanned, { unscanned }: ScanPolicy): boolean {
  if (unscanned !== 'structured') return unscanned === 'release'
  return object.endToEnd || STRUCTURED_TYPES.has(object.type)
}

/** The scan of one object as its owner and its reader see it. */
export function viewScan(object: ObjectRow, policy: ScanPolicy): ObjectScan {
  const { scan, scanReason, scanSignature, scanAt } = object
  if (scan === 'pending') {
    return policy.isOn ? { scan } : { scan: 'not-scanned', scanReason: 'off' }
  }
  return {
    scan: scan as ObjectScan['scan'],
    ...(scanReason !== null && { scanReason: scanReason as NotScanned }),
    ...(scanSignature !== null && { scanSignature }),
    ...(scanAt !== null && { scannedAt: timestamp(scanAt) })
  }
}

/** The quarantine of each of these records, by its id. */
export async function quarantineOfRecords(
  queries: Queries,
  recordIds: string[],
  policy: ScanPolicy
): Promise<Map<string, Quarantine>> {
  const kinds = recordIds.length === 0 ? [] : await kindsNotClean(queries, recordIds, !policy.isOn)
  return new Map(
    recordIds.map(id => [
      id,
      quarantineOf(
        kinds.filter(({ recordId }) => recordId === id),
        policy
      )
    ])
  )
}

/**
 * Throws the Refusal `record-in-quarantine`, which says which and what to do, unless all of these
 * records may be shared. `about` is what the access log says of their case.
 */
export async function requireReleased(
  queries: Queries,
  recordIds: string[],
  policy: ScanPolicy,
  about: NonNullable<RefusalExtra['about']>
): Promise<void> {
  const states = await quarantineOfRecords(queries, recordIds, policy)
  const problems = []
  let first: string | undefined
  for (const [id, state] of states) {
    if (state === 'none') continue
    first ??= id
    const isInfected = (await findInfected(queries, { recordId: id })).length > 0
    problems.push(`Record ${id} ${isInfected ? advice.infected : advice[state]}`)
  }
  if (first === undefined) return
  throw new Refusal('record-in-quarantine', states.get(first), {
    problems,
    about: { ...about, recordId: first }
  })
}

const advice = {
  infected:
    'holds an infected file, and cannot be shared. Upload its other files as a new record, and the infected one once it is clean.',
  held: 'holds a file that could not be scanned for malware, and unscanned files of its type may not be shared here. The record says which. Send that file smaller or as DICOM or TIFF, or ask the operator.',
  waiting:
    'waits for its malware scan. Share it once its quarantine is none: mostly within a minute.'
}

/**
 * The same access, but not to what is infected: nobody reads an infected file, a specialist nothing
 * of its record, and its owner the other files one by one. Judged in the transaction that records the
 * reading and while it runs, so a verdict cuts it within a second.
 */
export function withoutInfected(database: Database, access: Access, objectId?: string): Access {
  const { found, event } = access
  const isBarred = async (queries: Queries): Promise<boolean> => {
    const infected = await findInfected(queries, { recordId: found.record.id })
    const isWhole = objectId === undefined || event.shareId !== undefined
    return infected.some(({ id }) => isWhole || id === objectId)
  }
  return {
    ...access,
    async stillGranted(tx) {
      await access.stillGranted(tx)
      if (await isBarred(tx)) throw barred(access)
    },
    mustEnd: async () =>
      (await access.mustEnd()) ?? ((await isBarred(database.read)) ? 'revoked' : undefined)
  }
}

function barred({ event, found }: Access): Refusal {
  const { details, ...about } = event
  const next =
    event.shareId === undefined
      ? 'Its other files can be read one by one.'
      : 'Ask the sender for a clean copy.'
  return new Refusal('record-in-quarantine', 'infected', {
    problems: [`Record ${found.record.id} holds an infected file. ${next}`],
    about: Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined))
  })
}
