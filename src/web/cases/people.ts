import type { Exchange } from '../../exchange.ts'
import { describeAccount } from '../../identity/accounts.ts'

/** By which names these accounts are known, each asked for once. */
export async function namesOf(
  exchange: Pick<Exchange, 'database' | 'serviceKeys'>,
  ids: string[]
): Promise<(id: string) => string> {
  const names = new Map<string, string>()
  for (const id of new Set(ids)) names.set(id, (await describeAccount(exchange, id)).name)
  return id => names.get(id) ?? id
}
