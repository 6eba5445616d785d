-- Notices by e-mail and webhook. Columns are documented in schemas/tables.ts.

CREATE TABLE webhooks (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  created_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  slot bigint NOT NULL CHECK (slot > 0),
  kinds text COLLATE "C" NOT NULL,
  url_sealed bytea,
  secret_sealed bytea,
  older_secret_sealed bytea,
  older_secret_until bigint,
  created_at bigint NOT NULL,
  failing_since bigint,
  disabled_at bigint,
  disabled_code text COLLATE "C",
  removed_at bigint,
  CHECK (removed_at IS NULL OR (url_sealed IS NULL AND secret_sealed IS NULL AND older_secret_sealed IS NULL))
);
CREATE UNIQUE INDEX webhooks_slots ON webhooks (organisation_id, slot) WHERE removed_at IS NULL;

-- The outbox. Rows are written in the transaction of the act that they tell of.
CREATE TABLE notices (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  once text COLLATE "C" NOT NULL UNIQUE,
  kind text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL CHECK (channel IN ('mail', 'webhook')),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  account_id text COLLATE "C" REFERENCES accounts (id),
  webhook_id text COLLATE "C" REFERENCES webhooks (id),
  case_id text COLLATE "C",
  share_id text COLLATE "C",
  recipient_sealed bytea,
  state text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'given-up', 'dropped')),
  code text COLLATE "C",
  attempts bigint NOT NULL CHECK (attempts >= 0),
  next_at bigint NOT NULL,
  useful_until bigint,
  lease_run text COLLATE "C",
  lease_until bigint,
  created_at bigint NOT NULL,
  ended_at bigint,
  CHECK ((channel = 'webhook') = (webhook_id IS NOT NULL)),
  CHECK ((state = 'sending') = (lease_run IS NOT NULL AND lease_until IS NOT NULL)),
  CHECK ((state IN ('waiting', 'sending')) = (ended_at IS NULL))
);
CREATE INDEX notices_due ON notices (channel, state, next_at);
CREATE INDEX notices_organisation ON notices (organisation_id, id);
CREATE INDEX notices_webhook ON notices (webhook_id, id) WHERE webhook_id IS NOT NULL;
CREATE INDEX notices_ended ON notices (ended_at) WHERE ended_at IS NOT NULL;

-- How far the shares have been looked through for those that end.
CREATE TABLE notice_marks (
  name text COLLATE "C" PRIMARY KEY NOT NULL,
  at bigint NOT NULL,
  share_id text COLLATE "C" NOT NULL
);
CREATE INDEX shares_expiry ON shares (expires_at, id) WHERE revoked_at IS NULL;

CREATE TABLE notice_preferences (
  account_id text COLLATE "C" PRIMARY KEY NOT NULL REFERENCES accounts (id),
  reminders boolean NOT NULL,
  changed_at bigint NOT NULL
);
