import { lite, pg } from './drizzle.ts'
import { noticeTables } from './notice-tables.ts'

const bytea = pg.customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })

/**
 * The column kinds, whose JavaScript values are the same in both databases. Queries are typed
 * against PostgreSQL and run against SQLite by default: a call only PostgreSQL has fails the
 * default tests, a call only SQLite has fails the type check. This is the one cast.
 */
const postgres = {
  table: pg.pgTable,
  text: (name: string) => pg.text(name),
  int: (name: string) => pg.bigint(name, { mode: 'number' }),
  flag: (name: string) => pg.boolean(name),
  bytes: (name: string) => bytea(name)
}

const sqlite = {
  table: lite.sqliteTable,
  text: (name: string) => lite.text(name),
  int: (name: string) => lite.integer(name, { mode: 'number' }),
  flag: (name: string) => lite.integer(name, { mode: 'boolean' }),
  bytes: (name: string) => lite.blob(name, { mode: 'buffer' })
} as unknown as typeof postgres
export type ColumnKinds = typeof postgres

/**
 * Every table, once. Ids are UUIDv7 text and times are milliseconds since 1970 UTC, both made in
 * JavaScript. A column named `…Sealed` is a box only the key named beside it opens, so a copy of
 * the database shows no patient, no person's name, no title and no file name. Keys, constraints and
 * indexes are in the migrations; `test/database/migrations.test.ts` holds the two together.
 */
