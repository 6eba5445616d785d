-- The whole exchange. Columns are documented in schemas/tables.ts. Text compares byte by byte, as in
-- SQLite and JavaScript: ids are ordered by it. Class 23 of SQLSTATE is what constraints raise too.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TABLE organisations (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  name text COLLATE "C" NOT NULL,
  ods_code text COLLATE "C" UNIQUE,
  country text COLLATE "C" NOT NULL CHECK (length(country) = 2),
  created_at bigint NOT NULL
);

CREATE TABLE accounts (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  role text COLLATE "C" NOT NULL CHECK (role IN ('clinician', 'specialist', 'auditor', 'administrator')),
  country text COLLATE "C" NOT NULL CHECK (length(country) = 2),
  profile_sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  disabled_at bigint
);

CREATE TABLE identities (
  issuer text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  created_at bigint NOT NULL,
  PRIMARY KEY (issuer, subject)
);

CREATE TABLE clients (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  jwks text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  disabled_at bigint
);

-- Lets readers keep an account in memory: it has not changed while this count has not.
CREATE TABLE directory_changes (
  id bigint PRIMARY KEY NOT NULL CHECK (id = 1),
  changes bigint NOT NULL
);
INSERT INTO directory_changes VALUES (1, 0);
-- With the rights of its owner, so that the service itself cannot set the count.
CREATE FUNCTION count_directory_change() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE directory_changes SET changes = changes + 1;
  RETURN NULL;
END $$;
CREATE TRIGGER accounts_counted AFTER INSERT OR UPDATE OR DELETE ON accounts
  FOR EACH STATEMENT EXECUTE FUNCTION count_directory_change();
CREATE TRIGGER identities_counted AFTER INSERT OR UPDATE OR DELETE ON identities
  FOR EACH STATEMENT EXECUTE FUNCTION count_directory_change();
CREATE TRIGGER clients_counted AFTER INSERT OR UPDATE OR DELETE ON clients
  FOR EACH STATEMENT EXECUTE FUNCTION count_directory_change();

