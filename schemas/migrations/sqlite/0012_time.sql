-- Time: more of it for a share, reminders, and invitations that go out by the outbox. Columns are
-- documented in schemas/tables.ts.

-- The share that took the place of another is made in the transaction that ends the other.
ALTER TABLE shares ADD COLUMN replaced_by TEXT REFERENCES shares (id) DEFERRABLE INITIALLY DEFERRED
  CHECK (replaced_by IS NULL OR revoked_at IS NOT NULL);
ALTER TABLE shares ADD COLUMN begun_at INTEGER CHECK (begun_at <= created_at);
CREATE UNIQUE INDEX shares_replaced_by ON shares (replaced_by) WHERE replaced_by IS NOT NULL;
CREATE INDEX shares_unrevoked ON shares (organisation_id, expires_at, id) WHERE revoked_at IS NULL;
CREATE TRIGGER shares_begun_frozen BEFORE UPDATE OF begun_at ON shares
BEGIN SELECT RAISE (ABORT, 'a share cannot be changed'); END;
CREATE TRIGGER shares_replaced_once BEFORE UPDATE OF replaced_by ON shares
WHEN OLD.revoked_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'a revoked share stays revoked'); END;

CREATE TABLE more_time (
  id TEXT PRIMARY KEY NOT NULL,
  share_id TEXT NOT NULL REFERENCES shares (id),
  asked_by TEXT NOT NULL REFERENCES accounts (id),
  asked_at INTEGER NOT NULL,
  hours INTEGER CHECK (hours > 0),
  words_sealed BLOB,
  answered_at INTEGER,
  answered_by TEXT REFERENCES accounts (id),
  reason_sealed BLOB,
  share_given TEXT REFERENCES shares (id),
  CHECK ((answered_at IS NULL) = (answered_by IS NULL)),
  CHECK (share_given IS NULL OR (answered_at IS NOT NULL AND reason_sealed IS NULL))
) STRICT;
CREATE UNIQUE INDEX more_time_waiting ON more_time (share_id) WHERE answered_at IS NULL;
CREATE INDEX more_time_share ON more_time (share_id, id);
CREATE TRIGGER more_time_frozen BEFORE UPDATE OF
  id, share_id, asked_by, asked_at, hours, words_sealed ON more_time
BEGIN SELECT RAISE (ABORT, 'what was asked cannot be changed'); END;
CREATE TRIGGER more_time_answered_once BEFORE UPDATE ON more_time
WHEN OLD.answered_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'an answer cannot be changed'); END;
CREATE TRIGGER more_time_kept BEFORE DELETE ON more_time
BEGIN SELECT RAISE (ABORT, 'what was asked cannot be removed'); END;

ALTER TABLE invitations DROP COLUMN mail_sealed;
ALTER TABLE invitations ADD COLUMN reminded_at INTEGER;
CREATE INDEX invitations_unanswered ON invitations (expires_at)
  WHERE accepted_at IS NULL AND withdrawn_at IS NULL AND reminded_at IS NULL;

ALTER TABLE notices ADD COLUMN invitation_id TEXT REFERENCES invitations (id);
ALTER TABLE notices ADD COLUMN invitation_link_id TEXT
  CHECK ((invitation_id IS NULL) = (invitation_link_id IS NULL));
