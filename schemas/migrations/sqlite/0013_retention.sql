-- Ending: legal holds, and what was erased. Columns are documented in schemas/tables.ts.
--
-- An erasure overwrites a wrapped key with nothing, and with it every box whose place in its row is
-- known: title, file names, patient. The rows stay, so that the access log still makes sense. Triggers
-- let nothing else of such a row change, and nothing back in.

-- A hold is put and lifted, and stays on record.
CREATE TABLE legal_holds (
  id TEXT PRIMARY KEY NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  put_by TEXT NOT NULL REFERENCES accounts (id),
  put_at INTEGER NOT NULL,
  reason_sealed BLOB NOT NULL,
  lifted_by TEXT REFERENCES accounts (id),
  lifted_at INTEGER,
  lift_reason_sealed BLOB,
  CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
  CHECK ((lifted_at IS NULL) = (lift_reason_sealed IS NULL))
) STRICT;
CREATE INDEX legal_holds_case ON legal_holds (case_id, id);

CREATE TABLE erasures (
  id TEXT PRIMARY KEY NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  scope TEXT NOT NULL CHECK (scope IN ('copies', 'case')),
  ground TEXT NOT NULL CHECK (ground IN ('retention', 'request')),
  ordered_by TEXT REFERENCES accounts (id),
  at INTEGER NOT NULL,
  policy TEXT NOT NULL,
  stayed TEXT NOT NULL,
  records INTEGER NOT NULL CHECK (records >= 0),
  objects INTEGER NOT NULL CHECK (objects >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  copies INTEGER NOT NULL CHECK (copies >= 0),
  manifest BLOB NOT NULL CHECK (length(manifest) = 32),
  event_id TEXT NOT NULL UNIQUE,
  files_at INTEGER,
  files_kept INTEGER NOT NULL CHECK (files_kept >= 0),
  files_due INTEGER,
  CHECK ((ground = 'request') = (ordered_by IS NOT NULL))
) STRICT;
CREATE INDEX erasures_case ON erasures (case_id, id);
CREATE INDEX erasures_due ON erasures (files_due) WHERE files_due IS NOT NULL;

CREATE TABLE erased_records (
  record_id TEXT PRIMARY KEY NOT NULL REFERENCES records (id),
  erasure_id TEXT NOT NULL REFERENCES erasures (id)
) STRICT;
CREATE INDEX erased_records_erasure ON erased_records (erasure_id, record_id);

CREATE TABLE erased_cases (
  case_id TEXT PRIMARY KEY NOT NULL REFERENCES cases (id),
  erasure_id TEXT NOT NULL REFERENCES erasures (id)
) STRICT;

CREATE TABLE case_retention (
  case_id TEXT PRIMARY KEY NOT NULL REFERENCES cases (id),
  look_at INTEGER NOT NULL,
  audit_erased_at INTEGER
) STRICT;
CREATE INDEX case_requests_closed ON case_requests (closed_at, case_id) WHERE closed_at IS NOT NULL;

CREATE TRIGGER legal_holds_frozen BEFORE UPDATE OF id, case_id, put_by, put_at, reason_sealed ON legal_holds
BEGIN SELECT RAISE (ABORT, 'a hold cannot be changed'); END;
CREATE TRIGGER legal_holds_lifted_once BEFORE UPDATE OF lifted_by, lifted_at, lift_reason_sealed ON legal_holds
WHEN OLD.lifted_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'a hold is lifted once'); END;
CREATE TRIGGER legal_holds_kept BEFORE DELETE ON legal_holds
BEGIN SELECT RAISE (ABORT, 'a hold cannot be removed'); END;

CREATE TRIGGER erasures_held BEFORE INSERT ON erasures
WHEN EXISTS (SELECT 1 FROM legal_holds WHERE case_id = NEW.case_id AND lifted_at IS NULL)
BEGIN SELECT RAISE (ABORT, 'the case is held'); END;
CREATE TRIGGER erasures_frozen BEFORE UPDATE OF id, case_id, organisation_id, scope, ground, ordered_by,
  at, policy, stayed, records, objects, bytes, copies, manifest, event_id ON erasures