function define(c: typeof postgres) {
  const organisations = c.table('organisations', {
    id: c.text('id').primaryKey(),
    name: c.text('name').notNull(),
    /** ODS code of a UK organisation; null abroad. */
    odsCode: c.text('ods_code'),
    /** ISO 3166-1 alpha-2. */
    country: c.text('country').notNull(),
    createdAt: c.int('created_at').notNull()
  })

  const accounts = c.table('accounts', {
    id: c.text('id').primaryKey(),
    organisationId: c.text('organisation_id').notNull(),
    /** clinician, specialist, auditor or administrator. */
    role: c.text('role').notNull(),
    country: c.text('country').notNull(),
    /** Name, professional body and registration number, under the directory key. */
    profileSealed: c.bytes('profile_sealed').notNull(),
    createdAt: c.int('created_at').notNull(),
    disabledAt: c.int('disabled_at')
  })

  /** Who an issuer says is calling: the pair (issuer, subject), never an e-mail address. */
  const identities = c.table('identities', {
    issuer: c.text('issuer').notNull(),
    subject: c.text('subject').notNull(),
    accountId: c.text('account_id').notNull(),
    createdAt: c.int('created_at').notNull()
  })

  /** Machine clients of the embedded issuer. The subject of their tokens is the client id. */
  const clients = c.table('clients', {
    id: c.text('id').primaryKey(),
    /** Public keys only, as a JWK set. */
    jwks: c.text('jwks').notNull(),
    createdAt: c.int('created_at').notNull(),
    disabledAt: c.int('disabled_at')
  })

  /** One row: how often an account, an identity or a client was changed. Triggers count. */
  const directoryChanges = c.table('directory_changes', {
    id: c.int('id').primaryKey(),
    changes: c.int('changes').notNull()
  })

  /** What the OpenID provider must remember: replayed assertion ids, grants, sessions. */
  const oidcPayloads = c.table('oidc_payloads', {
    model: c.text('model').notNull(),
    id: c.text('id').notNull(),
    payload: c.text('payload').notNull(),
    grantId: c.text('grant_id'),
    uid: c.text('uid'),
    userCode: c.text('user_code'),
    expiresAt: c.int('expires_at'),
    consumedAt: c.int('consumed_at')
  })

  /** Keys of the service itself (directory, lookup, audit), wrapped by the key ring. */
  const serviceKeys = c.table('service_keys', {
    purpose: c.text('purpose').primaryKey(),
    wrappedKey: c.bytes('wrapped_key').notNull(),
    createdAt: c.int('created_at').notNull()
  })

  const cases = c.table('cases', {
    id: c.text('id').primaryKey(),
    organisationId: c.text('organisation_id').notNull(),
    createdBy: c.text('created_by').notNull(),
    wrappedKey: c.bytes('wrapped_key').notNull(),
    /** Patient and clinical question, under the case's key. */
    detailsSealed: c.bytes('details_sealed').notNull(),
    /** HMAC of the patient's identifier under the lookup key: equal patients, equal bytes. */
    patientRef: c.bytes('patient_ref').notNull(),
    createdAt: c.int('created_at').notNull()
  })

  const records = c.table('records', {
    id: c.text('id').primaryKey(),
    caseId: c.text('case_id').notNull(),
    kind: c.text('kind').notNull(),
    wrappedKey: c.bytes('wrapped_key').notNull(),
    /** Title and date, under the record's key. */
    detailsSealed: c.bytes('details_sealed').notNull(),
    objectCount: c.int('object_count').notNull(),
    bytes: c.int('bytes').notNull(),
    createdBy: c.text('created_by').notNull(),
    createdAt: c.int('created_at').notNull()
  })

  const objects = c.table('objects', {
    id: c.text('id').primaryKey(),
    recordId: c.text('record_id').notNull(),
    /** Place in the record, from 1. */
    position: c.int('position').notNull(),
    blob: c.text('blob').notNull(),
    /** Sealing format, so that another can join it. */
    format: c.text('format').notNull(),
    type: c.text('type').notNull(),
    /** Encrypted by its sender to the specialist: stored as it is, never inspected. */
    endToEnd: c.flag('end_to_end').notNull(),
    bytes: c.int('bytes').notNull(),
    sha256: c.bytes('sha256').notNull(),
    /** File name, under the record's key. */
    nameSealed: c.bytes('name_sealed').notNull()
  })

  const shares = c.table('shares', {
    id: c.text('id').primaryKey(),
    caseId: c.text('case_id').notNull(),
    organisationId: c.text('organisation_id').notNull(),
    createdBy: c.text('created_by').notNull(),
    specialistId: c.text('specialist_id').notNull(),
    recipientCountry: c.text('recipient_country').notNull(),
    /** Why the transfer is lawful, frozen: uk, adequacy, or the type of safeguard. */
    transferBasis: c.text('transfer_basis').notNull(),
    transferExpiresAt: c.int('transfer_expires_at'),
    /** Purpose and the whole transfer basis, under the case's key. */
    termsSealed: c.bytes('terms_sealed').notNull(),
    notBefore: c.int('not_before').notNull(),
    expiresAt: c.int('expires_at').notNull(),
    openingsMax: c.int('openings_max'),
    openings: c.int('openings').notNull(),
    /** Until when the latest opening lets its specialist read. */
    openUntil: c.int('open_until'),
    revokedAt: c.int('revoked_at'),
    revokedBy: c.text('revoked_by'),
    createdAt: c.int('created_at').notNull()
  })

  const shareRecords = c.table('share_records', {
    shareId: c.text('share_id').notNull(),
    recordId: c.text('record_id').notNull(),
    position: c.int('position').notNull()
  })

  const eventColumns = () => ({
    id: c.text('id').notNull(),
    at: c.int('at').notNull(),
    action: c.text('action').notNull(),
    /** granted, complete, refused … see `schemas/audit-event.ts`. */
    outcome: c.text('outcome').notNull(),
    /** The refusal's code, where there is one. */
    code: c.text('code'),
    /** Whose data it is, or else whose person it was; null when neither is known. */
    organisationId: c.text('organisation_id'),
    actorId: c.text('actor_id'),
    actorOrganisationId: c.text('actor_organisation_id'),
    caseId: c.text('case_id'),
    recordId: c.text('record_id'),
    objectId: c.text('object_id'),
    shareId: c.text('share_id'),
    patientRef: c.bytes('patient_ref'),
    recipientCountry: c.text('recipient_country'),
    /** The granted event that this one completes. */
    grantId: c.text('grant_id'),
    /** Body bytes given to the transport: never less, often more, than what arrived. */
    bytesHandedOver: c.int('bytes_handed_over'),
    /** The leaf as it is hashed into the tree (docs/audit-log.md). */
    leaf: c.bytes('leaf').notNull(),
    /** Salt and details, of which the leaf has the commitment, under the audit key. */
    detailsSealed: c.bytes('details_sealed')
  })

  /**
   * The access log, append only: triggers refuse change and removal. Nothing personal outside
   * `detailsSealed`; an erasure sets that and `patientRef` to null, and nothing else may change.
   */
  const auditEvents = c.table('audit_events', {
    /** Its place in the Merkle tree, from 0, without a gap. */
    idx: c.int('idx').primaryKey(),
    ...eventColumns()
  })

  /**
   * PostgreSQL only: events that are on the log and wait for their place. With many writers at once
   * it is known only after their commits (docs/decisions/0010). SQLite has no such table.
   */
  const auditPending = c.table('audit_pending', {
    /** Given by the database: a grant before what completes it, a share's events as counted. */
    seq: c.int('seq').notNull().default(0),
    ...eventColumns()
  })

  /** How many events each share has on the log: the number of its latest. */
  const auditShareCounts = c.table('audit_share_counts', {
    shareId: c.text('share_id').primaryKey(),
    events: c.int('events').notNull()
  })

  /** One row: how many events are in the tree. The rest, if any, is about to be. */
  const auditHead = c.table('audit_head', {
    id: c.int('id').primaryKey(),
    size: c.int('size').notNull(),
    /** When the log was last seen to be writable. */
    checkedAt: c.int('checked_at').notNull()
  })

  /** Hashes of the tree, 1 to 256 of 32 bytes in a row, as C2SP tlog-tiles cuts them. */
  const auditTiles = c.table('audit_tiles', {
    level: c.int('level').notNull(),
    idx: c.int('idx').notNull(),
    hashes: c.bytes('hashes').notNull()
  })

  /** One row: the last checkpoint that was signed. None that contradicts it may ever be. */
  const auditCheckpoint = c.table('audit_checkpoint', {
    id: c.int('id').primaryKey(),
    size: c.int('size').notNull(),
    note: c.text('note').notNull(),
    signedAt: c.int('signed_at').notNull()
  })

  /** The latest checkpoint each witness has signed with us. */
  const auditCosignatures = c.table('audit_cosignatures', {
    witness: c.text('witness').primaryKey(),
    size: c.int('size').notNull(),
    /** Signature lines, as a signed note has them. */
    lines: c.text('lines').notNull(),
    at: c.int('at').notNull()
  })

  /** Disclosures granted and not yet completed. What is left here after a crash was interrupted. */
  const openDisclosures = c.table('open_disclosures', {
    grantId: c.text('grant_id').primaryKey(),
    /** The run of the service that is to complete it; once that has ended, any other may. */
    run: c.text('run').notNull(),
    at: c.int('at').notNull()
  })

  /** PostgreSQL only: how often each caller was refused in a minute, by whichever process. */
  const refusalCounts = c.table('refusal_counts', {
    minute: c.int('minute').notNull(),
    /** HMAC of the account or the address. */
    key: c.bytes('key').notNull(),
    count: c.int('count').notNull()
  })

  return {
    organisations,
    accounts,
    identities,
    clients,
    directoryChanges,
    oidcPayloads,
    serviceKeys,
    cases,
    records,
    objects,
    shares,
    shareRecords,
    auditEvents,
    auditPending,
    auditShareCounts,
    auditHead,
    auditTiles,
    auditCheckpoint,
    auditCosignatures,
    openDisclosures,
    refusalCounts,
    ...noticeTables(c)
  }
}

export const tables = { postgres: define(postgres), sqlite: define(sqlite) }
export type Tables = typeof tables.postgres
