-- Opinions, their addenda, messages about a share, and declined shares. Columns are documented in
-- schemas/opinion-tables.ts.

CREATE TABLE opinions (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  share_id text COLLATE "C" NOT NULL UNIQUE REFERENCES shares (id),
  case_id text COLLATE "C" NOT NULL REFERENCES cases (id),
  version bigint NOT NULL CHECK (version > 0),
  text_sealed bytea NOT NULL,
  saved_at bigint NOT NULL,
  submitted_at bigint,
  signed_sealed bytea,
  record_id text COLLATE "C" REFERENCES records (id),
  acknowledged_at bigint,
  acknowledged_by text COLLATE "C" REFERENCES accounts (id),
  CHECK ((submitted_at IS NULL) = (signed_sealed IS NULL)),
  CHECK ((submitted_at IS NULL) = (record_id IS NULL)),
  CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
  CHECK (acknowledged_at IS NULL OR submitted_at IS NOT NULL)
);
CREATE INDEX opinions_case ON opinions (case_id);

CREATE TRIGGER opinions_identity BEFORE UPDATE OF id, case_id ON opinions
  FOR EACH ROW EXECUTE FUNCTION refuse('an opinion stays in its case');
CREATE TRIGGER opinions_newer BEFORE UPDATE OF version ON opinions
  FOR EACH ROW WHEN (NEW.version < OLD.version)
  EXECUTE FUNCTION refuse('an opinion cannot become older');
CREATE TRIGGER opinions_frozen BEFORE UPDATE OF
  share_id, version, text_sealed, saved_at, submitted_at, signed_sealed, record_id ON opinions
  FOR EACH ROW WHEN (OLD.submitted_at IS NOT NULL)
  EXECUTE FUNCTION refuse('a submitted opinion cannot be changed');
CREATE TRIGGER opinions_acknowledged_once BEFORE UPDATE OF acknowledged_at, acknowledged_by ON opinions
  FOR EACH ROW WHEN (OLD.acknowledged_at IS NOT NULL)
  EXECUTE FUNCTION refuse('an opinion is acknowledged once');
CREATE TRIGGER opinions_kept BEFORE DELETE ON opinions
  FOR EACH ROW EXECUTE FUNCTION refuse('an opinion cannot be removed');
CREATE TRIGGER opinions_not_emptied BEFORE TRUNCATE ON opinions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('an opinion cannot be removed');

CREATE TABLE opinion_addenda (
  opinion_id text COLLATE "C" NOT NULL REFERENCES opinions (id),
  number bigint NOT NULL CHECK (number > 0),
  at bigint NOT NULL,
  signed_sealed bytea NOT NULL,
  record_id text COLLATE "C" NOT NULL REFERENCES records (id),
  PRIMARY KEY (opinion_id, number)
);
CREATE TRIGGER opinion_addenda_frozen BEFORE UPDATE OR DELETE ON opinion_addenda
  FOR EACH ROW EXECUTE FUNCTION refuse('an addendum cannot be changed');
CREATE TRIGGER opinion_addenda_not_emptied BEFORE TRUNCATE ON opinion_addenda
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('an addendum cannot be changed');

CREATE TABLE share_messages (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  share_id text COLLATE "C" NOT NULL REFERENCES shares (id),
  author_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  at bigint NOT NULL,
  text_sealed bytea NOT NULL
);
CREATE INDEX share_messages_share ON share_messages (share_id, id);
CREATE TRIGGER share_messages_frozen BEFORE UPDATE OR DELETE ON share_messages
  FOR EACH ROW EXECUTE FUNCTION refuse('a message cannot be changed');
CREATE TRIGGER share_messages_not_emptied BEFORE TRUNCATE ON share_messages
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a message cannot be changed');

CREATE TABLE share_declines (
  share_id text COLLATE "C" PRIMARY KEY NOT NULL REFERENCES shares (id),
  at bigint NOT NULL,
  reason_sealed bytea NOT NULL
);
CREATE TRIGGER share_declines_frozen BEFORE UPDATE OR DELETE ON share_declines
  FOR EACH ROW EXECUTE FUNCTION refuse('what was declined stays declined');
CREATE TRIGGER share_declines_not_emptied BEFORE TRUNCATE ON share_declines
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('what was declined stays declined');
