-- Signing in: passkeys, sessions, challenges, and the codes that lead to a first passkey. Columns are
-- documented in schemas/sign-in-tables.ts.

CREATE TABLE passkeys (
  id TEXT PRIMARY KEY NOT NULL CHECK (length(id) BETWEEN 1 AND 1400),
  account_id TEXT NOT NULL REFERENCES accounts (id),
  public_key BLOB NOT NULL,
  counter INTEGER NOT NULL CHECK (counter >= 0),
  transports TEXT NOT NULL,
  name_sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;
CREATE INDEX passkeys_account ON passkeys (account_id);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  assurance TEXT NOT NULL,
  passkey_id TEXT,
  origin_sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  proven_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL CHECK (expires_at > created_at)
) STRICT;
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE ceremonies (
  id TEXT PRIMARY KEY NOT NULL,
  purpose TEXT NOT NULL,
  account_id TEXT REFERENCES accounts (id),
  details_sealed BLOB,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ceremonies_expiry ON ceremonies (expires_at);

CREATE TABLE enrolments (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT REFERENCES accounts (id),
  code_ref BLOB,
  tries INTEGER NOT NULL CHECK (tries BETWEEN 0 AND 5),
  created_by TEXT REFERENCES accounts (id),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
  used_at INTEGER
) STRICT;
CREATE INDEX enrolments_account ON enrolments (account_id);

CREATE TABLE recovery_codes (
  code_ref BLOB PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  created_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;
CREATE INDEX recovery_codes_account ON recovery_codes (account_id);
