import type { Safeguard, TransferBasis } from '../../schemas/transfer.ts'
import { Refusal } from '../errors.ts'
import { type CountryTable, conditionOf, countryTable, rulingOn } from './country-table.ts'
import { requireFit, type WholeSafeguard, wholeSafeguard } from './safeguard.ts'

/** What was decided, with the safeguard if the transfer rests on one. */
export interface Decision {
  basis: TransferBasis
  safeguard?: WholeSafeguard
}

/**
 * Decides whether records may go to a country, and on what basis (UK GDPR, Articles 45, 46 and 49):
 * at home or where protection is adequate as they are, elsewhere only with a safeguard. Deny by
 * default. Refusals: `transfer-safeguard-required`, and those of `safeguard.ts`.
 */
export function decideTransfer(
  country: string,
  given: Safeguard | undefined,
  now: number,
  table: CountryTable = countryTable
): Decision {
  const listAsOf = table.asOf
  const ruling = rulingOn(table, country, now)
  if (ruling?.ruling === 'home') return { basis: { country, basis: 'uk', listAsOf } }
  if (ruling?.ruling === 'adequate') return { basis: { country, basis: 'adequacy', listAsOf } }
  if (given === undefined) {
    const problems =
      ruling === undefined
        ? []
        : [`${country} is adequate on a condition: ${conditionOf(table, ruling).says}`]
    throw new Refusal('transfer-safeguard-required', country, { problems })
  }
  const safeguard = wholeSafeguard(given)
  requireFit(table, country, ruling, safeguard, now)
  return { basis: { country, basis: safeguard.type, listAsOf, safeguard }, safeguard }
}

/**
 * Whether what a share rests on still holds, asked at every access: the specialist still works in
 * that country, the table still says of it what it was judged by, and neither safeguard nor consent
 * has run out. What was withdrawn has withdrawn its shares.
 */
export function transferHolds(
  share: { recipientCountry: string; transferBasis: string; transferExpiresAt: number | null },
  specialistCountry: string,
  now: number,
  table: CountryTable = countryTable
): boolean {
  const { recipientCountry, transferBasis: basis, transferExpiresAt } = share
  if (specialistCountry !== recipientCountry) return false
  if (transferExpiresAt !== null && now >= transferExpiresAt) return false
  const ruling = rulingOn(table, recipientCountry, now)?.ruling
  if (basis === 'uk') return ruling === 'home'
  if (basis === 'adequacy') return ruling === 'adequate'
  // A country that has become adequate as a whole needs its condition no longer.
  if (basis === 'adequacy-condition') return ruling === 'conditional' || ruling === 'adequate'
  return true
}
