-- Signing in: passkeys, sessions, challenges, and the codes that lead to a first passkey. Columns are
-- documented in schemas/sign-in-tables.ts.

CREATE TABLE passkeys (
  id text COLLATE "C" PRIMARY KEY NOT NULL CHECK (length(id) BETWEEN 1 AND 1400),
  account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  public_key bytea NOT NULL,
  counter bigint NOT NULL CHECK (counter >= 0),
  transports text COLLATE "C" NOT NULL,
  name_sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  used_at bigint
);
CREATE INDEX passkeys_account ON passkeys (account_id);

CREATE TABLE sessions (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  issuer text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  assurance text COLLATE "C" NOT NULL,
  passkey_id text COLLATE "C",
  origin_sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  seen_at bigint NOT NULL,
  proven_at bigint NOT NULL,
  expires_at bigint NOT NULL CHECK (expires_at > created_at)
);
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE ceremonies (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  purpose text COLLATE "C" NOT NULL,
  account_id text COLLATE "C" REFERENCES accounts (id),
  details_sealed bytea,
  expires_at bigint NOT NULL
);
CREATE INDEX ceremonies_expiry ON ceremonies (expires_at);

CREATE TABLE enrolments (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  account_id text COLLATE "C" REFERENCES accounts (id),
  code_ref bytea,
  tries bigint NOT NULL CHECK (tries BETWEEN 0 AND 5),
  created_by text COLLATE "C" REFERENCES accounts (id),
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL CHECK (expires_at > created_at),
  used_at bigint
);
CREATE INDEX enrolments_account ON enrolments (account_id);

CREATE TABLE recovery_codes (
  code_ref bytea PRIMARY KEY NOT NULL,
  account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  created_at bigint NOT NULL,
  used_at bigint
);
CREATE INDEX recovery_codes_account ON recovery_codes (account_id);
