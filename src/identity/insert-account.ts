import { v7 as uuidv7 } from 'uuid'
import { eq } from '../../schemas/drizzle.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { insertEnrolled, verifiedUntil } from '../register/enrolled-entry.ts'
import type { Checked, checkAccount, checkOrganisation } from './enrolment-rules.ts'
import { makeOperating } from './operator.ts'
import { sealProfile } from './profile.ts'

type Parts = Pick<Exchange, 'audit' | 'clock' | 'serviceKeys'>
type Value<T> = T extends { value: infer V } ? V : never
type NewOrganisation = Value<ReturnType<typeof checkOrganisation>>
type NewAccount = Value<ReturnType<typeof checkAccount>>

/** Who adds somebody, for the event: its actor if it has one, and what joins its details. */
export interface AddedBy {
  actorId?: string | undefined
  actorOrganisationId?: string | undefined
  details: Record<string, unknown>
}

/**
 * Inserts an organisation with its event, inside the caller's transaction, and resolves to its id.
 * Throws Refusal `request-invalid` when its ODS code is taken.
 */
export async function insertOrganisation(
  tx: Queries,
  { audit, clock }: Parts,
  organisation: NewOrganisation,
  { details, ...actor }: AddedBy
): Promise<string> {
  const createdAt = clock()
  const id = uuidv7({ msecs: createdAt })
  const { organisations } = tx.tables
  const added = await tx
    .insert(organisations)
    .values({ id, ...organisation, createdAt })
    .onConflictDoNothing()
    .returning({ id: organisations.id })
  if (added.length === 0) {
    throw invalid(['The ODS code belongs to an organisation that is enrolled already.'])
  }
  await audit.append(tx, {
    action: 'organisation.create',
    outcome: 'success',
    organisationId: id,
    ...actor,
    details
  })
  return id
}

/**
 * Inserts an account with its event, inside the caller's transaction. A specialist enters the register
 * with it: verified when an operator adds them at the machine itself, else still to be verified. The
 * organisation of the first administrator is the one that runs this exchange.
 */
export async function insertAccount(
  tx: Queries,
  exchange: Parts,
  account: NewAccount & { id: string; organisation: { id: string; name: string } },
  { details, ...actor }: AddedBy
): Promise<void> {
  const { id, organisation, role, country, profile } = account
  const now = exchange.clock()
  await tx.insert(tx.tables.accounts).values({
    id,
    organisationId: organisation.id,
    role,
    country,
    profileSealed: sealProfile(exchange.serviceKeys, id, profile),
    createdAt: now,
    disabledAt: null
  })
  await exchange.audit.append(tx, {
    action: 'account.create',
    outcome: 'success',
    organisationId: organisation.id,
    ...actor,
    details: { ...details, account: id, role, country }
  })
  if (role === 'administrator') {
    await makeOperating(tx, exchange, organisation.id, { details, ...actor })
  }
  if (role !== 'specialist') return
  await insertEnrolled(
    tx,
    exchange,
    {
      accountId: id,
      country,
      organisation: organisation.name,
      organisationId: organisation.id,
      profile,
      verifiedAt: now,
      verifiedUntil: verifiedUntil(now),
      ...(actor.actorId !== undefined && { addedBy: actor })
    },
    now
  )
}

/** The organisation with this id or ODS code. */
export async function findOrganisation(tx: Queries, idOrOdsCode: string) {
  const { organisations } = tx.tables
  const [byId] = await tx
    .select()
    .from(organisations)
    .where(eq(organisations.id, idOrOdsCode.toLowerCase()))
  if (byId !== undefined) return byId
  const [byCode] = await tx
    .select()
    .from(organisations)
    .where(eq(organisations.odsCode, idOrOdsCode.toUpperCase()))
  return byCode
}

export function valueOrRefusal<T>(checked: Checked<T>): T {
  if ('problems' in checked) throw invalid(checked.problems)
  return checked.value
}

export function invalid(problems: string[]): Refusal {
  return new Refusal('request-invalid', undefined, { problems })
}
