import type { KeyObject } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { v7 as uuidv7 } from 'uuid'
import type { PatientIdentifier } from '../../schemas/case.ts'
import {
  commitmentTo,
  LEAF_VERSION,
  leafBytes,
  saltDetails,
  sealDetails
} from '../../src/audit/entry.ts'
import type { AuditEvent } from '../../src/audit/log.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import type { ServiceKeys } from '../../src/exchange.ts'
import { randomSource } from '../../src/sealing/random.ts'
import { type Population, patientNumbered, populate } from './audit-population.ts'
import { eventsOf, type Timed } from './audit-story.ts'

/** The events are spread evenly over the last so many days. */
const DAYS = 365
const DAY_MILLISECONDS = 86_400_000

/** Rows in one transaction. */
const BATCH_ROWS = 50_000
const CACHE_KIB = 262_144

/** Ids of the first organisation, to ask about: oldest first. */
export interface Generated {
  organisationId: string
  /** Auditors first, two of them. */
  actors: string[]
  cases: string[]
  records: string[]
  shares: string[]
  patients: PatientIdentifier[]
  /** Milliseconds UTC of the first event and after the last. */
  from: number
  to: number
}

export interface GenerateOptions {
  /** So that details open, profiles have names and patients are found. */
  keys: ServiceKeys
  /** The organisation to ask for: an enrolled one, or a new one. */
  organisationId?: string
  /** When the last event was, milliseconds UTC. */
  now?: number
  progress?: (rows: number) => void
}

/**
 * Adds so many made-up events to the database in `file`, which is made if there is none: 20
 * organisations, 2,000 people, up to 200,000 cases and 50,000 shares, 5 % refusals, about 1 %
 * disclosures abroad. Leaves and details are genuine, so everything that reads the log works on them; the tree
 * takes them in at the next start. No service may run on the file. Far quicker than the service
 * could be, and safe against nothing: stopped half-way, the file is lost.
 */
export async function generateEvents(
  file: string,
  count: number,
  options: GenerateOptions
): Promise<Generated> {
  await openSqlite(file).close()
  const { now = Date.now(), keys } = options
  const span = { from: now - DAYS * DAY_MILLISECONDS, to: now }
  const organisationId = options.organisationId ?? uuidv7({ msecs: span.from })
  const connection = new DatabaseSync(file, { enableForeignKeyConstraints: false })
  try {
    connection.exec(
      `PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -${CACHE_KIB}`
    )
    connection.exec('BEGIN')
    const population = populate(connection, keys, organisationId, span, count)
    connection.exec('COMMIT')
    const restoreIndexes = dropIndexes(connection)
    insertEvents(connection, keys.audit, eventsOf(population, count, span), options.progress)
    restoreIndexes()
    connection.exec('PRAGMA journal_mode = WAL')
    return { ...describe(population), ...span }
  } finally {
    connection.close()
  }
}

/** Filling an index row by row takes several times as long as making it at the end. */
function dropIndexes(connection: DatabaseSync): () => void {
  const indexes = connection
    .prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'audit_events' AND sql IS NOT NULL"
    )
    .all()
  for (const { name } of indexes) connection.exec(`DROP INDEX ${name}`)
  return () => {
    for (const { sql } of indexes) connection.exec(String(sql))
  }
}

function insertEvents(
  connection: DatabaseSync,
  key: KeyObject,
  events: Iterable<Timed>,
  progress: GenerateOptions['progress']
): void {
  const insert = connection.prepare(
    `INSERT INTO audit_events VALUES (${new Array(19).fill('?').join(', ')})`
  )
  const { next } = connection
    .prepare('SELECT coalesce(max(idx) + 1, 0) AS next FROM audit_events')
    .get() as { next: number }
  const freshRandom = randomSource(16)
  const counts = new Map<string, number>()
  let rows = 0
  let id = ''
  connection.exec('BEGIN')
  for (const { at, completes, ...event } of events) {
    const grantId = completes ? id : undefined
    id = uuidv7({ msecs: at, seq: rows, random: freshRandom() })
    const { shareId } = event
    const n = shareId === undefined ? undefined : (counts.get(shareId) ?? 0) + 1
    if (shareId !== undefined && n !== undefined) counts.set(shareId, n)
    insert.run(next + rows, ...rowOf(key, { ...event, grantId }, id, at, n))
    rows += 1
    if (rows % BATCH_ROWS > 0) continue
    connection.exec('COMMIT; BEGIN')
    progress?.(rows)
  }
  const count = connection.prepare('INSERT INTO audit_share_counts VALUES (?, ?)')
  for (const [shareId, n] of counts) count.run(shareId, n)
  connection.exec('COMMIT')
}

/** The columns after `idx`, in the order of the table. */
function rowOf(key: KeyObject, event: AuditEvent, id: string, at: number, n: number | undefined) {
  const { action, outcome, code, organisationId, actorId, actorOrganisationId } = event
  const { caseId, recordId, objectId, shareId, patientRef, recipientCountry, grantId } = event
  const salted = saltDetails({
    actor: actorId,
    actorOrganisation: actorOrganisationId,
    case: caseId,
    code,
    country: recipientCountry,
    details: event.details,
    object: objectId,
    organisation: organisationId,
    patient: patientRef?.toString('base64url'),
    record: recordId
  })
  const leaf = leafBytes({
    action,
    at: new Date(at).toISOString(),
    bytes: event.bytesHandedOver,
    d: commitmentTo(salted),
    grant: grantId,
    id,
    n,
    outcome,
    share: shareId,
    v: LEAF_VERSION
  })
  const ids = [caseId, recordId, objectId, shareId, patientRef, recipientCountry, grantId]
  return [
    ...[id, at, action, outcome, code ?? null],
    ...[organisationId, actorId, actorOrganisationId, ...ids].map(value => value ?? null),
    event.bytesHandedOver ?? null,
    leaf,
    sealDetails(key, id, salted)
  ]
}

function describe({ organisations, actors, cases, shares }: Population) {
  const own = cases.filter(({ holder }) => holder === 0)
  return {
    organisationId: String(organisations[0]),
    actors: (actors[0] ?? []).map(({ id }) => id),
    cases: own.map(({ id }) => id),
    records: own.map(({ recordId }) => recordId),
    shares: shares.filter(({ about }) => about.holder === 0).map(({ id }) => id),
    patients: own.map(({ patient }) => patientNumbered(patient))
  }
}
