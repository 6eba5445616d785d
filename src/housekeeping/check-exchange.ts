import { createHash } from 'node:crypto'
import { eq } from '../../schemas/drizzle.ts'
import type { Receipt } from '../audit/receipt.ts'
import { type Known, verifyDirectory } from '../audit/verify/directory.ts'
import {
  FAULTS_TOLD_MAX,
  type Findings,
  type Progress,
  type Summary,
  tellFindings
} from '../audit/verify/findings.ts'
import type { Blobs } from '../blobs/blobs.ts'
import { isErased, knownCase, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { openWhatIsAsked } from '../cases/stored.ts'
import { openStoredConsents } from '../consents/read.ts'
import type { Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { openProfile } from '../identity/profile.ts'
import { readJwksFile } from '../jwks-file.ts'
import { checkNotices } from '../notices/check.ts'
import { dataPaths } from '../open-data.ts'
import { checkWhatCameBack } from '../opinions/stored.ts'
import { type ObjectSource, openContent } from '../records/content.ts'
import { partsOfObject, type SealedPart } from '../records/layout.ts'
import {
  findCopies,
  findObjects,
  type ObjectRow,
  openRecordKey,
  type RecordInCase,
  segmentRows,
  viewRecord
} from '../records/record.ts'
import { WITHOUT_SCANNER } from '../records/scan/scanner.ts'
import { openEntry } from '../register/entry.ts'
import { openInvitation } from '../register/invitation.ts'
import { checkRetention } from '../retention/check.ts'
import { asksOf, openTexts } from '../shares/more-time/asked.ts'
import { hasEnded, openTerms } from '../shares/share.ts'
import { checkDrafts } from '../uploads/check.ts'

type Parts = Pick<
  Exchange,
  'directory' | 'database' | 'blobs' | 'keyring' | 'serviceKeys' | 'disclosures' | 'clock' | 'audit'
>

/** What a check found wrong, one sentence each, with ids only. */
export type Faults = string[]

/**
 * Checks everything that is stored and trusts nothing: every sealed field opens, every object
 * decrypts to the length and digest of its row, every draft has what was acknowledged of its files,
 * every share names records of its own case, the access log is whole and as it was signed, every
 * disclosure has its two events, and no blob is without a row.
 * Run it on data no service is using, for instance after a restore: an upload or a download under
 * way would look like a fault. The check reads content, so it is itself a disclosure on the log.
 */
export async function checkExchange(exchange: Parts): Promise<Faults> {
  const faults: Faults = []
  const disclosure = await exchange.disclosures.grant(async () => ({
    action: 'service.check',
    outcome: 'granted',
    details: { by: 'operator' }
  }))
  let bytes = 0
  try {
    await checkAccounts(exchange, faults)
    const blobs = new Set<string>()
    const { receipt } = disclosure
    bytes = await checkCases(exchange, receipt, faults, blobs)
    const lookAt = (what: string, at: () => unknown) => look(faults, what, at)
    bytes += await checkDrafts(exchange, receipt, lookAt, blobs)
    await checkRetention(exchange, lookAt, blobs)
    await checkShares(exchange, faults)
    await checkNotices(exchange, lookAt)
    await checkLog(exchange, faults, disclosure.receipt.eventId)
    for await (const { name } of exchange.blobs.list()) {
      if (!blobs.has(name)) faults.push(`Blob ${name} belongs to no object.`)
    }
    const unfinished = await exchange.blobs.sweepUnfinished()
    if (unfinished > 0) faults.push(`${unfinished} unfinished blobs were left behind (removed).`)
  } finally {
    await disclosure.complete('complete', bytes)
  }
  return faults
}

/**
 * The same for data that were put where they are from elsewhere, after the verifier of the log, which
 * must continue these older checkpoints. What is wrong with the log is in `findings`.
 */
export async function checkStored(
  exchange: Parts,
  older: Known['older'],
  findings: Findings,
  progress: Progress
): Promise<{ log: Summary; faults: Faults }> {
  const { openSnapshot } = exchange.database
  const known = { vkeys: [], older, openSnapshot, keyring: exchange.keyring }
  const log = await verifyDirectory(exchange.directory, known, findings, progress)
  return { log, faults: await checkExchange(exchange) }
}

/** Runs one look and turns whatever it throws into a fault. */
async function look(faults: Faults, what: string, at: () => unknown): Promise<void> {
  try {
    await at()
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? String(err.code) : String(err)
    faults.push(`${what}: ${code}.`)
  }
}

async function checkAccounts({ database, serviceKeys }: Parts, faults: Faults): Promise<void> {
  const { accounts, specialists, invitations } = database.read.tables
  for (const entry of await database.read.select().from(specialists)) {
    await look(faults, `Register entry ${entry.id}`, () => openEntry(serviceKeys, entry))
  }
  for (const row of await database.read.select().from(invitations)) {
    await look(faults, `Invitation ${row.id}`, () => openInvitation(serviceKeys, row))
  }
  for (const account of await database.read.select().from(accounts)) {
    await look(faults, `Profile of account ${account.id}`, () => openProfile(serviceKeys, account))
  }
}

/** Every case with its records and objects. Returns the plaintext bytes that were read. */
async function checkCases(
  exchange: Parts,
  receipt: Receipt,
  faults: Faults,
  blobs: Set<string>
): Promise<number> {
  const { database, keyring } = exchange
  const { cases, records } = database.read.tables
  const signingKeys = () => readJwksFile(dataPaths(exchange.directory).linkKeys)
  let bytes = 0
  for (const row of await database.read.select().from(cases)) {
    await look(faults, `Case ${row.id}`, async () => {
      if (isErased(row)) return
      const key = await openCaseKey(keyring, row)
      openCaseDetails(key, row)
      await openWhatIsAsked(database.read, key, row.id)
      await openStoredConsents(database.read, key, row.id)
      await checkWhatCameBack(database.read, key, row.id, signingKeys)
    })
    const rows = await database.read.select().from(records).where(eq(records.caseId, row.id))
    for (const record of rows) {
      bytes += await checkRecord(exchange, receipt, { record, case: row }, faults, blobs)
    }
  }
  return bytes
}

async function checkRecord(
  exchange: Parts,
  receipt: Receipt,
  found: RecordInCase,
  faults: Faults,
  blobs: Set<string>
): Promise<number> {
  const { record } = found
  const objects = await findObjects(exchange.database.read, { recordId: record.id })
  const bytes = objects.reduce((total, object) => total + object.bytes, 0)
  // Also when the record does not open: its blobs are still its own, and must not look like orphans.
  // But the blobs of an infected object, or of an erased record, are to be gone.
  const segments = await segmentsOf(exchange, objects)
  const isGone = isErased(record)
  const kept = isGone ? [] : objects.filter(({ scan }) => scan !== 'infected')
  for (const { blob } of [...kept, ...kept.flatMap(({ id }) => segments.get(id) ?? [])]) {
    if (blob !== null) blobs.add(blob)
  }
  if (objects.length !== record.objectCount || bytes !== record.bytes) {
    faults.push(`Record ${record.id} has not the objects or bytes its row says.`)
  }
  // No backup has the files of those, and housekeeping is about to remove them.
  if (isGone) return 0
  const { copyFor } = record
  if (copyFor !== null && (await hasEnded(exchange.database.read, copyFor, exchange.clock())))
    return 0
  await look(faults, `Record ${record.id}`, async () => {
    const key = await openRecordKey(exchange.keyring, found)
    viewRecord(record, objects, key, WITHOUT_SCANNER)
    for (const object of objects) {
      if (object.scan === 'infected') continue
      await look(faults, `Object ${object.id}`, async () => {
        const { organisationId } = found.case
        const source = { organisationId, recordKey: key, object }
        const rows = segments.get(object.id) ?? []
        if (!isSameParts(partsOfObject(key, organisationId, object), object, rows)) {
          throw new Error('its segments are not those of its rows')
        }
        const digest = await digestOf(exchange.blobs, receipt, source)
        if (!digest.equals(object.sha256)) throw new Error('it is not what its digest says')
      })
    }
  })
  return bytes
}

type SegmentRow = Awaited<ReturnType<typeof segmentRows>>[number]

/** The plain rows of segments, by object. */
async function segmentsOf({ database }: Parts, objects: ObjectRow[]) {
  const found = new Map<string, SegmentRow[]>()
  for (const { id, layoutSealed } of objects) {
    if (layoutSealed !== null) found.set(id, await segmentRows(database.read, id))
  }
  return found
}

/** Whether whoever goes by the rows, as a backup does, comes to the same blobs as a reader. */
function isSameParts(parts: SealedPart[], object: ObjectRow, rows: SegmentRow[]): boolean {
  if (object.layoutSealed === null) return rows.length === 0
  const told = (part: { blob: string; bytes: number }) => `${part.blob} ${part.bytes}`
  return parts.map(told).join() === rows.map(told).join()
}

/** SHA-256 of what an object opens into. Throws as `openContent` when it does not open. */
export async function digestOf(
  blobs: Pick<Blobs, 'open'>,
  receipt: Receipt,
  source: ObjectSource
): Promise<Buffer> {
  const range = { start: 0, end: source.object.bytes }
  const content = await openContent(blobs, receipt, source, range)
  const hash = createHash('sha256')
  try {
    for (let piece = await content.pull(); piece; piece = await content.pull()) hash.update(piece)
  } finally {
    await content.close()
  }
  return hash.digest()
}

async function checkShares({ database, keyring }: Parts, faults: Faults): Promise<void> {
  const { shares, shareRecords, records } = database.read.tables
  for (const share of await database.read.select().from(shares)) {
    await look(faults, `Share ${share.id}`, async () => {
      const found = await knownCase(database.read, share.caseId)
      if (!isErased(found)) {
        const key = await openCaseKey(keyring, found)
        openTerms(key, share)
        for (const ask of await asksOf(database.read, share.id)) openTexts(key, ask)
      }
      if (share.organisationId !== found.organisationId) throw new Error('not of its case')
      const named = await database.read
        .select({ caseId: records.caseId })
        .from(shareRecords)
        .innerJoin(records, eq(records.id, shareRecords.recordId))
        .where(eq(shareRecords.shareId, share.id))
      if (share.pseudonymised) await checkCopies(database.read, share.id, named.length)
      if (named.length === 0 || named.some(({ caseId }) => caseId !== share.caseId)) {
        throw new Error('it names no record, or one of another case')
      }
    })
  }
}

/** All of a pseudonymised share's copies are there, or, once it has ended, none. */
async function checkCopies(queries: Queries, shareId: string, wanted: number): Promise<void> {
  const copies = await findCopies(queries, { shareId })
  if (copies.length !== wanted && copies.length !== 0)
    throw new Error('it lacks some of its copies')
}

/**
 * The access log as the verifier sees it, with nothing but the keys of the data, and every
 * disclosure but the check's own is completed.
 */
async function checkLog(exchange: Parts, faults: Faults, own: string): Promise<void> {
  const findings = tellFindings({ fault: text => void faults.push(text), notice: () => {} })
  const { openSnapshot } = exchange.database
  const known = { vkeys: [], older: [], openSnapshot, keyring: exchange.keyring }
  await look(faults, 'The access log', () =>
    verifyDirectory(exchange.directory, known, findings, () => {})
  )
  const untold = findings.faults() - FAULTS_TOLD_MAX
  if (untold > 0) faults.push(`The access log has ${untold} faults more.`)
  const { read } = exchange.database
  for (const { grantId } of await read.select().from(read.tables.openDisclosures)) {
    if (grantId !== own) faults.push(`Disclosure ${grantId} was never completed.`)
  }
}
