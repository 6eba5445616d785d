-- Ending: legal holds, and what was erased. Columns are documented in schemas/tables.ts.
--
-- An erasure overwrites a wrapped key with nothing, and with it every box whose place in its row is
-- known: title, file names, patient. The rows stay, so that the access log still makes sense. Triggers
-- let nothing else of such a row change, and nothing back in.

-- A hold is put and lifted, and stays on record.
CREATE TABLE legal_holds (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  case_id text COLLATE "C" NOT NULL REFERENCES cases (id),
  put_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  put_at bigint NOT NULL,
  reason_sealed bytea NOT NULL,
  lifted_by text COLLATE "C" REFERENCES accounts (id),
  lifted_at bigint,
  lift_reason_sealed bytea,
  CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
  CHECK ((lifted_at IS NULL) = (lift_reason_sealed IS NULL))
);
CREATE INDEX legal_holds_case ON legal_holds (case_id, id);

CREATE TABLE erasures (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  case_id text COLLATE "C" NOT NULL REFERENCES cases (id),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  scope text COLLATE "C" NOT NULL CHECK (scope IN ('copies', 'case')),
  ground text COLLATE "C" NOT NULL CHECK (ground IN ('retention', 'request')),
  ordered_by text COLLATE "C" REFERENCES accounts (id),
  at bigint NOT NULL,
  policy text COLLATE "C" NOT NULL,
  stayed text COLLATE "C" NOT NULL,
  records bigint NOT NULL CHECK (records >= 0),
  objects bigint NOT NULL CHECK (objects >= 0),
  bytes bigint NOT NULL CHECK (bytes >= 0),
  copies bigint NOT NULL CHECK (copies >= 0),
  manifest bytea NOT NULL CHECK (length(manifest) = 32),
  event_id text COLLATE "C" NOT NULL UNIQUE,
  files_at bigint,
  files_kept bigint NOT NULL CHECK (files_kept >= 0),
  files_due bigint,
  CHECK ((ground = 'request') = (ordered_by IS NOT NULL))
);
CREATE INDEX erasures_case ON erasures (case_id, id);
CREATE INDEX erasures_due ON erasures (files_due) WHERE files_due IS NOT NULL;

CREATE TABLE erased_records (
  record_id text COLLATE "C" PRIMARY KEY NOT NULL REFERENCES records (id),
  erasure_id text COLLATE "C" NOT NULL REFERENCES erasures (id)
);
CREATE INDEX erased_records_erasure ON erased_records (erasure_id, record_id);

CREATE TABLE erased_cases (
  case_id text COLLATE "C" PRIMARY KEY NOT NULL REFERENCES cases (id),
  erasure_id text COLLATE "C" NOT NULL REFERENCES erasures (id)
);

CREATE TABLE case_retention (
  case_id text COLLATE "C" PRIMARY KEY NOT NULL REFERENCES cases (id),
  look_at bigint NOT NULL,
  audit_erased_at bigint
);
CREATE INDEX case_requests_closed ON case_requests (closed_at, case_id) WHERE closed_at IS NOT NULL;

CREATE TRIGGER legal_holds_frozen BEFORE UPDATE OF id, case_id, put_by, put_at, reason_sealed ON legal_holds
  FOR EACH ROW EXECUTE FUNCTION refuse('a hold cannot be changed');
CREATE TRIGGER legal_holds_lifted_once BEFORE UPDATE OF lifted_by, lifted_at, lift_reason_sealed ON legal_holds
  FOR EACH ROW WHEN (OLD.lifted_at IS NOT NULL) EXECUTE FUNCTION refuse('a hold is lifted once');
CREATE TRIGGER legal_holds_kept BEFORE DELETE ON legal_holds
  FOR EACH ROW EXECUTE FUNCTION refuse('a hold cannot be removed');
CREATE TRIGGER legal_holds_not_emptied BEFORE TRUNCATE ON legal_holds
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a hold cannot be removed');

CREATE FUNCTION keep_held_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM legal_holds WHERE case_id = NEW.case_id AND lifted_at IS NULL) THEN
    RAISE EXCEPTION 'the case is held' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER erasures_held BEFORE INSERT ON erasures
  FOR EACH ROW EXECUTE FUNCTION keep_held_case();
CREATE TRIGGER erasures_frozen BEFORE UPDATE OF id, case_id, organisation_id, scope, ground, ordered_by,
  at, policy, stayed, records, objects, bytes, copies, manifest, event_id ON erasures
  FOR EACH ROW EXECUTE FUNCTION refuse('what was erased cannot be changed');
