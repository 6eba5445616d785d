import { countryName } from '../../audit/report/wording.ts'
import { conditionOf, countryTable, rulingOn } from '../../transfers/country-table.ts'
import type { Texts } from '../texts.ts'

/** What the law of the United Kingdom asks for before records go to a country. */
export interface Law {
  country: string
  needs: 'nothing' | 'attestation' | 'safeguard'
  /** The same in a sentence for the clinician. */
  says: string
  /** Of a country that is adequate on a condition: which, and what it is in words. */
  condition?: ReturnType<typeof conditionOf>
}

/** Says it as it is on this day; `transfers` judges every share by the same table. */
export function lawOf(t: Texts, country: string, now: number): Law {
  const name = countryName(country)
  const ruling = rulingOn(countryTable, country, now)
  if (ruling?.ruling === 'home') return { country, needs: 'nothing', says: t('sharing.law-home') }
  if (ruling?.ruling === 'adequate') {
    return { country, needs: 'nothing', says: t('sharing.law-adequate', { country: name }) }
  }
  if (ruling === undefined) {
    return { country, needs: 'safeguard', says: t('sharing.law-none', { country: name }) }
  }
  const says = t('sharing.law-conditional', { country: name })
  return { country, needs: 'attestation', says, condition: conditionOf(countryTable, ruling) }
}
