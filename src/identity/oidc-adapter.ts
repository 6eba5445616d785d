import { hash } from 'node:crypto'
import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import { and, eq, gt, isNull, lte, or, sql } from '../../schemas/drizzle.ts'
import type { Database, Queries } from '../database/database.ts'
import type { Exchange } from '../exchange.ts'
import { EMBEDDED } from './principal.ts'

/**
 * Where the OpenID provider keeps what it must remember. Ids are stored as SHA-256, because in most
 * models the id is itself the secret (a code, a session), and payloads are stored without it: a copy
 * of the table can be presented to nobody. Times are judged by `clock`.
 */
export function oidcAdapters(exchange: Pick<Exchange, 'database' | 'clock'>): AdapterFactory {
  return model => (model === 'Client' ? clientAdapter(exchange) : payloadAdapter(exchange, model))
}

/** The account a machine client speaks for, whether or not either is disabled. */
export async function findClient(queries: Queries, clientId: unknown) {
  const { clients, identities, accounts } = queries.tables
  // Of the issuer's requests nobody checks the form: an assertion may name a number, and what has a zero
  // is no text to PostgreSQL.
  if (typeof clientId !== 'string' || clientId.includes('\0')) return undefined
  const [row] = await queries
    .select({
      jwks: clients.jwks,
      accountId: accounts.id,
      organisationId: accounts.organisationId,
      clientDisabledAt: clients.disabledAt,
      accountDisabledAt: accounts.disabledAt
    })
    .from(clients)
    .innerJoin(identities, and(eq(identities.issuer, EMBEDDED), eq(identities.subject, clients.id)))
    .innerJoin(accounts, eq(accounts.id, identities.accountId))
    .where(eq(clients.id, clientId))
  return row
}

/**
 * Deletes at most `batchMax` rows whose time was over at `now` (milliseconds) and resolves to how
 * many. Safe to stop and to repeat: expired rows are invisible anyway.
 */
export async function removeExpired(
  database: Database,
  now: number,
  batchMax: number
): Promise<number> {
  return database.write(async tx => {
    const { oidcPayloads: rows } = tx.tables
    const expired = tx
      .select({ model: rows.model, id: rows.id })
      .from(rows)
      .where(lte(rows.expiresAt, now))
      .limit(batchMax)
    const removed = await tx
      .delete(rows)
      .where(sql`(${rows.model}, ${rows.id}) IN ${expired}`)
      .returning({ id: rows.id })
    return removed.length
  })
}

/** Clients live in their own table. Disabled ones do not exist for the provider. */
function clientAdapter(exchange: Pick<Exchange, 'database'>): Adapter {
  return {
    ...unused('Client'),
    async find(id) {
      const client = await findClient(exchange.database.read, id)
      if (client === undefined) return undefined
      if (client.clientDisabledAt !== null || client.accountDisabledAt !== null) return undefined
      return { client_id: id, jwks: JSON.parse(client.jwks) }
    }
  }
}

function payloadAdapter(exchange: Pick<Exchange, 'database' | 'clock'>, model: string): Adapter {
  const { database, clock } = exchange
  const key = (queries: Queries, id: string) =>
    and(
      eq(queries.tables.oidcPayloads.model, model),
      eq(queries.tables.oidcPayloads.id, storedId(id))
    )

  return {
    ...unused(model),
    async upsert(id, payload, expiresIn) {
      const row = toRow(model, id, payload, expiryOf(payload, expiresIn, clock()))
      if (model === 'ReplayDetection') return insertOnce(database, row)
      await database.write(async tx => {
        const { oidcPayloads: rows } = tx.tables
        await tx
          .insert(rows)
          .values(row)
          .onConflictDoUpdate({ target: [rows.model, rows.id], set: row })
      })
    },
    async find(id) {
      const { oidcPayloads: rows } = database.read.tables
      const [row] = await database.read
        .select()
        .from(rows)
        .where(and(key(database.read, id), or(isNull(rows.expiresAt), gt(rows.expiresAt, clock()))))
      if (row === undefined) return undefined
      const consumed = row.consumedAt === null ? {} : { consumed: toSeconds(row.consumedAt) }
      return { ...JSON.parse(row.payload), jti: id, ...consumed }
    },
    async consume(id) {
      // The provider looks first and marks afterwards, so two callers can both have looked. Here
      // only the one whose update finds the row unmarked gets past.
      const [consumed] = await database.write(async tx =>
        tx
          .update(tx.tables.oidcPayloads)
          .set({ consumedAt: clock() })
          .where(and(key(tx, id), isNull(tx.tables.oidcPayloads.consumedAt)))
          .returning({ id: tx.tables.oidcPayloads.id })
      )
      if (consumed === undefined) throw new errors.InvalidGrant('already used')
    },
    async destroy(id) {
      await database.write(async tx => {
        await tx.delete(tx.tables.oidcPayloads).where(key(tx, id))
      })
    },
    async revokeByGrantId(grantId) {
      await database.write(async tx => {
        const { oidcPayloads: rows } = tx.tables
        await tx.delete(rows).where(and(eq(rows.model, model), eq(rows.grantId, grantId)))
      })
    }
  }
}

interface Row {
  model: string
  id: string
  payload: string
  grantId: string | null
  uid: null
  userCode: null
  expiresAt: number | null
  consumedAt: null
}

/**
 * An assertion counts for the caller whose row is stored, whoever looked first: among any number of
 * parallel requests with one `jti`, one insert stores a row. If the process stops after it, the
 * assertion is spent and no token was given out.
 */
async function insertOnce(database: Database, row: Row): Promise<void> {
  const stored = await database.write(async tx =>
    tx
      .insert(tx.tables.oidcPayloads)
      .values(row)
      .onConflictDoNothing()
      .returning({ id: tx.tables.oidcPayloads.id })
  )
  if (stored.length === 0) throw new errors.InvalidClientAuth('assertion was used before')
}

function toRow(
  model: string,
  id: string,
  { jti: _, ...payload }: AdapterPayload,
  expiresAt: number | null
): Row {
  return {
    model,
    id: storedId(id),
    payload: JSON.stringify(payload),
    grantId: payload.grantId ?? null,
    uid: null,
    userCode: null,
    expiresAt,
    consumedAt: null
  }
}

function expiryOf(payload: AdapterPayload, expiresIn: number | undefined, now: number) {
  if (payload.exp !== undefined) return payload.exp * 1000
  return expiresIn === undefined ? null : now + expiresIn * 1000
}

const storedId = (id: string): string => hash('sha256', id, 'base64url')

const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)

/** Ways of asking that belong to features which are off. They fail loudly, should one be turned on. */
function unused(model: string): Adapter {
  const refuse = async (): Promise<never> => {
    throw new Error(`${model} is not stored this way: the feature that needs it is off.`)
  }
  return {
    upsert: refuse,
    find: refuse,
    findByUid: refuse,
    findByUserCode: refuse,
    consume: refuse,
    destroy: refuse,
    revokeByGrantId: refuse
  }
}
