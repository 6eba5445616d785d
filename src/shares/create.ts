import { v7 as uuidv7 } from 'uuid'
import { timestamp } from '../../schemas/common.ts'
import type { ShareCreate } from '../../schemas/share.ts'
import { actedBy } from '../audit/acted-by.ts'
import { caseOf, knownCase, openCaseKey } from '../cases/case.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { findSpecialist } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { aboutRecord, recordsById } from '../records/record.ts'
import { insertShare } from './queries.ts'
import { aboutShare, type ShareRow, sealTerms } from './share.ts'
import { tellSpecialist } from './tell.ts'
import { safeguardEnds, transferBasis } from './transfer.ts'

const HOUR_MILLISECONDS = 3_600_000

/**
 * Shares named records of one case with one specialist for a limited time. The share is frozen once
 * made: another share for the same specialist stands beside it and never widens it.
 */
export async function createShare(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  wanted: ShareCreate
) {
  const now = exchange.clock()
  const { database, keyring, links } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const specialist = await findSpecialist(database.read, wanted.specialist)
  if (specialist === undefined) throw new Refusal('specialist-not-found')
  await requireRecordsOfCase(database.read, caseId, wanted.records)
  const { notBefore, expiresAt } = lifeOf(exchange, wanted, now)
  const transfer = transferBasis(specialist.country, wanted.safeguard, now)

  const id = uuidv7({ msecs: now })
  const terms = { purpose: wanted.purpose, transfer }
  const row: ShareRow = {
    id,
    caseId,
    organisationId: found.organisationId,
    createdBy: caller.accountId,
    specialistId: specialist.id,
    recipientCountry: specialist.country,
    transferBasis: transfer.basis,
    transferExpiresAt: transfer.safeguard ? safeguardEnds(transfer.safeguard) : null,
    termsSealed: sealTerms(await openCaseKey(keyring, found), id, terms),
    notBefore,
    expiresAt,
    openingsMax: wanted.openingsMax ?? null,
    openings: 0,
    openUntil: null,
    revokedAt: null,
    revokedBy: null,
    createdAt: now
  }
  const link = await links.make({ shareId: id, issuedAt: now, notBefore, expiresAt })
  await database.write(async tx => {
    await insertShare(tx, row, wanted.records)
    await exchange.audit.append(tx, {
      action: 'share.create',
      outcome: 'success',
      ...actedBy(caller, { ...terms, specialist: specialist.id, records: wanted.records }),
      ...aboutShare(row, found)
    })
    await tellSpecialist(exchange, tx, row, 'share-created', expiresAt)
  })
  return { id, link, notBefore: timestamp(notBefore), expiresAt: timestamp(expiresAt), transfer }
}

async function requireRecordsOfCase(queries: Queries, caseId: string, ids: string[]) {
  const rows = await recordsById(queries, ids)
  const elsewhere = rows.find(row => row.caseId !== caseId)
  if (elsewhere !== undefined) {
    // Its owner learns who reached for it; the caller does not learn that it exists.
    const found = { record: elsewhere, case: await knownCase(queries, elsewhere.caseId) }
    throw new Refusal('record-not-in-case', 'elsewhere', { about: aboutRecord(found) })
  }
  if (rows.length !== ids.length) throw new Refusal('record-not-in-case', 'unknown')
}

/** When the share begins and ends. Its life counts from its beginning. */
function lifeOf(exchange: Exchange, wanted: ShareCreate, now: number) {
  const { shareHoursDefault, shareHoursMax } = exchange.limits
  const hours = wanted.lifeHours ?? shareHoursDefault
  const notBefore = wanted.notBefore === undefined ? now : Date.parse(wanted.notBefore)
  const lifeMax = shareHoursMax * HOUR_MILLISECONDS
  if (hours > shareHoursMax || notBefore > now + lifeMax) throw new Refusal('share-life-invalid')
  const starts = Math.max(notBefore, now)
  return { notBefore: starts, expiresAt: starts + hours * HOUR_MILLISECONDS }
}
