-- The register of specialists and the invitations to it. Columns are documented in
-- schemas/register-tables.ts.

CREATE TABLE specialists (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  account_id text COLLATE "C" UNIQUE REFERENCES accounts (id),
  country text COLLATE "C" NOT NULL CHECK (length(country) = 2),
  details_sealed bytea NOT NULL,
  number_system text COLLATE "C",
  number_ref bytea CHECK (length(number_ref) = 32),
  is_second boolean NOT NULL,
  email_ref bytea CHECK (length(email_ref) = 32),
  on_specialist_register boolean NOT NULL,
  available_from bigint,
  available_until bigint,
  capacity bigint CHECK (capacity > 0),
  verified_at bigint,
  verified_until bigint,
  unverified_reason text COLLATE "C",
  expiry_noted_at bigint,
  version bigint NOT NULL CHECK (version > 0),
  created_at bigint NOT NULL,
  changed_at bigint NOT NULL,
  CHECK ((number_system IS NULL) = (number_ref IS NULL)),
  CHECK ((verified_at IS NULL) = (verified_until IS NULL)),
  CHECK ((verified_at IS NULL) = (unverified_reason IS NOT NULL)),
  CHECK (verified_at IS NULL OR number_ref IS NOT NULL)
);
-- One entry for one registration; who had two accounts before there was a register keeps both.
CREATE UNIQUE INDEX specialists_number ON specialists (number_ref) WHERE NOT is_second;
CREATE INDEX specialists_numbers ON specialists (number_ref) WHERE number_ref IS NOT NULL;
CREATE INDEX specialists_email ON specialists (email_ref) WHERE email_ref IS NOT NULL;
CREATE INDEX specialists_country ON specialists (country, id);
CREATE INDEX specialists_verified ON specialists (verified_until, id) WHERE verified_until IS NOT NULL;

CREATE TABLE specialist_terms (
  specialist_id text COLLATE "C" NOT NULL REFERENCES specialists (id),
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('condition', 'specialty', 'language')),
  term text COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, term, specialist_id)
);
CREATE INDEX specialist_terms_entry ON specialist_terms (specialist_id);

CREATE TABLE invitations (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  specialist_id text COLLATE "C" NOT NULL REFERENCES specialists (id),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  created_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  link_id text COLLATE "C" NOT NULL UNIQUE,
  code_ref bytea CHECK (length(code_ref) = 32),
  tries bigint NOT NULL CHECK (tries BETWEEN 0 AND 5),
  sends bigint NOT NULL CHECK (sends > 0),
  code_channel text COLLATE "C" NOT NULL CHECK (code_channel IN ('telephone', 'text-message', 'in-person', 'letter')),
  details_sealed bytea NOT NULL,
  mail_sealed bytea,
  created_at bigint NOT NULL,
  sent_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  accepted_at bigint,
  withdrawn_at bigint,
  -- Whoever accepted cannot be uninvited, and whoever was uninvited cannot accept.
  CHECK (accepted_at IS NULL OR withdrawn_at IS NULL),
  CHECK ((accepted_at IS NULL AND withdrawn_at IS NULL) OR code_ref IS NULL)
);
CREATE INDEX invitations_organisation ON invitations (organisation_id, id);
CREATE INDEX invitations_specialist ON invitations (specialist_id);

CREATE TABLE register_files (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  source text COLLATE "C" NOT NULL,
  as_of bigint NOT NULL,
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  rows bigint NOT NULL CHECK (rows > 0),
  imported_at bigint NOT NULL
);
CREATE INDEX register_files_latest ON register_files (source, as_of, id);

CREATE TABLE register_rows (
  file_id text COLLATE "C" NOT NULL,
  number_ref bytea NOT NULL CHECK (length(number_ref) = 32),
  name_ref bytea NOT NULL CHECK (length(name_ref) = 32),
  status text COLLATE "C" NOT NULL,
  on_specialist_register boolean NOT NULL,
  PRIMARY KEY (file_id, number_ref)
);
