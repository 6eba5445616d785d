import { v7 as uuidv7 } from 'uuid'
import { timestamp } from '../../schemas/common.ts'
import type { ConsentRecord, ConsentView } from '../../schemas/consent.ts'
import { countries } from '../../schemas/countries.ts'
import { actedBy } from '../audit/acted-by.ts'
import { dayEnds } from '../calendar.ts'
import { aboutCase, caseOf, knownCase, openCaseKey, requireCaseKept } from '../cases/case.ts'
import { plainText } from '../cases/check-request.ts'
import { holdCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { homeOf } from '../identity/accounts.ts'
import type { Caller } from '../identity/principal.ts'
import { type ConsentDetails, type ConsentRow, sealConsent, viewConsent } from './consent.ts'
import { consentsOf, insertConsent } from './queries.ts'
import { textOf } from './texts.ts'

/**
 * Records what a patient has agreed to, for good: the text by its digest, who gave and took the
 * consent, how and when, and for a transfer abroad each thing that the patient was told. Refusals:
 * `consent-text-unknown`, `consent-incomplete`, `consent-date-invalid`, `text-invalid`.
 */
export async function recordConsent(
  exchange: Exchange,
  caller: Caller,
  caseId: string,
  wanted: ConsentRecord
): Promise<ConsentView> {
  const { database, keyring } = exchange
  const found = await caseOf(database.read, caller, caseId)
  const { kind, text, ...said } = wanted
  const { version, sha256 } = textOf(kind, text.version, text.sha256)
  requireWhole(wanted)
  const details = plainDetails(said)
  const now = exchange.clock()
  const { timeZone } = await homeOf(database.read, found.organisationId)
  const expiresAt = endOf(details, timeZone, now)

  const key = await openCaseKey(keyring, found)
  const id = uuidv7({ msecs: now })
  const row: ConsentRow = {
    id,
    caseId,
    organisationId: found.organisationId,
    kind,
    textVersion: version,
    textSha256: Buffer.from(sha256, 'hex'),
    detailsSealed: sealConsent(key, { caseId, id }, details),
    expiresAt,
    recordedBy: caller.accountId,
    recordedAt: now,
    withdrawnAt: null,
    withdrawnBy: null,
    reasonSealed: null
  }
  await database.write(async tx => {
    // Whoever shares or withdraws at this moment comes before it or after it.
    await holdCase(tx, caseId)
    requireCaseKept(await knownCase(tx, caseId))
    if (kind === 'second-opinion') await requireAnew(tx, caseId, details)
    await insertConsent(tx, row)
    await exchange.audit.append(tx, {
      action: 'consent.record',
      outcome: 'success',
      ...actedBy(caller, { consent: id, kind, text: { version, sha256 } }),
      ...aboutCase(found),
      recipientCountry: details.transfer?.country
    })
  })
  return viewConsent(key, row, now)
}

/**
 * What a patient has taken back is over, however many papers say that they had agreed before: one that
 * is entered late must not let the case be shared again. What they agreed to anew was said after it.
 */
async function requireAnew(tx: Queries, caseId: string, { givenAt }: ConsentDetails) {
  const rows = await consentsOf(tx, { caseId })
  const ends = rows.flatMap(({ kind, withdrawnAt }) =>
    kind === 'second-opinion' && withdrawnAt !== null ? [withdrawnAt] : []
  )
  const last = Math.max(...ends)
  if (Date.parse(givenAt) >= last) return
  throw new Refusal('consent-date-invalid', 'before a withdrawal', {
    problems: [
      `The patient withdrew consent at ${timestamp(last)}. Only what they agreed to after that counts.`
    ]
  })
}

/** What only the kind of a consent, or who gives it, makes necessary. */
function requireWhole({ kind, givenBy, transfer }: ConsentRecord): void {
  const { who, name, capacity } = givenBy
  const problems: string[] = []
  if (kind === 'transfer' && transfer === undefined) {
    problems.push('a consent to a transfer says what the patient was told: transfer')
  }
  if (kind !== 'transfer' && transfer !== undefined) {
    problems.push('transfer belongs to a consent of the kind transfer')
  }
  if (who === 'representative' && (name === undefined || capacity === undefined)) {
    problems.push('of a representative both name and capacity are needed')
  }
  if (who === 'patient' && (name !== undefined || capacity !== undefined)) {
    problems.push('the patient is known: name and capacity belong to a representative')
  }
  if (transfer !== undefined && !countries.has(transfer.country)) {
    problems.push('transfer.country is no ISO 3166-1 code')
  }
  if (problems.length > 0) throw new Refusal('consent-incomplete', kind, { problems })
}

/** Everything in its one spelling. */
function plainDetails(said: ConsentDetails): ConsentDetails {
  const { givenBy, takenBy, evidence, transfer } = said
  const { name, capacity } = givenBy
  return {
    ...said,
    givenAt: timestamp(Date.parse(said.givenAt)),
    givenBy: {
      who: givenBy.who,
      ...(name !== undefined && { name: plainText('givenBy.name', name) }),
      ...(capacity !== undefined && { capacity: plainText('givenBy.capacity', capacity) })
    },
    takenBy: plainText('takenBy', takenBy),
    ...(evidence !== undefined && { evidence: plainText('evidence', evidence) }),
    ...(transfer && {
      transfer: {
        ...transfer,
        recipient: plainText('transfer.recipient', transfer.recipient),
        why: plainText('transfer.why', transfer.why),
        risks: plainText('transfer.risks', transfer.risks)
      }
    })
  }
}

/** The end of its last day, where the organisation is; null when it has none. */
function endOf({ givenAt, expires }: ConsentDetails, timeZone: string, now: number): number | null {
  if (Date.parse(givenAt) > now) throw new Refusal('consent-date-invalid', 'given in the future')
  if (expires === undefined) return null
  const end = dayEnds(timeZone, expires)
  if (end <= now) throw new Refusal('consent-date-invalid', 'over already')
  return end
}