CREATE TRIGGER erasures_kept BEFORE DELETE ON erasures
  FOR EACH ROW EXECUTE FUNCTION refuse('what was erased cannot be changed');
CREATE TRIGGER erasures_not_emptied BEFORE TRUNCATE ON erasures
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was erased cannot be changed');
CREATE TRIGGER erased_records_frozen BEFORE UPDATE OR DELETE ON erased_records
  FOR EACH ROW EXECUTE FUNCTION refuse('what was erased cannot be changed');
CREATE TRIGGER erased_records_not_emptied BEFORE TRUNCATE ON erased_records
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was erased cannot be changed');
CREATE TRIGGER erased_cases_frozen BEFORE UPDATE OR DELETE ON erased_cases
  FOR EACH ROW EXECUTE FUNCTION refuse('what was erased cannot be changed');
CREATE TRIGGER erased_cases_not_emptied BEFORE TRUNCATE ON erased_cases
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was erased cannot be changed');

-- A key is wrapped anew by the owner of the tables alone; the service may only let it go for good,
-- together with what its row keeps under it.
CREATE FUNCTION is_owner_of(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE pg_class.oid = relation
$$;
CREATE FUNCTION keep_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF length(OLD.wrapped_key) > 0 THEN
    IF length(NEW.wrapped_key) > 0 THEN
      IF NEW.details_sealed = OLD.details_sealed AND is_owner_of(TG_RELID) THEN RETURN NEW; END IF;
    ELSIF length(NEW.details_sealed) = 0
      AND EXISTS (SELECT 1 FROM erased_records WHERE record_id = OLD.id) THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'a record is changed by an erasure alone'
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER records_erased_once BEFORE UPDATE OF wrapped_key, details_sealed ON records
  FOR EACH ROW EXECUTE FUNCTION keep_record();
DROP TRIGGER records_patient_confirmed_once ON records;
CREATE FUNCTION keep_confirmation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF length(NEW.patient_reason_sealed) = 0
    AND NEW.patient_confirmed_by = OLD.patient_confirmed_by
    AND NEW.patient_confirmed_at = OLD.patient_confirmed_at
    AND EXISTS (SELECT 1 FROM erased_records WHERE record_id = OLD.id) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a stated reason stands' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER records_patient_confirmed_once
  BEFORE UPDATE OF patient_reason_sealed, patient_confirmed_by, patient_confirmed_at ON records
  FOR EACH ROW WHEN (OLD.patient_confirmed_at IS NOT NULL) EXECUTE FUNCTION keep_confirmation();
CREATE FUNCTION keep_object_fields() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF length(NEW.name_sealed) = 0 AND coalesce(length(NEW.layout_sealed), 0) = 0
    AND NEW.summary_sealed IS NULL AND NEW.instance_ref IS NULL
    AND EXISTS (SELECT 1 FROM erased_records WHERE record_id = OLD.record_id) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'an object is changed by an erasure alone'
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER objects_erased_once
  BEFORE UPDATE OF name_sealed, layout_sealed, summary_sealed, instance_ref ON objects
  FOR EACH ROW EXECUTE FUNCTION keep_object_fields();
CREATE FUNCTION keep_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF length(NEW.wrapped_key) > 0 THEN
    IF length(OLD.wrapped_key) > 0 AND NEW.details_sealed = OLD.details_sealed
      AND NEW.patient_ref = OLD.patient_ref AND is_owner_of(TG_RELID) THEN
      RETURN NEW;
    END IF;
  ELSIF length(NEW.details_sealed) = 0
    AND (NEW.patient_ref = OLD.patient_ref OR length(NEW.patient_ref) = 0)
    AND EXISTS (SELECT 1 FROM erased_cases WHERE case_id = OLD.id) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a case is changed by an erasure alone'
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER cases_erased_once BEFORE UPDATE OF wrapped_key, details_sealed, patient_ref ON cases
  FOR EACH ROW EXECUTE FUNCTION keep_case();
-- Nothing comes into a case whose key is gone.
CREATE FUNCTION keep_erased_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM erased_cases WHERE case_id = NEW.case_id) THEN
    RAISE EXCEPTION 'the case is erased' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER records_of_erased_case BEFORE INSERT ON records
  FOR EACH ROW EXECUTE FUNCTION keep_erased_case();
