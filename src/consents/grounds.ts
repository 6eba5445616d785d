import type { KeyObject } from 'node:crypto'
import type { Safeguard, TransferBasis } from '../../schemas/transfer.ts'
import { aboutCase, type CaseRow } from '../cases/case.ts'
import { holdCase } from '../cases/move.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { homeOf } from '../identity/accounts.ts'
import type { RecordRow } from '../records/record.ts'
import { safeguardEnds, type WholeSafeguard } from '../transfers/safeguard.ts'
import { decideTransfer } from '../transfers/transfer.ts'
import { type OnFile, onFile, requireOnFile } from '../transfers/withdrawn.ts'
import { agreement, type ConsentRow, openConsent, stateOf } from './consent.ts'
import type { ConsentPolicy } from './policy.ts'
import { consentsOf, insertGrounds } from './queries.ts'

export { sharesOn } from './queries.ts'

/** What a share rests on, as it was found when the share was asked for. */
export interface Grounds {
  transfer: TransferBasis
  /** What ends first of it, and the first moment, in milliseconds UTC, at which it no longer holds. */
  end?: { what: 'consent' | 'safeguard'; at: number }
  /** The consent to the second opinion. */
  consentId?: string
  /** The consent to the transfer. */
  transferConsentId?: string
  safeguard?: OnFile
}

interface Wanted {
  specialist: { id: string; country: string }
  records: RecordRow[]
  safeguard: Safeguard | undefined
}

type Parts = Pick<Exchange, 'database' | 'serviceKeys' | 'consent'>

/**
 * Finds what a share would rest on: the law of the country it goes to, a safeguard, and the patient's
 * consents. Throws the Refusal that says what is missing: those of `transfer.ts`, `consent-missing`,
 * `-withdrawn`, `-expired`, `-not-found`, `-unfit`, `transfer-public-authority`.
 */
export async function groundsOf(
  exchange: Parts,
  found: CaseRow,
  caseKey: KeyObject,
  wanted: Wanted,
  now: number
): Promise<Grounds> {
  const { read } = exchange.database
  const { basis, safeguard } = decideTransfer(wanted.specialist.country, wanted.safeguard, now)
  const rows = await consentsOf(read, { caseId: found.id })
  const agreed = requireAgreement(exchange.consent, rows, found, now)
  const grounds: Grounds = { transfer: basis, ...(agreed && { consentId: agreed.id }) }
  const consentEnds = [agreed?.expiresAt]
  if (safeguard?.type === 'explicit-consent') {
    const { publicAuthority } = await homeOf(read, found.organisationId)
    if (publicAuthority) requireAcknowledged(safeguard, found)
    const consent = requireStanding(rows, safeguard.consent, found, now)
    requireCovered(caseKey, consent, wanted)
    grounds.transferConsentId = consent.id
    consentEnds.push(consent.expiresAt)
  } else if (safeguard !== undefined) {
    const named = onFile(exchange.serviceKeys, found.organisationId, safeguard)
    if (named !== undefined) grounds.safeguard = named
  }
  const ends = [
    ...consentEnds.map(at => ({ what: 'consent' as const, at })),
    { what: 'safeguard' as const, at: safeguard && safeguardEnds(safeguard) }
  ].flatMap(({ what, at }) => (at === null || at === undefined ? [] : [{ what, at }]))
  const [end] = ends.sort((a, b) => a.at - b.at)
  return { ...grounds, ...(end && { end }) }
}

/**
 * Writes down what a new share rests on, in its own transaction, in which it cannot end any more: its
 * withdrawal came before, and is refused here, or comes after, and finds the share.
 */
export async function holdGrounds(
  tx: Queries,
  { consent: policy }: Pick<Exchange, 'consent'>,
  found: CaseRow,
  share: { id: string; createdAt: number },
  grounds: Grounds
): Promise<void> {
  const { consentId, transferConsentId, safeguard } = grounds
  // Before the case, as its withdrawal takes them: two that take them the other way round would wait
  // for each other.
  if (safeguard !== undefined) await requireOnFile(tx, safeguard)
  await holdCase(tx, found.id)
  const rows = await consentsOf(tx, { caseId: found.id })
  const agreed = requireAgreement(policy, rows, found, share.createdAt)
  if (agreed?.id !== consentId) throw new Refusal('version-changed', 'consent while it was shared')
  if (transferConsentId !== undefined) {
    requireStanding(rows, transferConsentId, found, share.createdAt)
  }
  const all = [consentId, transferConsentId, safeguard?.ref]
  await insertGrounds(
    tx,
    share.id,
    all.filter(ground => ground !== undefined)
  )
}

/** The consent to the second opinion, if there is one and if there need not be. */
function requireAgreement(
  policy: ConsentPolicy,
  rows: ConsentRow[],
  found: CaseRow,
  now: number
): ConsentRow | undefined {
  const { state, row } = agreement(rows, now)
  if (state === 'given') return row
  if (state === 'none' && policy === 'recorded') return undefined
  const code = state === 'none' ? 'consent-missing' : (`consent-${state}` as const)
  throw new Refusal(code, undefined, { about: aboutCase(found) })
}

/** The consent to a transfer that a share names, which must hold. */
function requireStanding(rows: ConsentRow[], id: string, found: CaseRow, now: number): ConsentRow {
  const about = aboutCase(found)
  const row = rows.find(row => row.id === id)
  if (row === undefined) throw new Refusal('consent-not-found', undefined, { about })
  const state = stateOf(row, now)
  if (state !== 'given') throw new Refusal(`consent-${state}`, undefined, { about })
  return row
}

/** Whether the patient was told of this share: its country, its recipient, its kinds of records. */
function requireCovered(key: KeyObject, row: ConsentRow, { specialist, records }: Wanted): void {
  const { transfer } = openConsent(key, row)
  if (transfer === undefined) {
    const problems = ['it is a consent to the second opinion, not to a transfer']
    throw new Refusal('consent-unfit', undefined, { problems })
  }
  const problems: string[] = []
  if (transfer.country !== specialist.country) problems.push(`it is for ${transfer.country}`)
  if (transfer.specialist !== undefined && transfer.specialist !== specialist.id) {
    problems.push('it is for another specialist')
  }
  const others = new Set(records.map(({ kind }) => kind))
  for (const kind of transfer.dataTypes) others.delete(kind)
  for (const kind of others) problems.push(`it does not cover records of the kind ${kind}`)
  if (problems.length > 0) throw new Refusal('consent-unfit', undefined, { problems })
}

const WARNING =
  'UK GDPR, Article 49(3): explicit consent is not available for what a public authority does in the exercise of its public powers. Whether it is open to you is for your data protection officer to say.'

function requireAcknowledged(
  { publicAuthority }: Extract<WholeSafeguard, { type: 'explicit-consent' }>,
  found: CaseRow
): void {
  if (publicAuthority !== undefined) return
  throw new Refusal('transfer-public-authority', undefined, {
    problems: [WARNING],
    about: aboutCase(found)
  })
}
