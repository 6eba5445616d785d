import { desc, lt } from '../../schemas/drizzle.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import { type Page, pageOf } from '../http/page.ts'
import type { Caller } from './principal.ts'

/** An organisation as administrators see it: nothing of what it holds. */
export interface OrganisationLine {
  id: string
  name: string
  odsCode: string | null
  country: string
  timeZone: string
}

/** One page of the organisations of this exchange, the newest first. On record. */
export async function listOrganisations(
  exchange: Exchange,
  caller: Caller,
  asked: Page
): Promise<{ organisations: OrganisationLine[]; next?: string }> {
  const { database, audit, limits } = exchange
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
  await database.write(tx =>
    audit.append(tx, { action: 'organisation.list', outcome: 'success', ...actedBy(caller) })
  )
  return { organisations: rows, ...(next !== undefined && { next }) }
}
