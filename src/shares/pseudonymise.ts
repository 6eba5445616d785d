import { createSecretKey } from 'node:crypto'
import type { SharedRequest } from '../../schemas/request.ts'
import type { ShareCreate } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Ending } from '../audit/disclosures.ts'
import type { Receipt } from '../audit/receipt.ts'
import { aboutCase, type CaseRow, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { refusalOf } from '../http/streams.ts'
import type { Caller } from '../identity/principal.ts'
import { type Copies, copyRecords, type ExaminedRecord, examineRecords } from '../records/copy.ts'
import { heldReasons } from '../records/deidentify/held.ts'
import { pseudonymsOf } from '../records/deidentify/pseudonyms.ts'
import type { RecordRow } from '../records/record.ts'
import { newKey } from '../sealing/keys.ts'
import type { PseudonymTerms } from './share.ts'
import { namesInFiles, namesOf, requireUnnamed, requireUnnamedByFiles } from './unnamed.ts'

/** Files told of in one refusal; the rest is counted. */
const PROBLEMS_MAX = 50

export interface Pseudonymised {
  copies: Copies
  terms: PseudonymTerms
}

/**
 * Makes what the specialist of a pseudonymised share will read. Everything is looked at first, and what
 * needs a person's decision that the request does not state is refused by name: `pseudonymise-not-dicom`,
 * `pseudonymise-held`, `pseudonymise-names-patient`. The original records stay as they are. Reading them
 * is on the log before the first byte, and so is its end.
 */
export async function pseudonymise(
  exchange: Exchange,
  caller: Caller,
  found: CaseRow,
  wanted: {
    share: ShareCreate
    shareId: string
    records: RecordRow[]
    request: SharedRequest | undefined
    /** Of the share that this one replaces: who has seen its copies knows these again. */
    before: PseudonymTerms | undefined
  }
): Promise<Pseudonymised> {
  const { share, shareId, records, request, before } = wanted
  const { patient, question } = openCaseDetails(await openCaseKey(exchange.keyring, found), found)
  const names = namesOf(patient)
  const texts = [share.purpose, share.question ?? question, ...textsOf(request)]
  requireUnnamed(texts, patient, names)
  const { blobs, limits } = exchange
  if ((await blobs.freeBytes()) < limits.freeBytesMin) throw new Refusal('storage-full')

  let cut: Ending | undefined
  const place = await exchange.uploads.enter(caller, ending => {
    cut = ending
  })
  const goOn = () => {
    if (cut !== undefined) throw refusalOf(cut)
  }
  try {
    return await recorded(exchange, caller, found, records, async receipt => {
      const examined = await examineRecords(exchange, found, records, { receipt, goOn })
      const inFiles = namesInFiles(
        examined.flatMap(({ files }) => files.flatMap(file => file.examined?.names ?? []))
      )
      requireUnnamedByFiles(texts, inFiles)
      requireDecisions(examined, share)
      const key = before === undefined ? newKey() : Buffer.from(before.key, 'base64')
      const pseudonyms = pseudonymsOf(createSecretKey(key))
      const copies = await copyRecords(exchange, found, examined, {
        shareId,
        createdBy: caller.accountId,
        pseudonyms,
        names,
        released: new Set(share.allowHeld?.records),
        receipt,
        goOn
      })
      const terms = {
        patient: pseudonyms.patient,
        key: key.toString('base64'),
        question: share.question ?? question,
        names: inFiles,
        files: countsOf(examined),
        decisions: decisionsOf(share)
      }
      key.fill(0)
      return { copies, terms }
    })
  } finally {
    place.leave()
  }
}

/** Who decided what by hand, and why. */
export function decisionsOf({ allowAsIs, allowHeld }: ShareCreate) {
  return { ...(allowAsIs && { allowAsIs }), ...(allowHeld && { allowHeld }) }
}

/** Runs `work` between the two events of reading these records. */
async function recorded<T>(
  exchange: Exchange,
  caller: Caller,
  found: CaseRow,
  records: RecordRow[],
  work: (receipt: Receipt) => Promise<T>
): Promise<T> {
  const disclosure = await exchange.disclosures.grant(async () => ({
    action: 'record.pseudonymise',
    outcome: 'granted',
    ...actedBy(caller, { records: records.map(({ id }) => id) }),
    ...aboutCase(found)
  }))
  try {
    const done = await work(disclosure.receipt)
    await disclosure.complete('complete', 0)
    return done
  } catch (err) {
    await disclosure.complete('failed', 0)
    throw err
  }
}

/** Everything somebody wrote in the request as the specialist will see it. */
function textsOf(request: SharedRequest | undefined): string[] {
  if (request === undefined) return []
  const { condition, diagnosis, proposedTreatment, questions } = request
  const texts = [
    condition?.text,
    diagnosis,
    proposedTreatment,
    ...questions.map(({ text }) => text)
  ]
  return texts.filter(text => text !== undefined)
}

function requireDecisions(examined: ExaminedRecord[], share: ShareCreate): void {
  const asIs = new Set(share.allowAsIs?.records)
  const released = new Set(share.allowHeld?.records)
  const other: string[] = []
  const held: string[] = []
  for (const { record, files } of examined) {
    for (const { object, examined } of files) {
      const which = `Record ${record.id}, file ${object.position}`
      if (examined === undefined) {
        if (!asIs.has(record.id)) other.push(`${which}: ${object.type}`)
      } else if (examined.held !== undefined && !released.has(record.id)) {
        held.push(`${which}: ${examined.held}. ${heldReasons[examined.held]}`)
      }
    }
  }
  // Told of both at once, so that nobody has to ask twice.
  const problems = [...other, ...held]
  if (problems.length === 0) return
  const told = problems.slice(0, PROBLEMS_MAX)
  if (told.length < problems.length) told.push(`and ${problems.length - told.length} files more`)
  const code = other.length > 0 ? 'pseudonymise-not-dicom' : 'pseudonymise-held'
  throw new Refusal(code, undefined, { problems: told })
}

function countsOf(examined: ExaminedRecord[]): PseudonymTerms['files'] {
  const files = examined.flatMap(record => record.files)
  return {
    pseudonymised: files.filter(file => file.examined !== undefined).length,
    released: files.filter(file => file.examined?.held !== undefined).length,
    asIs: files.filter(file => file.examined === undefined).length
  }
}
