-- What is in each file, and whether it is of the patient of its case. Columns are documented in
-- schemas/tables.ts. Files stored before have no summary, and nobody can tell whose they are.

ALTER TABLE objects ADD COLUMN summary_sealed bytea;
ALTER TABLE objects ADD COLUMN instance_ref bytea CHECK (length(instance_ref) = 32);

ALTER TABLE records ADD COLUMN patient_match text COLLATE "C" NOT NULL DEFAULT 'cannot-tell'
  CHECK (patient_match IN ('match', 'cannot-tell', 'mismatch'));
ALTER TABLE records ADD COLUMN patient_reason_sealed bytea;
ALTER TABLE records ADD COLUMN patient_confirmed_by text COLLATE "C" REFERENCES accounts (id);
ALTER TABLE records ADD COLUMN patient_confirmed_at bigint
  CHECK ((patient_confirmed_at IS NULL) = (patient_confirmed_by IS NULL)
    AND (patient_confirmed_at IS NULL) = (patient_reason_sealed IS NULL)
    AND (patient_confirmed_at IS NULL OR patient_match = 'mismatch'));

-- What the headers say does not change, and a reason that was stated stands.
CREATE TRIGGER records_patient_match_frozen BEFORE UPDATE OF patient_match ON records
  FOR EACH ROW EXECUTE FUNCTION refuse('the verdict on a record cannot be changed');
CREATE TRIGGER records_patient_confirmed_once
  BEFORE UPDATE OF patient_reason_sealed, patient_confirmed_by, patient_confirmed_at ON records
  FOR EACH ROW WHEN (OLD.patient_confirmed_at IS NOT NULL)
  EXECUTE FUNCTION refuse('a stated reason stands');
