import type { Bundle } from '../../../src/fhir/r4.ts'
import type { PersonName, TestExchange } from '../../helpers/exchange.ts'

export const FHIR = 'application/fhir+json; charset=utf-8'

/** A search by POST, as FHIR clients make it. */
export async function searchByPost(
  exchange: TestExchange,
  parameters: string | [string, string][],
  who: PersonName = 'auditor'
) {
  return exchange
    .client(who)
    .send('POST', '/fhir/AuditEvent/_search', new URLSearchParams(parameters))
}

/** The first page of an answer, and every page after it by GET of its `next` link. */
export async function everyPage(
  exchange: TestExchange,
  first: { json: Record<string, unknown> },
  who: PersonName = 'auditor'
): Promise<Bundle[]> {
  const pages = [first.json as unknown as Bundle]
  for (;;) {
    const next = pages.at(-1)?.link?.find(({ relation }) => relation === 'next')
    if (next === undefined) return pages
    const { pathname, search } = new URL(next.url)
    pages.push(await exchange.client(who).json<Bundle>('GET', pathname + search))
  }
}

export const resourcesIn = (pages: Bundle[]) =>
  pages.flatMap(({ entry = [] }) => entry.map(({ resource }) => resource))

/** The actions and outcomes of what was found, each once. */
export function foundIn(pages: Bundle[]): string[] {
  const found = resourcesIn(pages).map(
    ({ subtype, outcomeDesc }) => `${subtype.at(-1)?.code} ${outcomeDesc}`
  )
  return [...new Set(found)].sort()
}
