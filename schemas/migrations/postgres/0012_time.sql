-- Time: more of it for a share, reminders, and invitations that go out by the outbox. Columns are
-- documented in schemas/tables.ts.

-- The share that took the place of another is made in the transaction that ends the other.
ALTER TABLE shares ADD COLUMN replaced_by text COLLATE "C" REFERENCES shares (id) DEFERRABLE INITIALLY DEFERRED
  CHECK (replaced_by IS NULL OR revoked_at IS NOT NULL);
ALTER TABLE shares ADD COLUMN begun_at bigint CHECK (begun_at <= created_at);
CREATE UNIQUE INDEX shares_replaced_by ON shares (replaced_by) WHERE replaced_by IS NOT NULL;
CREATE INDEX shares_unrevoked ON shares (organisation_id, expires_at, id) WHERE revoked_at IS NULL;
CREATE TRIGGER shares_begun_frozen BEFORE UPDATE OF begun_at ON shares
  FOR EACH ROW EXECUTE FUNCTION refuse('a share cannot be changed');
CREATE TRIGGER shares_replaced_once BEFORE UPDATE OF replaced_by ON shares
  FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL)
  EXECUTE FUNCTION refuse('a revoked share stays revoked');

CREATE TABLE more_time (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  share_id text COLLATE "C" NOT NULL REFERENCES shares (id),
  asked_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  asked_at bigint NOT NULL,
  hours bigint CHECK (hours > 0),
  words_sealed bytea,
  answered_at bigint,
  answered_by text COLLATE "C" REFERENCES accounts (id),
  reason_sealed bytea,
  share_given text COLLATE "C" REFERENCES shares (id),
  CHECK ((answered_at IS NULL) = (answered_by IS NULL)),
  CHECK (share_given IS NULL OR (answered_at IS NOT NULL AND reason_sealed IS NULL))
);
CREATE UNIQUE INDEX more_time_waiting ON more_time (share_id) WHERE answered_at IS NULL;
CREATE INDEX more_time_share ON more_time (share_id, id);
CREATE TRIGGER more_time_frozen BEFORE UPDATE OF
  id, share_id, asked_by, asked_at, hours, words_sealed ON more_time
  FOR EACH ROW EXECUTE FUNCTION refuse('what was asked cannot be changed');
CREATE TRIGGER more_time_answered_once BEFORE UPDATE ON more_time
  FOR EACH ROW WHEN (OLD.answered_at IS NOT NULL)
  EXECUTE FUNCTION refuse('an answer cannot be changed');
CREATE TRIGGER more_time_kept BEFORE DELETE ON more_time
  FOR EACH ROW EXECUTE FUNCTION refuse('what was asked cannot be removed');
CREATE TRIGGER more_time_not_emptied BEFORE TRUNCATE ON more_time
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was asked cannot be removed');

ALTER TABLE invitations DROP COLUMN mail_sealed;
ALTER TABLE invitations ADD COLUMN reminded_at bigint;
CREATE INDEX invitations_unanswered ON invitations (expires_at)
  WHERE accepted_at IS NULL AND withdrawn_at IS NULL AND reminded_at IS NULL;

ALTER TABLE notices ADD COLUMN invitation_id text COLLATE "C" REFERENCES invitations (id);
ALTER TABLE notices ADD COLUMN invitation_link_id text COLLATE "C"
  CHECK ((invitation_id IS NULL) = (invitation_link_id IS NULL));