BEGIN SELECT RAISE (ABORT, 'what was erased cannot be changed'); END;
CREATE TRIGGER erasures_kept BEFORE DELETE ON erasures
BEGIN SELECT RAISE (ABORT, 'what was erased cannot be changed'); END;
CREATE TRIGGER erased_records_frozen BEFORE UPDATE ON erased_records
BEGIN SELECT RAISE (ABORT, 'what was erased cannot be changed'); END;
CREATE TRIGGER erased_records_kept BEFORE DELETE ON erased_records
BEGIN SELECT RAISE (ABORT, 'what was erased cannot be changed'); END;
CREATE TRIGGER erased_cases_frozen BEFORE UPDATE ON erased_cases
BEGIN SELECT RAISE (ABORT, 'what was erased cannot be changed'); END;
CREATE TRIGGER erased_cases_kept BEFORE DELETE ON erased_cases
BEGIN SELECT RAISE (ABORT, 'what was erased cannot be changed'); END;

-- A key is wrapped anew, or goes for good together with what its row keeps under it.
CREATE TRIGGER records_erased_once BEFORE UPDATE OF wrapped_key, details_sealed ON records
WHEN length(OLD.wrapped_key) = 0
  OR (length(NEW.wrapped_key) > 0 AND NEW.details_sealed <> OLD.details_sealed)
  OR (length(NEW.wrapped_key) = 0 AND (length(NEW.details_sealed) > 0
    OR NOT EXISTS (SELECT 1 FROM erased_records WHERE record_id = OLD.id)))
BEGIN SELECT RAISE (ABORT, 'a record is changed by an erasure alone'); END;
DROP TRIGGER records_patient_confirmed_once;
CREATE TRIGGER records_patient_confirmed_once
BEFORE UPDATE OF patient_reason_sealed, patient_confirmed_by, patient_confirmed_at ON records
WHEN OLD.patient_confirmed_at IS NOT NULL AND NOT (coalesce(length(NEW.patient_reason_sealed), 1) = 0
  AND NEW.patient_confirmed_by IS OLD.patient_confirmed_by
  AND NEW.patient_confirmed_at IS OLD.patient_confirmed_at
  AND EXISTS (SELECT 1 FROM erased_records WHERE record_id = OLD.id))
BEGIN SELECT RAISE (ABORT, 'a stated reason stands'); END;
CREATE TRIGGER objects_erased_once
BEFORE UPDATE OF name_sealed, layout_sealed, summary_sealed, instance_ref ON objects
WHEN length(NEW.name_sealed) > 0 OR length(NEW.layout_sealed) > 0 OR NEW.summary_sealed IS NOT NULL
  OR NEW.instance_ref IS NOT NULL
  OR NOT EXISTS (SELECT 1 FROM erased_records WHERE record_id = OLD.record_id)
BEGIN SELECT RAISE (ABORT, 'an object is changed by an erasure alone'); END;
CREATE TRIGGER cases_erased_once BEFORE UPDATE OF wrapped_key, details_sealed, patient_ref ON cases
WHEN (NEW.patient_ref <> OLD.patient_ref AND length(NEW.patient_ref) > 0)
  OR (length(OLD.wrapped_key) = 0
    AND (length(NEW.wrapped_key) > 0 OR NEW.details_sealed <> OLD.details_sealed))
  OR (length(NEW.wrapped_key) > 0
    AND (NEW.details_sealed <> OLD.details_sealed OR NEW.patient_ref <> OLD.patient_ref))
  OR (length(NEW.wrapped_key) = 0 AND (length(NEW.details_sealed) > 0
    OR NOT EXISTS (SELECT 1 FROM erased_cases WHERE case_id = OLD.id)))
BEGIN SELECT RAISE (ABORT, 'a case is changed by an erasure alone'); END;
-- Nothing comes into a case whose key is gone.
CREATE TRIGGER records_of_erased_case BEFORE INSERT ON records
WHEN EXISTS (SELECT 1 FROM erased_cases WHERE case_id = NEW.case_id)
BEGIN SELECT RAISE (ABORT, 'the case is erased'); END;
