import { createHash } from 'node:crypto'
import { eq, isNotNull, isNull } from '../../schemas/drizzle.ts'
import type { Receipt } from '../audit/receipt.ts'
import { verifyDirectory } from '../audit/verify/directory.ts'
import { FAULTS_TOLD_MAX, tellFindings } from '../audit/verify/findings.ts'
import { knownCase, openCaseDetails, openCaseKey } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import { openProfile } from '../identity/profile.ts'
import { openRecipient } from '../notices/outbox.ts'
import { openWebhook } from '../notices/webhooks/webhook.ts'
import { openContent } from '../records/content.ts'
import {
  findObjects,
  type ObjectRow,
  openRecordKey,
  type RecordInCase,
  viewRecord
} from '../records/record.ts'
import { openTerms } from '../shares/share.ts'

type Parts = Pick<
  Exchange,
  'directory' | 'database' | 'blobs' | 'keyring' | 'serviceKeys' | 'disclosures'
>

/** What a check found wrong, one sentence each, with ids only. */
export type Faults = string[]

/**
 * Checks everything that is stored and trusts nothing: every sealed field opens, every object
 * decrypts to the length and digest of its row, every share names records of its own case, the access
 * log is whole and as it was signed, every disclosure has its two events, and no blob is without a
 * row.
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
    bytes = await checkCases(exchange, disclosure.receipt, faults, blobs)
    await checkShares(exchange, faults)
    await checkNotices(exchange, faults)
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
  const { accounts } = database.read.tables
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
  let bytes = 0
  for (const row of await database.read.select().from(cases)) {
    await look(faults, `Case ${row.id}`, async () =>
      openCaseDetails(await openCaseKey(keyring, row), row)
    )
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
  for (const object of objects) blobs.add(object.blob)
  if (objects.length !== record.objectCount || bytes !== record.bytes) {
    faults.push(`Record ${record.id} has not the objects or bytes its row says.`)
  }
  await look(faults, `Record ${record.id}`, async () => {
    const key = await openRecordKey(exchange.keyring, found)
    viewRecord(record, objects, key)
    for (const object of objects) {
      await look(faults, `Object ${object.id}`, async () => {
        const source = { organisationId: found.case.organisationId, recordKey: key, object }
        const digest = await digestOf(exchange, receipt, source)
        if (!digest.equals(object.sha256)) throw new Error('it is not what its digest says')
      })
    }
  })
  return bytes
}

async function digestOf(
  exchange: Parts,
  receipt: Receipt,
  source: Parameters<typeof openContent>[2] & { object: ObjectRow }
): Promise<Buffer> {
  const range = { start: 0, end: source.object.bytes }
  const content = await openContent(exchange.blobs, receipt, source, range)
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
      openTerms(await openCaseKey(keyring, found), share)
      if (share.organisationId !== found.organisationId) throw new Error('not of its case')
      const named = await database.read
        .select({ caseId: records.caseId })
        .from(shareRecords)
        .innerJoin(records, eq(records.id, shareRecords.recordId))
        .where(eq(shareRecords.shareId, share.id))
      if (named.length === 0 || named.some(({ caseId }) => caseId !== share.caseId)) {
        throw new Error('it names no record, or one of another case')
      }
    })
  }
}

/** What waits for somebody without an account, and where systems are told. */
async function checkNotices({ database, serviceKeys }: Parts, faults: Faults): Promise<void> {
  const { notices, webhooks } = database.read.tables
  const waiting = await database.read
    .select({ id: notices.id, recipientSealed: notices.recipientSealed })
    .from(notices)
    .where(isNotNull(notices.recipientSealed))
  for (const { id, recipientSealed } of waiting) {
    if (recipientSealed === null) continue
    await look(faults, `Notice ${id}`, () => openRecipient(serviceKeys, { id, recipientSealed }))
  }
  const used = await database.read.select().from(webhooks).where(isNull(webhooks.removedAt))
  for (const row of used) {
    await look(faults, `Webhook ${row.id}`, () => openWebhook(serviceKeys, row, 0))
  }
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
