-- Which organisation runs this exchange, and codes that were withdrawn. Columns are documented in
-- schemas/tables.ts and schemas/sign-in-tables.ts.

CREATE TABLE operating_organisation (
  id bigint PRIMARY KEY NOT NULL CHECK (id = 1),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  since bigint NOT NULL
);

-- Of an exchange that is older than this table, the organisation of its first administrator.
INSERT INTO operating_organisation (id, organisation_id, since)
  SELECT 1, organisation_id, created_at FROM accounts
  WHERE role = 'administrator' AND disabled_at IS NULL
  ORDER BY id LIMIT 1;

ALTER TABLE enrolments ADD COLUMN withdrawn_at bigint;
