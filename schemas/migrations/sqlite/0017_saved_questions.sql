-- Questions to the access log that somebody asks again: sealed, because a name may say more than was meant.
CREATE TABLE saved_questions (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  question_sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX saved_questions_account ON saved_questions (account_id, id);
