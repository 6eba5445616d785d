-- The whole exchange. Columns are documented in schemas/tables.ts.

CREATE TABLE organisations (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  ods_code TEXT UNIQUE,
  country TEXT NOT NULL CHECK (length(country) = 2),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
  id TEXT PRIMARY KEY NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  role TEXT NOT NULL CHECK (role IN ('clinician', 'specialist', 'auditor', 'administrator')),
  country TEXT NOT NULL CHECK (length(country) = 2),
  profile_sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  disabled_at INTEGER
) STRICT;

CREATE TABLE identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
  id TEXT PRIMARY KEY NOT NULL,
  jwks TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  disabled_at INTEGER
) STRICT;

-- Lets readers keep an account in memory: it has not changed while this count has not.
CREATE TABLE directory_changes (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  changes INTEGER NOT NULL
) STRICT;
INSERT INTO directory_changes VALUES (1, 0);
CREATE TRIGGER accounts_insert_counted AFTER INSERT ON accounts
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER accounts_update_counted AFTER UPDATE ON accounts
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER accounts_delete_counted AFTER DELETE ON accounts
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER identities_insert_counted AFTER INSERT ON identities
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER identities_update_counted AFTER UPDATE ON identities
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER identities_delete_counted AFTER DELETE ON identities
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER clients_insert_counted AFTER INSERT ON clients
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER clients_update_counted AFTER UPDATE ON clients
BEGIN UPDATE directory_changes SET changes = changes + 1; END;
CREATE TRIGGER clients_delete_counted AFTER DELETE ON clients
BEGIN UPDATE directory_changes SET changes = changes + 1; END;

