-- Notices by e-mail and webhook. Columns are documented in schemas/tables.ts.

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  created_by TEXT NOT NULL REFERENCES accounts (id),
  slot INTEGER NOT NULL CHECK (slot > 0),
  kinds TEXT NOT NULL,
  url_sealed BLOB,
  secret_sealed BLOB,
  older_secret_sealed BLOB,
  older_secret_until INTEGER,
  created_at INTEGER NOT NULL,
  failing_since INTEGER,
  disabled_at INTEGER,
  disabled_code TEXT,
  removed_at INTEGER,
  CHECK (removed_at IS NULL OR (url_sealed IS NULL AND secret_sealed IS NULL AND older_secret_sealed IS NULL))
) STRICT;
CREATE UNIQUE INDEX webhooks_slots ON webhooks (organisation_id, slot) WHERE removed_at IS NULL;

-- The outbox. Rows are written in the transaction of the act that they tell of.
CREATE TABLE notices (
  id TEXT PRIMARY KEY NOT NULL,
  once TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  channel TEXT NOT NULL CHECK (channel IN ('mail', 'webhook')),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  account_id TEXT REFERENCES accounts (id),
  webhook_id TEXT REFERENCES webhooks (id),
  case_id TEXT,
  share_id TEXT,
  recipient_sealed BLOB,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'given-up', 'dropped')),
  code TEXT,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  next_at INTEGER NOT NULL,
  useful_until INTEGER,
  lease_run TEXT,
  lease_until INTEGER,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  CHECK ((channel = 'webhook') = (webhook_id IS NOT NULL)),
  CHECK ((state = 'sending') = (lease_run IS NOT NULL AND lease_until IS NOT NULL)),
  CHECK ((state IN ('waiting', 'sending')) = (ended_at IS NULL))
) STRICT;
CREATE INDEX notices_due ON notices (channel, state, next_at);
CREATE INDEX notices_organisation ON notices (organisation_id, id);
CREATE INDEX notices_webhook ON notices (webhook_id, id) WHERE webhook_id IS NOT NULL;
CREATE INDEX notices_ended ON notices (ended_at) WHERE ended_at IS NOT NULL;

-- How far the shares have been looked through for those that end.
CREATE TABLE notice_marks (
  name TEXT PRIMARY KEY NOT NULL,
  at INTEGER NOT NULL,
  share_id TEXT NOT NULL
) STRICT;
CREATE INDEX shares_expiry ON shares (expires_at, id) WHERE revoked_at IS NULL;

CREATE TABLE notice_preferences (
  account_id TEXT PRIMARY KEY NOT NULL REFERENCES accounts (id),
  reminders INTEGER NOT NULL CHECK (reminders IN (0, 1)),
  changed_at INTEGER NOT NULL
) STRICT;
