import { desc, lt } from '../../schemas/drizzle.ts'
import type { OrganisationView } from '../../schemas/staff.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import { requireOperator } from './operator.ts'
import type { Caller } from './principal.ts'

/**
 * One page of the organisations of this exchange, the newest first, for who runs it. On record. Throws
 * Refusal `operator-only`.
 */
export async function listOrganisations(
  exchange: Exchange,
  caller: Caller,
  asked: Page
): Promise<{ organisations: OrganisationView[]; next?: string }> {
  const { database, audit, limits } = exchange
  await requireOperator(database.read, caller)
  const { organisations } = database.read.tables
  const { id, name, odsCode, country, timeZone } = organisations
  const { rows, next } = await pageOf(asked, limits, (before, limit) =>
    database.read
      .select({ id, name, odsCode, country, timeZone })
      .from(organisations)
      .where(before === undefined ? undefined : lt(id, before))
      .orderBy(desc(id))
      .limit(limit)
  )
  await audit.add({ action: 'organisation.list', outcome: 'success', ...actedBy(caller) })
  const shown = rows.map(({ odsCode, ...row }) => ({
    ...row,
    ...(odsCode !== null && { odsCode })
  }))
  return { organisations: shown, ...(next !== undefined && { next }) }
}
