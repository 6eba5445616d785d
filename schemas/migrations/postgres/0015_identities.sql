-- A new enrolment code takes the place of identities at issuers of others. What clients and passkeys of
-- this service are known by stays: clients are disabled, and never removed.

CREATE TRIGGER identities_embedded_kept BEFORE DELETE ON identities
  FOR EACH ROW WHEN (OLD.issuer = 'embedded')
  EXECUTE FUNCTION refuse('an identity of this service cannot be removed');
-- Who an account is at an issuer of others is looked for by the account, too.
CREATE INDEX identities_account ON identities (account_id);
