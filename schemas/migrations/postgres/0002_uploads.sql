-- Resumable upload: objects sealed in segments, and the draft records they arrive in. Columns are
-- documented in schemas/tables.ts.

ALTER TABLE objects ALTER COLUMN blob DROP NOT NULL;
ALTER TABLE objects ADD COLUMN layout_sealed bytea;
ALTER TABLE objects ADD CHECK ((blob IS NULL) <> (layout_sealed IS NULL));

CREATE TABLE object_segments (
  blob text COLLATE "C" PRIMARY KEY NOT NULL,
  object_id text COLLATE "C" NOT NULL REFERENCES objects (id),
  place bigint NOT NULL CHECK (place >= 0),
  bytes bigint NOT NULL CHECK (bytes > 0),
  UNIQUE (object_id, place)
);

CREATE TABLE drafts (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  case_id text COLLATE "C" NOT NULL REFERENCES cases (id),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  created_by text COLLATE "C" NOT NULL REFERENCES accounts (id),
  kind text COLLATE "C" NOT NULL,
  wrapped_key bytea NOT NULL,
  details_sealed bytea NOT NULL,
  files bigint NOT NULL CHECK (files >= 0),
  bytes bigint NOT NULL CHECK (bytes >= 0),
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL CHECK (expires_at > created_at),
  discarded_at bigint
);
CREATE INDEX drafts_organisation ON drafts (organisation_id);
CREATE INDEX drafts_expiry ON drafts (expires_at);

CREATE TABLE uploads (
  id text COLLATE "C" PRIMARY KEY NOT NULL,
  draft_id text COLLATE "C" NOT NULL REFERENCES drafts (id),
  organisation_id text COLLATE "C" NOT NULL REFERENCES organisations (id),
  part text COLLATE "C" NOT NULL CHECK (part IN ('whole', 'partial', 'final')),
  position bigint NOT NULL CHECK (position > 0),
  bytes bigint NOT NULL CHECK (bytes > 0),
  received bigint NOT NULL CHECK (received BETWEEN 0 AND bytes),
  segments bigint NOT NULL CHECK (segments >= 0),
  state text COLLATE "C" NOT NULL CHECK (state IN ('receiving', 'stored', 'refused', 'joined', 'ended')),
  code text COLLATE "C",
  type text COLLATE "C",
  end_to_end boolean,
  sha256 bytea CHECK (length(sha256) = 32),
  layout_sealed bytea,
  metadata_sealed bytea NOT NULL,
  joined_to text COLLATE "C",
  created_at bigint NOT NULL,
  CHECK ((state = 'refused') = (code IS NOT NULL)),
  CHECK (state <> 'stored' OR part = 'partial' OR (sha256 IS NOT NULL AND layout_sealed IS NOT NULL
    AND type IS NOT NULL AND end_to_end IS NOT NULL AND received = bytes))
);
CREATE INDEX uploads_draft ON uploads (draft_id, position, id);
CREATE INDEX uploads_open ON uploads (organisation_id) WHERE state = 'receiving';
CREATE INDEX uploads_over ON uploads (state, id) WHERE state IN ('refused', 'ended');

CREATE TABLE upload_segments (
  blob text COLLATE "C" PRIMARY KEY NOT NULL,
  upload_id text COLLATE "C" NOT NULL REFERENCES uploads (id),
  place bigint NOT NULL CHECK (place >= 0),
  sealed_for text COLLATE "C" NOT NULL,
  number bigint NOT NULL CHECK (number >= 0),
  bytes bigint NOT NULL CHECK (bytes > 0),
  UNIQUE (upload_id, place)
);
