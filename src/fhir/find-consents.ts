import { actedBy } from '../audit/acted-by.ts'
import { aboutCase, type CaseRow, caseOf, openCaseDetails, openCaseKey } from '../cases/case.ts'
import { type ConsentRow, findConsent, pageOfConsents, viewConsent } from '../consents/consent.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Caller } from '../identity/principal.ts'
import { bundleOf, type CaseSearch, filterOf, pageSize, requireSomebody } from './case-search.ts'
import { casesOf, oneCaseOf } from './cases-of.ts'
import { toConsent } from './consent.ts'
import type { Bundle, ConsentResource } from './r4.ts'

/** One consent of a case of the caller's organisation. Throws Refusal `consent-not-found`. */
export async function readConsentResource(
  exchange: Exchange,
  caller: Caller,
  id: string
): Promise<ConsentResource> {
  const { read } = exchange.database
  const [row] = await findConsent(read, { id })
  if (row === undefined) throw new Refusal('consent-not-found')
  const found = await caseOf(read, caller, row.caseId).catch(err => {
    if (!(err instanceof Refusal)) throw err
    throw new Refusal('consent-not-found', err.message, err.extra)
  })
  const resource = await toResource(exchange, found, row)
  await exchange.database.write(tx =>
    exchange.audit.append(tx, {
      action: 'consent.list',
      outcome: 'success',
      ...actedBy(caller, { shown: [id], fhir: true }),
      ...aboutCase(found)
    })
  )
  return resource
}

/** Consents of a patient, of a case, or one of them; newest first, in one page, with one event. */
export async function searchConsents(
  exchange: Exchange,
  caller: Caller,
  search: CaseSearch
): Promise<Bundle<ConsentResource>> {
  const filter = filterOf(exchange, caller, search)
  requireSomebody(filter, 'data')
  const size = pageSize(exchange, search)
  const rows = search.isContradiction
    ? []
    : await pageOfConsents(exchange.database.read, { ...filter, limit: size + 1 })
  const shown = rows.slice(0, size)
  const cases = await casesOf(exchange, shown)
  const resources = await Promise.all(
    shown.map(row => toResource(exchange, cases.get(row.caseId), row))
  )
  await exchange.database.write(tx =>
    exchange.audit.append(tx, {
      action: 'consent.list',
      outcome: 'success',
      ...actedBy(caller, { shown: shown.map(({ id }) => id), fhir: true }),
      ...oneCaseOf(cases, filter)
    })
  )
  const next = rows.length > size ? shown.at(-1)?.id : undefined
  return bundleOf(exchange, 'Consent', search, filter, { resources, next })
}

async function toResource(
  { clock, keyring }: Exchange,
  found: CaseRow | undefined,
  row: ConsentRow
): Promise<ConsentResource> {
  if (found === undefined) throw new Error('A consent is of a case that was not read.')
  const key = await openCaseKey(keyring, found)
  const { patient } = openCaseDetails(key, found)
  return toConsent(viewConsent(key, row, clock()), patient, row.organisationId)
}
