-- The register of specialists and the invitations to it. Columns are documented in
-- schemas/register-tables.ts.

CREATE TABLE specialists (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT UNIQUE REFERENCES accounts (id),
  country TEXT NOT NULL CHECK (length(country) = 2),
  details_sealed BLOB NOT NULL,
  number_system TEXT,
  number_ref BLOB CHECK (length(number_ref) = 32),
  is_second INTEGER NOT NULL CHECK (is_second IN (0, 1)),
  email_ref BLOB CHECK (length(email_ref) = 32),
  on_specialist_register INTEGER NOT NULL CHECK (on_specialist_register IN (0, 1)),
  available_from INTEGER,
  available_until INTEGER,
  capacity INTEGER CHECK (capacity > 0),
  verified_at INTEGER,
  verified_until INTEGER,
  unverified_reason TEXT,
  expiry_noted_at INTEGER,
  version INTEGER NOT NULL CHECK (version > 0),
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  CHECK ((number_system IS NULL) = (number_ref IS NULL)),
  CHECK ((verified_at IS NULL) = (verified_until IS NULL)),
  CHECK ((verified_at IS NULL) = (unverified_reason IS NOT NULL)),
  CHECK (verified_at IS NULL OR number_ref IS NOT NULL)
) STRICT;
-- One entry for one registration; who had two accounts before there was a register keeps both.
CREATE UNIQUE INDEX specialists_number ON specialists (number_ref) WHERE is_second = 0;
CREATE INDEX specialists_numbers ON specialists (number_ref) WHERE number_ref IS NOT NULL;
CREATE INDEX specialists_email ON specialists (email_ref) WHERE email_ref IS NOT NULL;
CREATE INDEX specialists_country ON specialists (country, id);
CREATE INDEX specialists_verified ON specialists (verified_until, id) WHERE verified_until IS NOT NULL;

CREATE TABLE specialist_terms (
  specialist_id TEXT NOT NULL REFERENCES specialists (id),
  kind TEXT NOT NULL CHECK (kind IN ('condition', 'specialty', 'language')),
  term TEXT NOT NULL,
  PRIMARY KEY (kind, term, specialist_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX specialist_terms_entry ON specialist_terms (specialist_id);

CREATE TABLE invitations (
  id TEXT PRIMARY KEY NOT NULL,
  specialist_id TEXT NOT NULL REFERENCES specialists (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  created_by TEXT NOT NULL REFERENCES accounts (id),
  link_id TEXT NOT NULL UNIQUE,
  code_ref BLOB CHECK (length(code_ref) = 32),
  tries INTEGER NOT NULL CHECK (tries BETWEEN 0 AND 5),
  sends INTEGER NOT NULL CHECK (sends > 0),
  code_channel TEXT NOT NULL CHECK (code_channel IN ('telephone', 'text-message', 'in-person', 'letter')),
  details_sealed BLOB NOT NULL,
  mail_sealed BLOB,
  created_at INTEGER NOT NULL,
  sent_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  accepted_at INTEGER,
  withdrawn_at INTEGER,
  -- Whoever accepted cannot be uninvited, and whoever was uninvited cannot accept.
  CHECK (accepted_at IS NULL OR withdrawn_at IS NULL),
  CHECK ((accepted_at IS NULL AND withdrawn_at IS NULL) OR code_ref IS NULL)
) STRICT;
CREATE INDEX invitations_organisation ON invitations (organisation_id, id);
CREATE INDEX invitations_specialist ON invitations (specialist_id);

CREATE TABLE register_files (
  id TEXT PRIMARY KEY NOT NULL,
  source TEXT NOT NULL,
  as_of INTEGER NOT NULL,
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  rows INTEGER NOT NULL CHECK (rows > 0),
  imported_at INTEGER NOT NULL
) STRICT;
CREATE INDEX register_files_latest ON register_files (source, as_of, id);

CREATE TABLE register_rows (
  file_id TEXT NOT NULL,
  number_ref BLOB NOT NULL CHECK (length(number_ref) = 32),
  name_ref BLOB NOT NULL CHECK (length(name_ref) = 32),
  status TEXT NOT NULL,
  on_specialist_register INTEGER NOT NULL CHECK (on_specialist_register IN (0, 1)),
  PRIMARY KEY (file_id, number_ref)
) STRICT, WITHOUT ROWID;
