-- Patients' consents, what shares rest on, and from where they were used. Columns are documented in
-- schemas/tables.ts.

-- Whether the exception of explicit consent is hardly open to an organisation. One that has an ODS
-- code is taken for a public authority until somebody says otherwise.
ALTER TABLE organisations ADD COLUMN public_authority INTEGER NOT NULL DEFAULT 0 CHECK (public_authority IN (0, 1));
UPDATE organisations SET public_authority = 1 WHERE ods_code IS NOT NULL;

CREATE TABLE consents (
  id TEXT PRIMARY KEY NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  kind TEXT NOT NULL CHECK (kind IN ('second-opinion', 'transfer')),
  text_version INTEGER NOT NULL CHECK (text_version > 0),
  text_sha256 BLOB NOT NULL CHECK (length(text_sha256) = 32),
  details_sealed BLOB NOT NULL,
  expires_at INTEGER,
  recorded_by TEXT NOT NULL REFERENCES accounts (id),
  recorded_at INTEGER NOT NULL,
  withdrawn_at INTEGER,
  withdrawn_by TEXT REFERENCES accounts (id),
  reason_sealed BLOB,
  CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
  CHECK ((withdrawn_at IS NULL) = (reason_sealed IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_case ON consents (case_id, id);
CREATE TRIGGER consents_frozen BEFORE UPDATE OF
  id, case_id, organisation_id, kind, text_version, text_sha256, details_sealed, expires_at,
  recorded_by, recorded_at ON consents
BEGIN SELECT RAISE (ABORT, 'a consent cannot be changed'); END;
CREATE TRIGGER consents_withdrawn_once BEFORE UPDATE OF withdrawn_at, withdrawn_by, reason_sealed ON consents
WHEN OLD.withdrawn_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'a withdrawn consent stays withdrawn'); END;
CREATE TRIGGER consents_kept BEFORE DELETE ON consents
BEGIN SELECT RAISE (ABORT, 'a consent cannot be removed'); END;

CREATE TABLE safeguards (
  ref TEXT PRIMARY KEY NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  type TEXT NOT NULL,
  withdrawn_at INTEGER,
  withdrawn_by TEXT REFERENCES accounts (id),
  CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TRIGGER safeguards_withdrawn_once BEFORE UPDATE OF withdrawn_at, withdrawn_by ON safeguards
WHEN OLD.withdrawn_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'a withdrawn safeguard stays withdrawn'); END;
CREATE TRIGGER safeguards_kept BEFORE DELETE ON safeguards
BEGIN SELECT RAISE (ABORT, 'a safeguard cannot be removed'); END;

CREATE TABLE share_grounds (
  share_id TEXT NOT NULL REFERENCES shares (id),
  ground TEXT NOT NULL,
  PRIMARY KEY (share_id, ground)
) STRICT, WITHOUT ROWID;
CREATE INDEX share_grounds_ground ON share_grounds (ground, share_id);
CREATE TRIGGER share_grounds_frozen BEFORE UPDATE ON share_grounds
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;
CREATE TRIGGER share_grounds_kept BEFORE DELETE ON share_grounds
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;

CREATE TABLE share_sightings (
  share_id TEXT NOT NULL REFERENCES shares (id),
  country TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (share_id, country)
) STRICT, WITHOUT ROWID;
