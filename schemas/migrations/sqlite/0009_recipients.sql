-- Age recipients of accounts: what senders encrypt to. The latest of an account is valid; those before
-- it stay, so that it can be told what was valid when.

CREATE TABLE recipients (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  recipient TEXT NOT NULL,
  registered_by TEXT NOT NULL REFERENCES accounts (id),
  registered_at INTEGER NOT NULL
) STRICT;
CREATE INDEX recipients_account ON recipients (account_id, id);
CREATE TRIGGER recipients_frozen BEFORE UPDATE ON recipients
BEGIN SELECT RAISE (ABORT, 'a recipient cannot be changed'); END;
CREATE TRIGGER recipients_kept BEFORE DELETE ON recipients
BEGIN SELECT RAISE (ABORT, 'a recipient cannot be removed'); END;
