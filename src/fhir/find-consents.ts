import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { type ConsentRow, findConsent, pageOfConsents, viewConsent } from '../consents/consent.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import type { CaseSearch } from './case-search.ts'
import { toConsent } from './consent.ts'
import type { ConsentResource } from './r4.ts'
import { searchInCases, withCase } from './search-in-cases.ts'

/** One consent of a case of the caller's organisation. Throws Refusal `consent-not-found`. */
export async function readConsentResource(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<ConsentResource> {
  const { read } = exchange.database
  const [known] = await findConsent(read, { id })
  const { row, found } = await withCase(read, caller, known, 'consent-not-found')
  const resource = await toResource(exchange, found, row)
  await exchange.audit.add({
    action: 'consent.list',
    outcome: 'success',
    ...actedBy(caller, { shown: [id], fhir: true }),
    ...aboutCase(found)
  })
  return resource
}

/** Consents of a patient, of a case, or one of them: see `searchInCases`. */
export const searchConsents = (exchange: Exchange, caller: Caller, search: CaseSearch) =>
  searchInCases<ConsentRow, ConsentResource>(exchange, caller, search, {
    name: 'Consent',
    action: 'consent.list',
    byCase: 'data',
    page: pageOfConsents,
    toResource
  })

async function toResource(
  { clock, keyring }: Exchange,
  found: CaseRow,
  row: ConsentRow
): Promise<ConsentResource> {
  const key = await openCaseKey(keyring, found)
  const { patient } = openCaseDetails(key, found)
  return toConsent(viewConsent(key, row, clock()), patient, row.organisationId)
}
