import { createSecretKey, type KeyObject } from 'node:crypto'
import { eq } from '../schemas/drizzle.ts'
import { isAnyPending } from './audit/tree/pending.ts'
import { ConfigError } from './config.ts'
import type { Database, Queries } from './database/database.ts'
import type { Clock, ServiceKeys } from './exchange.ts'
import type { Keyring } from './sealing/keyrings/keyring.ts'
import { canonicalContext, newKey, unwrapKey, wrapKey } from './sealing/keys.ts'
import { SealError } from './sealing/seal-error.ts'

/**
 * Opens the service's own keys. They are made before the first event: one that is missing later was
 * lost, and a new one would open nothing and find no patient.
 * Throws SealError when one is damaged, ConfigError when one is lost.
 */
export async function openServiceKeys(
  database: Database,
  keyring: Keyring,
  clock: Clock
): Promise<ServiceKeys> {
  const open = async (purpose: string) => {
    const { serviceKeys } = database.read.tables
    const context = serviceKeyContext(purpose)
    const find = (queries: Queries) =>
      queries.select().from(serviceKeys).where(eq(serviceKeys.purpose, purpose))
    let [row] = await find(database.read)
    if (row === undefined && (await isNew(database.read))) {
      const made = newKey()
      const wrappedKey = await wrapKey(keyring, context, made)
      made.fill(0)
      ;[row] = await database.write(async tx => {
        // Two processes may start at once: the first to insert wins and both read what it stored.
        if (await isNew(tx)) {
          await tx
            .insert(serviceKeys)
            .values({ purpose, wrappedKey, createdAt: clock() })
            .onConflictDoNothing()
        }
        return find(tx)
      })
    }
    // One that started at the same moment may have made it, and its first event, after the first look.
    row ??= (await find(database.read))[0]
    if (row === undefined) {
      throw new ConfigError([
        `The database has lost its ${purpose} key: it is damaged, or somebody changed it. Put it back from your backup.`
      ])
    }
    return createSecretKey((await unwrapKey(keyring, context, row.wrappedKey)).export())
  }
  return {
    directory: await open('directory'),
    lookup: await open('lookup'),
    audit: await open('audit')
  }
}

/** Those that wait come first: an event leaves them for the log, and must not slip by between two looks. */
async function isNew(queries: Queries): Promise<boolean> {
  if (await isAnyPending(queries)) return false
  const { auditEvents } = queries.tables
  const events = await queries.select({ idx: auditEvents.idx }).from(auditEvents).limit(1)
  return events.length === 0
}

/**
 * Opens the key of audit events and makes nothing, for who only reads. Throws SealError key-missing
 * when it was never made, and as the key ring does.
 */
export async function readAuditKey(queries: Queries, keyring: Keyring): Promise<KeyObject> {
  const { serviceKeys } = queries.tables
  const [row] = await queries.select().from(serviceKeys).where(eq(serviceKeys.purpose, 'audit'))
  if (row === undefined) throw new SealError('key-missing', 'There is no key of audit events.')
  const key = await unwrapKey(keyring, serviceKeyContext('audit'), row.wrappedKey)
  return createSecretKey(key.export())
}

/** The context of a wrapped service key. */
export const serviceKeyContext = (purpose: string): Buffer =>
  canonicalContext('service-key', purpose)