CREATE TABLE oidc_payloads (
  model text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  payload text COLLATE "C" NOT NULL,
  grant_id text COLLATE "C",
  uid text COLLATE "C",
  user_code text COLLATE "C",
  expires_at bigint,
  consumed_at bigint,
  PRIMARY KEY (model, id)
);
CREATE INDEX oidc_payloads_grant ON oidc_payloads (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oidc_payloads_expiry ON oidc_payloads (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE service_keys (
  purpose text COLLATE "C" PRIMARY KEY NOT NULL,
  wrapped_key bytea NOT NULL,
  created_at bigint NOT NULL
);

CREATE TABLE cases (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  created_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  wrapped_key bytea NOT NULL,
  details_sealed bytea NOT NULL,
  patient_ref bytea NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX cases_organisation ON cases (organisation_id, id);
CREATE INDEX cases_patient ON cases (patient_ref, organisation_id, id);

CREATE TABLE records (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  case_id text COLLATE "C" NOT NULL REFERENCES cases (id),
  kind text COLLATE "C" NOT NULL,
  wrapped_key bytea NOT NULL,
  details_sealed bytea NOT NULL,
  object_count bigint NOT NULL CHECK (object_count > 0),
  bytes bigint NOT NULL CHECK (bytes > 0),
  created_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  created_at bigint NOT NULL
);
CREATE INDEX records_case ON records (case_id, id);

CREATE TABLE objects (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  record_id text COLLATE "C" NOT NULL REFERENCES records (id),
  position bigint NOT NULL,
  blob text COLLATE "C" NOT NULL UNIQUE,
  format text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  end_to_end boolean NOT NULL,
  bytes bigint NOT NULL CHECK (bytes > 0),
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  name_sealed bytea NOT NULL,
  UNIQUE (record_id, position)
);

CREATE TABLE shares (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  case_id text COLLATE "C" NOT NULL REFERENCES cases (id),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  created_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  specialist_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  recipient_country text COLLATE "C" NOT NULL CHECK (length(recipient_country) = 2),
  transfer_basis text COLLATE "C" NOT NULL,
  transfer_expires_at bigint,
  terms_sealed bytea NOT NULL,
  not_before bigint NOT NULL,
  expires_at bigint NOT NULL CHECK (expires_at > not_before),
  openings_max bigint CHECK (openings_max > 0),
  openings bigint NOT NULL DEFAULT 0 CHECK (openings >= 0 AND (openings_max IS NULL OR openings <= openings_max)),
  open_until bigint,
  revoked_at bigint,
  revoked_by text COLLATE "C" REFERENCES accounts (id),
  created_at bigint NOT NULL,
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX shares_case ON shares (case_id, id);
CREATE INDEX shares_organisation ON shares (organisation_id, id);
CREATE INDEX shares_specialist ON shares (specialist_id, id);

CREATE TABLE share_records (
  share_id text COLLATE "C" NOT NULL REFERENCES shares (id),
  record_id text COLLATE "C" NOT NULL REFERENCES records (id),
  position bigint NOT NULL,
  PRIMARY KEY (share_id, record_id)
);

-- A share is frozen once made: only its counters and its end may change, and its end only once.
CREATE TRIGGER shares_frozen BEFORE UPDATE OF
  id, case_id, organisation_id, created_by, specialist_id, recipient_country, transfer_basis,
  transfer_expires_at, terms_sealed, not_before, expires_at, openings_max, created_at ON shares
  FOR EACH ROW EXECUTE FUNCTION refuse('a share cannot be changed');
CREATE TRIGGER shares_revoked_once BEFORE UPDATE OF revoked_at, revoked_by ON shares
  FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL)
  EXECUTE FUNCTION refuse('a revoked share stays revoked');
CREATE TRIGGER shares_kept BEFORE DELETE ON shares
  FOR EACH ROW EXECUTE FUNCTION refuse('a share cannot be removed');
CREATE TRIGGER shares_not_emptied BEFORE TRUNCATE ON shares
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a share cannot be removed');
CREATE TRIGGER share_records_frozen BEFORE UPDATE OR DELETE ON share_records
  FOR EACH ROW EXECUTE FUNCTION refuse('a share cannot be changed');
CREATE TRIGGER share_records_not_emptied BEFORE TRUNCATE ON share_records
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a share cannot be changed');

-- The access log. A row comes here from audit_pending, when its place in the tree is known. Ids grow with
-- time, so an index that ends in the id serves pages and times. Those of rare events are partial.
CREATE TABLE audit_events (
  idx bigint PRIMARY KEY NOT NULL,
  id text COLLATE "C" NOT NULL UNIQUE,
  at bigint NOT NULL,
  action text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  code text COLLATE "C",
  organisation_id text COLLATE "C",
  actor_id text COLLATE "C",
  actor_organisation_id text COLLATE "C",
  case_id text COLLATE "C",
  record_id text COLLATE "C",
  object_id text COLLATE "C",
  share_id text COLLATE "C",
  patient_ref bytea,
  recipient_country text COLLATE "C",
  grant_id text COLLATE "C",
  bytes_handed_over bigint,
  leaf bytea NOT NULL CHECK (length(leaf) <= 1024),
  details_sealed bytea
);
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
  FOR EACH ROW EXECUTE FUNCTION refuse('the access log cannot be changed');
-- What an erasure leaves: the leaf, which names nobody, and so the proof.
CREATE TRIGGER audit_events_erase_only BEFORE UPDATE OF patient_ref, details_sealed ON audit_events
  FOR EACH ROW WHEN (NEW.patient_ref IS NOT NULL OR NEW.details_sealed IS NOT NULL)
  EXECUTE FUNCTION refuse('the access log cannot be changed');
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
  FOR EACH ROW EXECUTE FUNCTION refuse('the access log cannot be changed');
CREATE TRIGGER audit_events_not_emptied BEFORE TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('the access log cannot be changed');

-- Events that are on the log and wait for their place, in the order in which they were written: what
-- one transaction could see of another has the smaller number. Rows come and go, so old ones are
-- cleared away by their number and not by their share.
CREATE TABLE audit_pending (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  action text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  code text COLLATE "C",
  organisation_id text COLLATE "C",
  actor_id text COLLATE "C",
  actor_organisation_id text COLLATE "C",
  case_id text COLLATE "C",
  record_id text COLLATE "C",
  object_id text COLLATE "C",
  share_id text COLLATE "C",
  patient_ref bytea,
  recipient_country text COLLATE "C",
  grant_id text COLLATE "C",
  bytes_handed_over bigint,
  leaf bytea NOT NULL CHECK (length(leaf) <= 1024),
  details_sealed bytea
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE TRIGGER audit_pending_no_update BEFORE UPDATE ON audit_pending
  FOR EACH ROW EXECUTE FUNCTION refuse('the access log cannot be changed');

CREATE TABLE audit_share_counts (
  share_id text COLLATE "C" PRIMARY KEY NOT NULL,
  events bigint NOT NULL CHECK (events > 0)
);

CREATE TABLE audit_head (
  id bigint PRIMARY KEY NOT NULL CHECK (id = 1),
  size bigint NOT NULL CHECK (size >= 0),
  checked_at bigint NOT NULL
);
INSERT INTO audit_head VALUES (1, 0, 0);
CREATE TRIGGER audit_head_grows BEFORE UPDATE OF size ON audit_head
  FOR EACH ROW WHEN (NEW.size < OLD.size)
  EXECUTE FUNCTION refuse('the access log cannot shrink');

-- Gives at most events_max waiting events their places after the last, and says how many. Whoever
-- runs it holds the head until their transaction ends, so there is one at a time, no place is given
-- twice and none is left out; what fails is as if it had never begun. With the rights of its owner:
-- the service itself may neither remove what waits nor choose a place.
CREATE FUNCTION place_audit_events(events_max integer) RETURNS bigint LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  next bigint;
  placed bigint;
BEGIN
  PERFORM 1 FROM audit_head WHERE audit_head.id = 1 FOR UPDATE;
  SELECT coalesce(max(idx) + 1, 0) INTO next FROM audit_events;
  WITH taken AS (
    DELETE FROM audit_pending
    WHERE audit_pending.seq IN (
      SELECT waiting.seq FROM audit_pending AS waiting ORDER BY waiting.seq LIMIT events_max)
    RETURNING *)
  INSERT INTO audit_events (idx, id, at, action, outcome, code, organisation_id, actor_id, actor_organisation_id,
      case_id, record_id, object_id, share_id, patient_ref, recipient_country, grant_id,
      bytes_handed_over, leaf, details_sealed)
  SELECT next + row_number() OVER (ORDER BY seq) - 1, id, at, action, outcome, code, organisation_id, actor_id, actor_organisation_id,
      case_id, record_id, object_id, share_id, patient_ref, recipient_country, grant_id,
      bytes_handed_over, leaf, details_sealed
  FROM taken;
  GET DIAGNOSTICS placed = ROW_COUNT;
  RETURN placed;
END $$;
REVOKE EXECUTE ON FUNCTION place_audit_events(integer) FROM PUBLIC;

CREATE TABLE audit_tiles (
  level bigint NOT NULL,
  idx bigint NOT NULL,
  hashes bytea NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192),
  PRIMARY KEY (level, idx)
);

CREATE TABLE audit_checkpoint (
  id bigint PRIMARY KEY NOT NULL CHECK (id = 1),
  size bigint NOT NULL,
  note text COLLATE "C" NOT NULL,
  signed_at bigint NOT NULL
);

CREATE TABLE audit_cosignatures (
  witness text COLLATE "C" PRIMARY KEY NOT NULL,
  size bigint NOT NULL,
  lines text COLLATE "C" NOT NULL,
  at bigint NOT NULL
);

-- A share is whole once its making is on the log, which is in the transaction that makes it.
CREATE FUNCTION refuse_whole_share() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM audit_share_counts WHERE share_id = NEW.share_id) THEN
    RAISE EXCEPTION 'a share cannot be changed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER share_records_whole BEFORE INSERT ON share_records
  FOR EACH ROW EXECUTE FUNCTION refuse_whole_share();

CREATE TABLE open_disclosures (
  grant_id text COLLATE "C" PRIMARY KEY NOT NULL,
  run text COLLATE "C" NOT NULL,
  at bigint NOT NULL
);

CREATE UNLOGGED TABLE refusal_counts (
  minute bigint NOT NULL,
  key bytea NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (minute, key)
);
