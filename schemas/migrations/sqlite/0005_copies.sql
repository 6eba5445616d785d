-- Pseudonymised copies: what the specialist of one share reads instead of the records it names.

ALTER TABLE shares ADD COLUMN pseudonymised INTEGER NOT NULL DEFAULT 0
  CHECK (pseudonymised IN (0, 1));
DROP TRIGGER shares_frozen;
CREATE TRIGGER shares_frozen BEFORE UPDATE OF
  id, case_id, organisation_id, created_by, specialist_id, recipient_country, transfer_basis,
  transfer_expires_at, terms_sealed, not_before, expires_at, openings_max, created_at,
  pseudonymised ON shares
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;

ALTER TABLE records ADD COLUMN copy_of TEXT REFERENCES records (id);
ALTER TABLE records ADD COLUMN copy_for TEXT REFERENCES shares (id)
  CHECK ((copy_of IS NULL) = (copy_for IS NULL));
CREATE UNIQUE INDEX records_copies ON records (copy_for, copy_of) WHERE copy_for IS NOT NULL;

-- A record stays. A copy goes with its share.
CREATE TRIGGER records_kept BEFORE DELETE ON records WHEN OLD.copy_for IS NULL
BEGIN SELECT RAISE (ABORT, 'a record cannot be removed'); END;
CREATE TRIGGER objects_kept BEFORE DELETE ON objects
WHEN NOT EXISTS (SELECT 1 FROM records WHERE id = OLD.record_id AND copy_for IS NOT NULL)
BEGIN SELECT RAISE (ABORT, 'an object cannot be removed'); END;
