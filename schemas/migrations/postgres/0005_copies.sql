-- Pseudonymised copies: what the specialist of one share reads instead of the records it names.

ALTER TABLE shares ADD COLUMN pseudonymised boolean NOT NULL DEFAULT false;
DROP TRIGGER shares_frozen ON shares;
CREATE TRIGGER shares_frozen BEFORE UPDATE OF
  id, case_id, organisation_id, created_by, specialist_id, recipient_country, transfer_basis,
  transfer_expires_at, terms_sealed, not_before, expires_at, openings_max, created_at,
  pseudonymised ON shares
  FOR EACH ROW EXECUTE FUNCTION refuse('a share cannot be changed');

ALTER TABLE records ADD COLUMN copy_of text COLLATE "C" REFERENCES records (id);
ALTER TABLE records ADD COLUMN copy_for text COLLATE "C" REFERENCES shares (id);
ALTER TABLE records ADD CONSTRAINT records_copy_whole
  CHECK ((copy_of IS NULL) = (copy_for IS NULL));
CREATE UNIQUE INDEX records_copies ON records (copy_for, copy_of) WHERE copy_for IS NOT NULL;

-- A record stays. A copy goes with its share.
CREATE FUNCTION keep_object() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM records WHERE id = OLD.record_id AND copy_for IS NOT NULL) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'an object cannot be removed' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER records_kept BEFORE DELETE ON records
  FOR EACH ROW WHEN (OLD.copy_for IS NULL) EXECUTE FUNCTION refuse('a record cannot be removed');
CREATE TRIGGER objects_kept BEFORE DELETE ON objects FOR EACH ROW EXECUTE FUNCTION keep_object();
