-- What the malware scanner says of each object. Whoever adds an object without saying anything has
-- it scanned: it is pending, and due at once. That the service has no scanner is not written down.
ALTER TABLE objects ADD COLUMN scan text COLLATE "C" NOT NULL DEFAULT 'pending'
  CHECK (scan IN ('pending', 'clean', 'infected', 'not-scanned'));
ALTER TABLE objects ADD COLUMN scan_reason text COLLATE "C"
  CHECK ((scan_reason IS NOT NULL) = (scan = 'not-scanned')
    AND scan_reason IN ('too-large', 'timed-out', 'scanner-down', 'end-to-end'));
ALTER TABLE objects ADD COLUMN scan_signature text COLLATE "C"
  CHECK ((scan_signature IS NOT NULL) = (scan = 'infected'));
ALTER TABLE objects ADD COLUMN scan_at bigint;
ALTER TABLE objects ADD COLUMN scan_due bigint DEFAULT 0;
ALTER TABLE objects ADD COLUMN scan_tries bigint NOT NULL DEFAULT 0;

-- The newest of those that were never tried come first.
CREATE INDEX objects_scan_due ON objects (scan_due, id DESC) WHERE scan_due IS NOT NULL;
CREATE INDEX objects_not_clean ON objects (record_id, scan) WHERE scan <> 'clean';

-- Nobody clears an infected file, and its verdict is no other's.
CREATE TRIGGER objects_infected_stays BEFORE UPDATE OF scan, scan_reason, scan_signature, scan_at
  ON objects FOR EACH ROW WHEN (OLD.scan = 'infected')
  EXECUTE FUNCTION refuse('an infected file stays infected');
