-- Opinions, their addenda, messages about a share, and declined shares. Columns are documented in
-- schemas/opinion-tables.ts.

CREATE TABLE opinions (
  id TEXT PRIMARY KEY NOT NULL,
  share_id TEXT NOT NULL UNIQUE REFERENCES shares (id),
  case_id TEXT NOT NULL REFERENCES cases (id),
  version INTEGER NOT NULL CHECK (version > 0),
  text_sealed BLOB NOT NULL,
  saved_at INTEGER NOT NULL,
  submitted_at INTEGER,
  signed_sealed BLOB,
  record_id TEXT REFERENCES records (id),
  acknowledged_at INTEGER,
  acknowledged_by TEXT REFERENCES accounts (id),
  CHECK ((submitted_at IS NULL) = (signed_sealed IS NULL)),
  CHECK ((submitted_at IS NULL) = (record_id IS NULL)),
  CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
  CHECK (acknowledged_at IS NULL OR submitted_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX opinions_case ON opinions (case_id);

CREATE TRIGGER opinions_identity BEFORE UPDATE OF id, case_id ON opinions
BEGIN SELECT RAISE (ABORT, 'an opinion stays in its case'); END;
CREATE TRIGGER opinions_newer BEFORE UPDATE OF version ON opinions WHEN NEW.version < OLD.version
BEGIN SELECT RAISE (ABORT, 'an opinion cannot become older'); END;
CREATE TRIGGER opinions_frozen BEFORE UPDATE OF
  share_id, version, text_sealed, saved_at, submitted_at, signed_sealed, record_id ON opinions
WHEN OLD.submitted_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'a submitted opinion cannot be changed'); END;
CREATE TRIGGER opinions_acknowledged_once BEFORE UPDATE OF acknowledged_at, acknowledged_by ON opinions
WHEN OLD.acknowledged_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'an opinion is acknowledged once'); END;
CREATE TRIGGER opinions_kept BEFORE DELETE ON opinions
BEGIN SELECT RAISE (ABORT, 'an opinion cannot be removed'); END;

CREATE TABLE opinion_addenda (
  opinion_id TEXT NOT NULL REFERENCES opinions (id),
  number INTEGER NOT NULL CHECK (number > 0),
  at INTEGER NOT NULL,
  signed_sealed BLOB NOT NULL,
  record_id TEXT NOT NULL REFERENCES records (id),
  PRIMARY KEY (opinion_id, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER opinion_addenda_frozen BEFORE UPDATE ON opinion_addenda
BEGIN SELECT RAISE (ABORT, 'an addendum cannot be changed'); END;
CREATE TRIGGER opinion_addenda_kept BEFORE DELETE ON opinion_addenda
BEGIN SELECT RAISE (ABORT, 'an addendum cannot be changed'); END;

CREATE TABLE share_messages (
  id TEXT PRIMARY KEY NOT NULL,
  share_id TEXT NOT NULL REFERENCES shares (id),
  author_id TEXT NOT NULL REFERENCES accounts (id),
  at INTEGER NOT NULL,
  text_sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX share_messages_share ON share_messages (share_id, id);
CREATE TRIGGER share_messages_frozen BEFORE UPDATE ON share_messages
BEGIN SELECT RAISE (ABORT, 'a message cannot be changed'); END;
CREATE TRIGGER share_messages_kept BEFORE DELETE ON share_messages
BEGIN SELECT RAISE (ABORT, 'a message cannot be changed'); END;

CREATE TABLE share_declines (
  share_id TEXT PRIMARY KEY NOT NULL REFERENCES shares (id),
  at INTEGER NOT NULL,
  reason_sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER share_declines_frozen BEFORE UPDATE ON share_declines
BEGIN SELECT RAISE (ABORT, 'what was declined stays declined'); END;
CREATE TRIGGER share_declines_kept BEFORE DELETE ON share_declines
BEGIN SELECT RAISE (ABORT, 'what was declined stays declined'); END;
