import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { Client, type Pool } from 'pg'
import { ConfigError } from '../config.ts'

/**
 * Everything the service may do with each table. It may not change or remove an event, choose an
 * event's place, or alter a table. test/database/service-role.test.ts holds this to the database.
 */
export const SERVICE_GRANTS: Record<string, string> = {
  migrations: 'SELECT',
  organisations: 'SELECT, INSERT',
  operating_organisation: 'SELECT, INSERT, UPDATE (organisation_id, since)',
  accounts: 'SELECT, INSERT, UPDATE (role, country, profile_sealed, disabled_at)',
  // A trigger keeps those of this service itself.
  identities: 'SELECT, INSERT, DELETE',
  clients: 'SELECT, INSERT, UPDATE (disabled_at)',
  recipients: 'SELECT, INSERT',
  directory_changes: 'SELECT',
  oidc_payloads: 'SELECT, INSERT, UPDATE, DELETE',
  service_keys: 'SELECT, INSERT',
  // Triggers let a key go for good, with what its row keeps under it, and change it in no other way.
  cases: 'SELECT, INSERT, UPDATE (wrapped_key, details_sealed, patient_ref)',
  // Triggers let go of pseudonymised copies alone.
  records:
    'SELECT, INSERT, UPDATE (wrapped_key, details_sealed, patient_reason_sealed, patient_confirmed_by, patient_confirmed_at), DELETE',
  objects:
    'SELECT, INSERT, UPDATE (name_sealed, layout_sealed, summary_sealed, instance_ref, scan, scan_reason, scan_signature, scan_at, scan_due, scan_tries), DELETE',
  object_segments: 'SELECT, INSERT',
  drafts: 'SELECT, INSERT, UPDATE (files, bytes, discarded_at), DELETE',
  uploads:
    'SELECT, INSERT, UPDATE (received, segments, state, code, type, end_to_end, sha256, layout_sealed, joined_to), DELETE',
  upload_segments: 'SELECT, INSERT, UPDATE (upload_id, place), DELETE',
  shares: 'SELECT, INSERT, UPDATE (openings, open_until, revoked_at, revoked_by, replaced_by)',
  share_records: 'SELECT, INSERT',
  more_time: 'SELECT, INSERT, UPDATE (answered_at, answered_by, reason_sealed, share_given)',
  case_requests:
    'SELECT, INSERT, UPDATE (state, completed_at, completed_by, opinion_at, closed_at, version, request_sealed, answers_version, answers_sealed, questions_shared, due_at, changed_at, changed_by)',
  case_moves: 'SELECT, INSERT',
  consents: 'SELECT, INSERT, UPDATE (withdrawn_at, withdrawn_by, reason_sealed)',
  safeguards: 'SELECT, INSERT, UPDATE (withdrawn_at, withdrawn_by)',
  share_grounds: 'SELECT, INSERT',
  share_sightings: 'SELECT, INSERT',
  specialists:
    'SELECT, INSERT, UPDATE (account_id, country, details_sealed, number_system, number_ref, email_ref, on_specialist_register, available_from, available_until, capacity, verified_at, verified_until, unverified_reason, expiry_noted_at, version, changed_at)',
  specialist_terms: 'SELECT, INSERT, DELETE',
  invitations:
    'SELECT, INSERT, UPDATE (link_id, code_ref, tries, sends, code_channel, sent_at, expires_at, accepted_at, withdrawn_at, reminded_at)',
  register_files: 'SELECT, INSERT',
  register_rows: 'SELECT, INSERT, DELETE',
  audit_events: 'SELECT',
  audit_pending: 'SELECT, INSERT',
  audit_share_counts: 'SELECT, INSERT, UPDATE (events)',
  audit_head: 'SELECT, UPDATE (size, checked_at)',
  audit_tiles: 'SELECT, INSERT, UPDATE (hashes)',
  audit_checkpoint: 'SELECT, INSERT, UPDATE (size, note, signed_at)',
  audit_cosignatures: 'SELECT, INSERT, UPDATE (size, lines, at)',
  open_disclosures: 'SELECT, INSERT, DELETE',
  refusal_counts: 'SELECT, INSERT, UPDATE (count), DELETE',
  webhooks:
    'SELECT, INSERT, UPDATE (url_sealed, secret_sealed, older_secret_sealed, older_secret_until, failing_since, disabled_at, disabled_code, removed_at)',
  notices:
    'SELECT, INSERT, UPDATE (recipient_sealed, state, code, attempts, next_at, lease_run, lease_until, ended_at), DELETE',
  notice_marks: 'SELECT, INSERT, UPDATE (at, share_id)',
  notice_preferences: 'SELECT, INSERT, UPDATE (reminders, changed_at)',
  opinions:
    'SELECT, INSERT, UPDATE (share_id, version, text_sealed, saved_at, submitted_at, signed_sealed, record_id, acknowledged_at, acknowledged_by)',
  opinion_addenda: 'SELECT, INSERT',
  share_messages: 'SELECT, INSERT',
  share_declines: 'SELECT, INSERT',
  legal_holds: 'SELECT, INSERT, UPDATE (lifted_by, lifted_at, lift_reason_sealed)',
  erasures: 'SELECT, INSERT, UPDATE (files_at, files_kept, files_due)',
  erased_records: 'SELECT, INSERT',
  erased_cases: 'SELECT, INSERT',
  case_retention: 'SELECT, INSERT, UPDATE (look_at, audit_erased_at)',
  passkeys: 'SELECT, INSERT, UPDATE (counter, name_sealed, used_at), DELETE',
  sessions: 'SELECT, INSERT, UPDATE (seen_at, proven_at), DELETE',
  ceremonies: 'SELECT, INSERT, DELETE',
  enrolments:
    'SELECT, INSERT, UPDATE (code_ref, tries, created_by, created_at, expires_at, used_at, withdrawn_at)',
  recovery_codes: 'SELECT, INSERT, UPDATE (used_at), DELETE',
  saved_questions: 'SELECT, INSERT, DELETE'
}

