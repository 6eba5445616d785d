import type { DisclosureReport } from '../../../schemas/disclosure-report.ts'
import type { Exchange } from '../../exchange.ts'
import { accountsById, organisationsById } from '../../identity/people.ts'

type Reader = DisclosureReport['shares'][number]['specialist']

/** Everybody a report names. */
export interface Cast {
  person(id: string): { id: string; name?: string }
  /**
   * With where they work: `at` is what the share or the event says of that, which goes before what
   * the account says now.
   */
  reader(id: string, at: { organisationId?: string | null; country?: string | null }): Reader
  organisation: DisclosureReport['organisation']
}

/** Looks up people, and organisations beside their own. `organisationId` makes the report. */
export async function castOf(
  exchange: Exchange,
  organisationId: string,
  accountIds: string[],
  organisationIds: string[]
): Promise<Cast> {
  const { database, serviceKeys } = exchange
  const accounts = await accountsById(database.read, serviceKeys, [...new Set(accountIds)])
  const employers = [...accounts.values()].map(account => account.organisationId)
  const mentioned = new Set([organisationId, ...organisationIds, ...employers])
  const organisations = await organisationsById(database.read, [...mentioned])
  const own = organisations.get(organisationId)
  if (own === undefined) throw new Error('An auditor is of an organisation that is not there.')

  const person = (id: string) => {
    const name = accounts.get(id)?.name
    return { id, ...(name !== undefined && { name }) }
  }
  return {
    person,
    reader(id, at) {
      const account = accounts.get(id)
      const employer = at.organisationId ?? account?.organisationId
      const country = at.country ?? account?.country
      const name = employer === undefined ? undefined : organisations.get(employer)?.name
      return {
        ...person(id),
        ...(employer !== undefined && {
          organisation: { id: employer, ...(name !== undefined && { name }) }
        }),
        ...(country !== undefined && { country })
      }
    },
    organisation: {
      id: organisationId,
      name: own.name,
      ...(own.odsCode !== null && { odsCode: own.odsCode }),
      country: own.country
    }
  }
}
