import { eq } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { AddedBy } from './insert-account.ts'
import type { Caller } from './principal.ts'

/** The one row of its table. */
const ONLY = 1

/** Whether an organisation runs this exchange. Whose it is can change, so it is asked each time. */
export async function isOperating(queries: Queries, organisationId: string): Promise<boolean> {
  const { operatingOrganisation } = queries.tables
  const [row] = await queries
    .select({ id: operatingOrganisation.id })
    .from(operatingOrganisation)
    .where(eq(operatingOrganisation.organisationId, organisationId))
  return row !== undefined
}

/**
 * Lets an administrator of the organisation that runs this exchange pass: organisations and the register
 * are everybody's, so they are the operator's to keep (docs/decisions/0040). Throws Refusal
 * `operator-only`.
 */
export async function requireOperator(
  queries: Queries,
  { role, organisationId }: Pick<Caller, 'role' | 'organisationId'>
): Promise<void> {
  const isOperator = role === 'administrator' && (await isOperating(queries, organisationId))
  if (!isOperator) throw new Refusal('operator-only')
}

/**
 * Makes an organisation the one that runs this exchange, inside the caller's transaction, with its event.
 * Where there is one it stays, unless `instead` says that whoever holds the console decided so.
 */
export async function makeOperating(
  tx: Queries,
  { audit, clock }: Pick<Exchange, 'audit' | 'clock'>,
  organisationId: string,
  { details, ...actor }: AddedBy,
  instead = false
): Promise<void> {
  if (await isOperating(tx, organisationId)) return
  const { operatingOrganisation } = tx.tables
  const since = clock()
  const insert = tx.insert(operatingOrganisation).values({ id: ONLY, organisationId, since })
  const target = operatingOrganisation.id
  const made = await (instead
    ? insert.onConflictDoUpdate({ target, set: { organisationId, since } })
    : insert.onConflictDoNothing({ target })
  ).returning({ id: operatingOrganisation.id })
  if (made.length === 0) return
  await audit.append(tx, {
    action: 'organisation.operate',
    outcome: 'success',
    organisationId,
    ...actor,
    details
  })
}