CREATE TABLE oidc_payloads (
  model TEXT NOT NULL,
  id TEXT NOT NULL,
  payload TEXT NOT NULL,
  grant_id TEXT,
  uid TEXT,
  user_code TEXT,
  expires_at INTEGER,
  consumed_at INTEGER,
  PRIMARY KEY (model, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX oidc_payloads_grant ON oidc_payloads (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oidc_payloads_expiry ON oidc_payloads (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE service_keys (
  purpose TEXT PRIMARY KEY NOT NULL,
  wrapped_key BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE cases (
  id TEXT PRIMARY KEY NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  created_by TEXT NOT NULL REFERENCES accounts (id),
  wrapped_key BLOB NOT NULL,
  details_sealed BLOB NOT NULL,
  patient_ref BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX cases_organisation ON cases (organisation_id, id);
CREATE INDEX cases_patient ON cases (patient_ref, organisation_id, id);

CREATE TABLE records (
  id TEXT PRIMARY KEY NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  kind TEXT NOT NULL,
  wrapped_key BLOB NOT NULL,
  details_sealed BLOB NOT NULL,
  object_count INTEGER NOT NULL CHECK (object_count > 0),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  created_by TEXT NOT NULL REFERENCES accounts (id),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX records_case ON records (case_id, id);

CREATE TABLE objects (
  id TEXT PRIMARY KEY NOT NULL,
  record_id TEXT NOT NULL REFERENCES records (id),
  position INTEGER NOT NULL,
  blob TEXT NOT NULL UNIQUE,
  format TEXT NOT NULL,
  type TEXT NOT NULL,
  end_to_end INTEGER NOT NULL CHECK (end_to_end IN (0, 1)),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  name_sealed BLOB NOT NULL,
  UNIQUE (record_id, position)
) STRICT;

CREATE TABLE shares (
  id TEXT PRIMARY KEY NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  created_by TEXT NOT NULL REFERENCES accounts (id),
  specialist_id TEXT NOT NULL REFERENCES accounts (id),
  recipient_country TEXT NOT NULL CHECK (length(recipient_country) = 2),
  transfer_basis TEXT NOT NULL,
  transfer_expires_at INTEGER,
  terms_sealed BLOB NOT NULL,
  not_before INTEGER NOT NULL,
  expires_at INTEGER NOT NULL CHECK (expires_at > not_before),
  openings_max INTEGER CHECK (openings_max > 0),
  openings INTEGER NOT NULL DEFAULT 0 CHECK (openings >= 0 AND (openings_max IS NULL OR openings <= openings_max)),
  open_until INTEGER,
  revoked_at INTEGER,
  revoked_by TEXT REFERENCES accounts (id),
  created_at INTEGER NOT NULL,
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) STRICT;
CREATE INDEX shares_case ON shares (case_id, id);
CREATE INDEX shares_organisation ON shares (organisation_id, id);
CREATE INDEX shares_specialist ON shares (specialist_id, id);

CREATE TABLE share_records (
  share_id TEXT NOT NULL REFERENCES shares (id),
  record_id TEXT NOT NULL REFERENCES records (id),
  position INTEGER NOT NULL,
  PRIMARY KEY (share_id, record_id)
) STRICT, WITHOUT ROWID;

-- A share is frozen once made: only its counters and its end may change, and its end only once.
CREATE TRIGGER shares_frozen BEFORE UPDATE OF
  id, case_id, organisation_id, created_by, specialist_id, recipient_country, transfer_basis,
  transfer_expires_at, terms_sealed, not_before, expires_at, openings_max, created_at ON shares
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;
CREATE TRIGGER shares_revoked_once BEFORE UPDATE OF revoked_at, revoked_by ON shares
WHEN OLD.revoked_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'a revoked share stays revoked'); END;
CREATE TRIGGER shares_kept BEFORE DELETE ON shares
BEGIN SELECT RAISE (ABORT, 'a share cannot be removed'); END;
CREATE TRIGGER share_records_frozen BEFORE UPDATE ON share_records
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;
CREATE TRIGGER share_records_kept BEFORE DELETE ON share_records
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;

-- The access log. One writer at a time, so the place in the tree is known when a row is written.
-- Ids grow with time, so an index that ends in the id serves pages and times. Each index costs every
-- append: those of rare events are partial, and the code repeats their conditions word for word,
-- without which SQLite would not use them.
CREATE TABLE audit_events (
  idx INTEGER PRIMARY KEY NOT NULL,
  id TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  outcome TEXT NOT NULL,
  code TEXT,
  organisation_id TEXT,
  actor_id TEXT,
  actor_organisation_id TEXT,
  case_id TEXT,
  record_id TEXT,
  object_id TEXT,
  share_id TEXT,
  patient_ref BLOB,
  recipient_country TEXT,
  grant_id TEXT,
  bytes_handed_over INTEGER,
  leaf BLOB NOT NULL CHECK (length(leaf) <= 1024),
  details_sealed BLOB
) STRICT;
CREATE INDEX audit_events_organisation ON audit_events (organisation_id, id)
  WHERE organisation_id IS NOT NULL;
CREATE INDEX audit_events_actor ON audit_events (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_case ON audit_events (case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX audit_events_share ON audit_events (share_id, id) WHERE share_id IS NOT NULL;
-- Patients of whom no case is known yet: searches, and questions to the log.
CREATE INDEX audit_events_patient ON audit_events (patient_ref, id)
  WHERE patient_ref IS NOT NULL AND case_id IS NULL;
-- What people of one organisation did with the data of another.
CREATE INDEX audit_events_abroad ON audit_events (actor_organisation_id, id)
  WHERE actor_organisation_id IS NOT NULL AND actor_organisation_id IS DISTINCT FROM organisation_id;
-- Callers nobody knows.
CREATE INDEX audit_events_nobody ON audit_events (id)
  WHERE organisation_id IS NULL AND actor_organisation_id IS NULL;
CREATE INDEX audit_events_refused ON audit_events (organisation_id, id)
  WHERE organisation_id IS NOT NULL AND outcome = 'refused';
-- What left the United Kingdom: opening a share tells who the patient is and what is asked.
CREATE INDEX audit_events_disclosed ON audit_events (organisation_id, id)
  WHERE organisation_id IS NOT NULL AND recipient_country <> 'GB'
    AND outcome IN ('granted', 'success') AND action IN ('link.open', 'share.read', 'content.read');
CREATE INDEX audit_events_asked ON audit_events (organisation_id, id)
  WHERE organisation_id IS NOT NULL AND action IN ('audit.query', 'audit.export', 'audit.report');
-- Content is read thousands of times for one opening.
CREATE INDEX audit_events_opened ON audit_events (share_id, id)
  WHERE share_id IS NOT NULL AND action = 'link.open' AND outcome = 'success';

CREATE TRIGGER audit_events_no_update BEFORE UPDATE OF idx, id, at, action, outcome, code,
  organisation_id, actor_id, actor_organisation_id, case_id, record_id, object_id, share_id,
  recipient_country, grant_id, bytes_handed_over, leaf ON audit_events
BEGIN SELECT RAISE (ABORT, 'the access log cannot be changed'); END;
-- What an erasure leaves: the leaf, which names nobody, and so the proof.
CREATE TRIGGER audit_events_erase_only BEFORE UPDATE OF patient_ref, details_sealed ON audit_events
WHEN NEW.patient_ref IS NOT NULL OR NEW.details_sealed IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'the access log cannot be changed'); END;
-- INSERT OR REPLACE would delete unseen, were it not for the pragma recursive_triggers.
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE (ABORT, 'the access log cannot be changed'); END;

CREATE TABLE audit_share_counts (
  share_id TEXT PRIMARY KEY NOT NULL,
  events INTEGER NOT NULL CHECK (events > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_head (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  size INTEGER NOT NULL CHECK (size >= 0),
  checked_at INTEGER NOT NULL
) STRICT;
INSERT INTO audit_head VALUES (1, 0, 0);
CREATE TRIGGER audit_head_grows BEFORE UPDATE OF size ON audit_head
WHEN NEW.size < OLD.size
BEGIN SELECT RAISE (ABORT, 'the access log cannot shrink'); END;

CREATE TABLE audit_tiles (
  level INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  hashes BLOB NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192),
  PRIMARY KEY (level, idx)
) STRICT;

CREATE TABLE audit_checkpoint (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  size INTEGER NOT NULL,
  note TEXT NOT NULL,
  signed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_cosignatures (
  witness TEXT PRIMARY KEY NOT NULL,
  size INTEGER NOT NULL,
  lines TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- A share is whole once its making is on the log, which is in the transaction that makes it.
CREATE TRIGGER share_records_whole BEFORE INSERT ON share_records
WHEN EXISTS (SELECT 1 FROM audit_events WHERE share_id = NEW.share_id)
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;

CREATE TABLE open_disclosures (
  grant_id TEXT PRIMARY KEY NOT NULL,
  run TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
