-- Questions to the access log that somebody asks again: sealed, because a name may say more than was meant.
CREATE TABLE saved_questions (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
  question_sealed bytea NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX saved_questions_account ON saved_questions (account_id, id);
