-- Patients' consents, what shares rest on, and from where they were used. Columns are documented in
-- schemas/tables.ts.

-- Whether the exception of explicit consent is hardly open to an organisation. One that has an ODS
-- code is taken for a public authority until somebody says otherwise.
ALTER TABLE organisations ADD COLUMN public_authority boolean NOT NULL DEFAULT false;
UPDATE organisations SET public_authority = true WHERE ods_code IS NOT NULL;

CREATE TABLE consents (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  case_id text COLLATE "C" NOT NULL REFERENCES cases (id),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('second-opinion', 'transfer')),
  text_version bigint NOT NULL CHECK (text_version > 0),
  text_sha256 bytea NOT NULL CHECK (length(text_sha256) = 32),
  details_sealed bytea NOT NULL,
  expires_at bigint,
  recorded_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  recorded_at bigint NOT NULL,
  withdrawn_at bigint,
  withdrawn_by text COLLATE "C" REFERENCES accounts (id),
  reason_sealed bytea,
  CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
  CHECK ((withdrawn_at IS NULL) = (reason_sealed IS NULL))
);
CREATE INDEX consents_case ON consents (case_id, id);
CREATE TRIGGER consents_frozen BEFORE UPDATE OF
  id, case_id, organisation_id, kind, text_version, text_sha256, details_sealed, expires_at,
  recorded_by, recorded_at ON consents
  FOR EACH ROW EXECUTE FUNCTION refuse('a consent cannot be changed');
CREATE TRIGGER consents_withdrawn_once BEFORE UPDATE OF withdrawn_at, withdrawn_by, reason_sealed ON consents
  FOR EACH ROW WHEN (OLD.withdrawn_at IS NOT NULL)
  EXECUTE FUNCTION refuse('a withdrawn consent stays withdrawn');
CREATE TRIGGER consents_kept BEFORE DELETE ON consents
  FOR EACH ROW EXECUTE FUNCTION refuse('a consent cannot be removed');
CREATE TRIGGER consents_not_emptied BEFORE TRUNCATE ON consents
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a consent cannot be removed');

CREATE TABLE safeguards (
  ref text COLLATE "C" PRIMARY KEY NOT NULL,
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  type text COLLATE "C" NOT NULL,
  withdrawn_at bigint,
  withdrawn_by text COLLATE "C" REFERENCES accounts (id),
  CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
);
CREATE TRIGGER safeguards_withdrawn_once BEFORE UPDATE OF withdrawn_at, withdrawn_by ON safeguards
  FOR EACH ROW WHEN (OLD.withdrawn_at IS NOT NULL)
  EXECUTE FUNCTION refuse('a withdrawn safeguard stays withdrawn');
CREATE TRIGGER safeguards_kept BEFORE DELETE ON safeguards
  FOR EACH ROW EXECUTE FUNCTION refuse('a safeguard cannot be removed');
CREATE TRIGGER safeguards_not_emptied BEFORE TRUNCATE ON safeguards
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a safeguard cannot be removed');

CREATE TABLE share_grounds (
  share_id text COLLATE "C" NOT NULL REFERENCES shares (id),
  ground text COLLATE "C" NOT NULL,
  PRIMARY KEY (share_id, ground)
);
CREATE INDEX share_grounds_ground ON share_grounds (ground, share_id);
CREATE TRIGGER share_grounds_frozen BEFORE UPDATE OR DELETE ON share_grounds
  FOR EACH ROW EXECUTE FUNCTION refuse('a share cannot be changed');
CREATE TRIGGER share_grounds_not_emptied BEFORE TRUNCATE ON share_grounds
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a share cannot be changed');

CREATE TABLE share_sightings (
  share_id text COLLATE "C" NOT NULL REFERENCES shares (id),
  country text COLLATE "C" NOT NULL,
  first_at bigint NOT NULL,
  PRIMARY KEY (share_id, country)
);
