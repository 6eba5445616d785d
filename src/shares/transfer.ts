import type { Safeguard, TransferBasis } from '../../schemas/share.ts'
import { Refusal } from '../errors.ts'
import adequacy from './adequacy.json' with { type: 'json' }

const home = new Set(adequacy.home)
const adequate = new Set(adequacy.adequate)
const conditional = new Map(Object.entries(adequacy.conditional))

/**
 * Decides whether records may go to a country, and on what basis (UK GDPR, Articles 45, 46 and 49):
 * at home or where protection is adequate as they are, elsewhere only with a safeguard on file.
 * Deny by default. Refusals: `transfer-safeguard-required`, `-unfit`, `-expired`.
 */
export function transferBasis(
  country: string,
  safeguard: Safeguard | undefined,
  now: number
): TransferBasis {
  const listAsOf = adequacy.asOf
  if (home.has(country)) return { country, basis: 'uk', listAsOf }
  if (adequate.has(country)) return { country, basis: 'adequacy', listAsOf }
  const condition = conditional.get(country)
  if (safeguard === undefined) {
    const problems =
      condition === undefined ? [] : [`${country} is adequate on a condition: ${condition}`]
    throw new Refusal('transfer-safeguard-required', country, { problems })
  }
  if (safeguard.type === 'adequacy-condition' && condition === undefined) {
    throw new Refusal('transfer-safeguard-unfit', country, {
      problems: [`${country} has no conditional adequacy decision`]
    })
  }
  if (Date.parse(safeguard.date) > now) {
    throw new Refusal('transfer-safeguard-unfit', country, {
      problems: ['its date is yet to come']
    })
  }
  if (safeguardEnds(safeguard) <= now) throw new Refusal('transfer-safeguard-expired', country)
  return { country, basis: safeguard.type, listAsOf, safeguard }
}

/** The first moment, in milliseconds UTC, at which the safeguard no longer holds. */
export function safeguardEnds(safeguard: Safeguard): number {
  const day = 24 * 60 * 60 * 1000
  return Date.parse(safeguard.expires) + day
}

/**
 * Whether the basis a share was made on still holds, asked at every access: the specialist still
 * works in that country, the country is still on the list it was judged by, and the safeguard has
 * not run out.
 */
export function transferHolds(
  share: { recipientCountry: string; transferBasis: string; transferExpiresAt: number | null },
  specialistCountry: string,
  now: number
): boolean {
  const { recipientCountry, transferBasis: basis, transferExpiresAt } = share
  if (specialistCountry !== recipientCountry) return false
  if (transferExpiresAt !== null && now >= transferExpiresAt) return false
  if (basis === 'uk') return home.has(recipientCountry)
  if (basis === 'adequacy') return adequate.has(recipientCountry)
  if (basis === 'adequacy-condition') return conditional.has(recipientCountry)
  return true
}
