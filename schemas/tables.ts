import { auditTables } from './audit-tables.ts'
import { type Columns, postgres, sqlite } from './columns.ts'
import { consentTables } from './consent-tables.ts'
import { noticeTables } from './notice-tables.ts'
import { opinionTables } from './opinion-tables.ts'
import { registerTables } from './register-tables.ts'
import { requestTables } from './request-tables.ts'
import { retentionTables } from './retention-tables.ts'
import { signInTables } from './sign-in-tables.ts'
import { timeTables } from './time-tables.ts'
import { uploadTables } from './upload-tables.ts'

/**
 * Every table, once; those of uploads and of the access log are in files of their own. Ids are
 * UUIDv7 text and times are milliseconds since 1970 UTC, both made in JavaScript. A column named
 * `…Sealed` is a box only the key named beside it opens, so a copy of the database shows no patient,
 * no person's name, no title and no file name. Keys, constraints and indexes are in the migrations;
 * `test/database/migrations.test.ts` holds the two together.
 */
function define(c: Columns) {
  const organisations = c.table('organisations', {
    id: c.text('id').primaryKey(),
    name: c.text('name').notNull(),
    /** ODS code of a UK organisation; null abroad. */
    odsCode: c.text('ods_code'),
    /** ISO 3166-1 alpha-2. */
    country: c.text('country').notNull(),
    createdAt: c.int('created_at').notNull(),
    timeZone: c.text('time_zone').notNull().default('Europe/London'),
    /** Explicit consent to a transfer abroad is hardly open to it (UK GDPR, Article 49(3)). */
    publicAuthority: c.flag('public_authority').notNull().default(false)
  })

  /** One row: the organisation that runs this exchange, that of its first administrator. */
  const operatingOrganisation = c.table('operating_organisation', {
    id: c.int('id').primaryKey(),
    organisationId: c.text('organisation_id').notNull(),
    since: c.int('since').notNull()
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

  /** What senders encrypt to for an account: the latest is valid, and none is changed or removed. */
  const recipients = c.table('recipients', {
    id: c.text('id').primaryKey(),
    accountId: c.text('account_id').notNull(),
    /** An age recipient, which is public. */
    recipient: c.text('recipient').notNull(),
    registeredBy: c.text('registered_by').notNull(),
    registeredAt: c.int('registered_at').notNull()
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
    createdAt: c.int('created_at').notNull(),
    /** By what its headers say, fixed when it was made: match, cannot-tell or mismatch. */
    patientMatch: c.text('patient_match').notNull(),
    /** Why it may be shared in spite of a mismatch, under the record's key. */
    patientReasonSealed: c.bytes('patient_reason_sealed'),
    patientConfirmedBy: c.text('patient_confirmed_by'),
    patientConfirmedAt: c.int('patient_confirmed_at'),
    /** Of a pseudonymised copy: the record it shows, and its share. */
    copyOf: c.text('copy_of'),
    copyFor: c.text('copy_for')
  })

  const objects = c.table('objects', {
    id: c.text('id').primaryKey(),
    recordId: c.text('record_id').notNull(),
    /** Place in the record, from 1. */
    position: c.int('position').notNull(),
    /** The one blob it is sealed as; null when it is sealed in segments. */
    blob: c.text('blob'),
    /** Sealing format, so that another can join it. */
    format: c.text('format').notNull(),
    type: c.text('type').notNull(),
    /** Encrypted by its sender to the specialist: stored as it is, never inspected. */
    endToEnd: c.flag('end_to_end').notNull(),
    bytes: c.int('bytes').notNull(),
    sha256: c.bytes('sha256').notNull(),
    /** File name, under the record's key. */
    nameSealed: c.bytes('name_sealed').notNull(),
    /** Which segments it is made of, in order, under the record's key; null when it is one blob. */
    layoutSealed: c.bytes('layout_sealed'),
    /** What is in it, under the record's key; null when it was stored before files were inspected. */
    summarySealed: c.bytes('summary_sealed'),
    /** HMAC of its SOP Instance UID and case under the lookup key: equal instances, equal bytes. */
    instanceRef: c.bytes('instance_ref'),
    /** What the malware scanner says: pending, clean, infected or not-scanned. */
    scan: c.text('scan').notNull().default('pending'),
    /** Why it was not scanned. */
    scanReason: c.text('scan_reason'),
    /** The name of what was found in it, as the scanner has it. */
    scanSignature: c.text('scan_signature'),
    /** Since when it is as `scan` says; of one that is pending, when scanning first failed. */
    scanAt: c.int('scan_at'),
    /** When the background scan is to see to it; null when nothing is left to be done. */
    scanDue: c.int('scan_due').default(0),
    /** Scans that came to nothing. */
    scanTries: c.int('scan_tries').notNull().default(0)
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
    /** From when on safeguard or consent no longer bear it; null when neither ends by itself. */
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
    createdAt: c.int('created_at').notNull(),
    pseudonymised: c.flag('pseudonymised').notNull(),
    /** The newer share that took its place, in whose transaction it was revoked. */
    replacedBy: c.text('replaced_by'),
    /** Of one that took the place of another: when the first of them was made. */
    begunAt: c.int('begun_at')
  })

  const shareRecords = c.table('share_records', {
    shareId: c.text('share_id').notNull(),
    recordId: c.text('record_id').notNull(),
    position: c.int('position').notNull()
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

  /** Of one person: a question to the access log, by the name they gave it. */
  const savedQuestions = c.table('saved_questions', {
    id: c.text('id').primaryKey(),
    accountId: c.text('account_id').notNull(),
    /** Its name and what it asks, under the service's key of the log. */
    questionSealed: c.bytes('question_sealed').notNull(),
    createdAt: c.int('created_at').notNull()
  })

  return {
    savedQuestions,
    organisations,
    operatingOrganisation,
    accounts,
    identities,
    clients,
    recipients,
    directoryChanges,
    oidcPayloads,
    serviceKeys,
    cases,
    records,
    objects,
    ...uploadTables(c),
    shares,
    shareRecords,
    ...requestTables(c),
    ...consentTables(c),
    ...registerTables(c),
    ...auditTables(c),
    openDisclosures,
    refusalCounts,
    ...noticeTables(c),
    ...opinionTables(c),
    ...timeTables(c),
    ...retentionTables(c),
    ...signInTables(c)
  }
}

export const tables = { postgres: define(postgres), sqlite: define(sqlite) }
export type Tables = typeof tables.postgres
