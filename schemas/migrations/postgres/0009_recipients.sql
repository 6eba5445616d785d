-- Age recipients of accounts: what senders encrypt to. The latest of an account is valid; those before
-- it stay, so that it can be told what was valid when.

CREATE TABLE recipients (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  recipient text COLLATE "C" NOT NULL,
  registered_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  registered_at bigint NOT NULL
);
CREATE INDEX recipients_account ON recipients (account_id, id);
CREATE TRIGGER recipients_frozen BEFORE UPDATE OR DELETE ON recipients
  FOR EACH ROW EXECUTE FUNCTION refuse('a recipient cannot be changed');
CREATE TRIGGER recipients_not_emptied BEFORE TRUNCATE ON recipients
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('a recipient cannot be changed');