/**
 * Makes the role that `serviceUrl` names, unless it is there, and gives it these rights and no other,
 * inside the caller's transaction. The password leaves this process only as its SCRAM verifier, so
 * that no log of statements can hold it.
 */
export async function grantToService(owner: Client, serviceUrl: string): Promise<void> {
  const { user = '', password = '', database = '' } = new Client({ connectionString: serviceUrl })
  const [role, name] = [owner.escapeIdentifier(user), owner.escapeIdentifier(database)]
  const { rows: roles } = await owner.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [user])
  if (roles.length === 0) {
    const verifier = password === '' ? 'NULL' : owner.escapeLiteral(scramVerifier(password))
    await owner.query(`CREATE ROLE ${role} LOGIN PASSWORD ${verifier}`)
  }
  await owner.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC, ${role}`)
  await owner.query(`GRANT CONNECT ON DATABASE ${name} TO ${role}`)
  await owner.query(`REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${role}`)
  await owner.query(`GRANT USAGE ON SCHEMA public TO ${role}`)
  await owner.query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, ${role}`)
  for (const [table, rights] of Object.entries(SERVICE_GRANTS)) {
    await owner.query(`GRANT ${rights} ON ${table} TO ${role}`)
  }
  await owner.query(`GRANT EXECUTE ON FUNCTION place_audit_events(integer) TO ${role}`)
}

/** RFC 5803, with the iterations PostgreSQL itself uses. Passwords are plain ASCII or as typed. */
function scramVerifier(password: string): string {
  const [salt, iterations] = [randomBytes(16), 4096]
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest()
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64')
  const server = keyOf('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`
}

interface Found {
  superuser: boolean
  makes_roles: boolean
  owns: boolean
  creates: boolean
  changes: boolean
  synchronous: string
  fsync: string
  pages: string
}

const LOOK = `SELECT
  role.rolsuper AS superuser,
  role.rolcreaterole OR role.rolcreatedb OR role.rolreplication OR role.rolbypassrls AS makes_roles,
  EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND pg_has_role(current_user, relowner, 'MEMBER')) AS owns,
  has_schema_privilege('public', 'CREATE') AS creates,
  has_table_privilege('audit_events', 'DELETE, TRUNCATE, UPDATE, INSERT, TRIGGER')
    OR has_any_column_privilege('audit_events', 'INSERT, UPDATE')
    OR has_table_privilege('audit_pending', 'DELETE, TRUNCATE, UPDATE, TRIGGER')
    OR has_any_column_privilege('audit_pending', 'UPDATE') AS changes,
  current_setting('synchronous_commit') AS synchronous,
  current_setting('fsync') AS fsync,
  current_setting('full_page_writes') AS pages
FROM pg_roles AS role WHERE role.rolname = current_user`

/**
 * Throws ConfigError when the role of this connection could change the access log or the tables, or
 * when the server may lose what it has acknowledged.
 */
export async function requireServiceRole(pool: Pool): Promise<void> {
  const { rows } = await pool.query<Found>(LOOK)
  const [found] = rows
  if (found === undefined) throw new ConfigError(['The role of DATABASE_URL cannot be examined.'])
  const problems = [
    found.superuser && 'is a superuser',
    found.makes_roles && 'may make roles or databases, replicate, or pass row security',
    found.owns && 'owns tables, or is a member of the role that does',
    found.creates && 'may create things in the schema',
    found.changes && 'may change or remove events of the access log'
  ].filter(problem => problem !== false)
  const advice = 'Use the role that npm run migrate-database makes.'
  const losing = [
    found.synchronous === 'off' && 'synchronous_commit is off',
    found.fsync === 'off' && 'fsync is off',
    found.pages === 'off' && 'full_page_writes is off'
  ].filter(problem => problem !== false)
  const all = [
    ...problems.map(problem => `The role of DATABASE_URL ${problem}. ${advice}`),
    ...losing.map(problem => `PostgreSQL could lose what it has acknowledged: ${problem}.`)
  ]
  if (all.length > 0) throw new ConfigError(all)
}
