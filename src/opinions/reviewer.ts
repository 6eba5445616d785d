import type { Reviewer } from '../../schemas/opinion.ts'
import type { Exchange } from '../exchange.ts'
import { describeAccount } from '../identity/accounts.ts'

/** Who signs for an opinion, as their account says now. */
export async function reviewerOf(
  exchange: Pick<Exchange, 'database' | 'serviceKeys'>,
  accountId: string
): Promise<Reviewer> {
  const { id, name, professionalBody, registrationNumber, organisation, country } =
    await describeAccount(exchange, accountId)
  return {
    account: id,
    name,
    ...(professionalBody !== undefined && { professionalBody }),
    ...(registrationNumber !== undefined && { registrationNumber }),
    organisation: organisation.name,
    country
  }
}
