import { timestamp } from '../../../schemas/common.ts'
import type {
  Disclosure,
  ReportedEnding,
  ReportedShare
} from '../../../schemas/disclosure-report.ts'
import type { ReadDetails } from '../log.ts'
import { londonTime } from './london.ts'
import type { Cast } from './people.ts'
import type { EventRow } from './queries.ts'
import type { Names } from './records.ts'
import type { SharesOfReport } from './shares.ts'

/** An event with the free part of its details, which is empty where it was erased or damaged. */
export interface OpenedEvent extends ReadDetails {
  row: EventRow
  /** The second event of a disclosure, if there is one yet. */
  ending: EventRow | undefined
}

/** One line of the report: who got to see what, when, and how it ended. */
export function disclosureLine(opened: OpenedEvent, cast: Cast, names: Names) {
  const { row, details, erased, damaged, ending } = opened
  const { address } = details
  const line: Disclosure = {
    event: row.id,
    index: row.idx,
    at: timestamp(row.at),
    london: londonTime(row.at),
    ...(row.actorId !== null && {
      reader: cast.reader(row.actorId, {
        organisationId: row.actorOrganisationId,
        country: row.recipientCountry
      })
    }),
    what: whatOf(row, details, names),
    ...(row.shareId !== null && { share: row.shareId }),
    ...(typeof address === 'string' && { address }),
    ...(erased && { erased }),
    ...(damaged && { damaged }),
    ending: endingOf(row, ending)
  }
  return line
}

function whatOf(row: EventRow, details: Record<string, unknown>, names: Names): Disclosure['what'] {
  const { record, files } = names.get(row.recordId ?? '') ?? {}
  const file = files?.get(row.objectId ?? '')
  const range = file && partOf(details.range, file.bytes)
  return {
    kind: kindOf(row, range !== undefined),
    ...(row.caseId !== null && { case: row.caseId }),
    ...(isPseudonymised(details) && { pseudonymised: true }),
    ...(record && { record }),
    ...(typeof details.archive === 'number' && { files: details.archive }),
    ...(file && { file }),
    ...(range && { range })
  }
}

/** Content says which copy it was; the rest that it told of copies. */
function isPseudonymised({ copy, pseudonymised }: Record<string, unknown>): boolean {
  return typeof copy === 'string' || pseudonymised === true
}

function kindOf(row: EventRow, isPart: boolean): Disclosure['what']['kind'] {
  if (row.action === 'link.open') return 'summary'
  if (row.action === 'share.read') return 'file-list'
  if (row.outcome === 'success') return 'properties'
  if (row.objectId === null) return 'record'
  return isPart ? 'part-of-file' : 'file'
}

/** The event says which bytes were asked for, the second of them exclusive. */
function partOf(range: unknown, bytes: number): { first: number; last: number } | undefined {
  if (!Array.isArray(range)) return undefined
  const [start, end] = range.map(Number)
  if (start === undefined || end === undefined || (start === 0 && end === bytes)) return undefined
  return { first: start, last: end - 1 }
}

/** What is told at once, without content, has no second event. */
function endingOf(row: EventRow, ending: EventRow | undefined): ReportedEnding {
  if (row.outcome === 'success') return { state: 'complete' }
  if (ending === undefined) return { state: 'under-way' }
  return {
    state: ending.outcome as ReportedEnding['state'],
    at: timestamp(ending.at),
    ...(ending.bytesHandedOver !== null && { bytes: ending.bytesHandedOver }),
    entry: { event: ending.id, index: ending.idx }
  }
}

/** One share of the report: who was given permission for what, by whom and until when. */
export function shareLine(
  { row, terms, recordIds, made, withdrawn }: SharesOfReport[number],
  cast: Cast,
  names: Names
): ReportedShare {
  const { revokedAt, revokedBy } = row
  return {
    id: row.id,
    case: row.caseId,
    madeAt: timestamp(row.createdAt),
    madeLondon: londonTime(row.createdAt),
    madeBy: cast.person(row.createdBy),
    specialist: cast.reader(row.specialistId, { country: row.recipientCountry }),
    ...(terms.purpose !== undefined && { purpose: terms.purpose }),
    ...(terms.transfer && { transfer: terms.transfer }),
    records: recordIds.flatMap(id => names.get(id)?.record ?? []),
    notBefore: timestamp(row.notBefore),
    expiresAt: timestamp(row.expiresAt),
    validLondon: { from: londonTime(row.notBefore), to: londonTime(row.expiresAt) },
    ...(made && { entry: made }),
    ...(revokedAt !== null &&
      revokedBy !== null && {
        withdrawn: {
          at: timestamp(revokedAt),
          london: londonTime(revokedAt),
          by: cast.person(revokedBy),
          ...(withdrawn && { entry: withdrawn })
        }
      })
  }
}
