-- Resumable upload: objects sealed in segments, and the draft records they arrive in. Columns are
-- documented in schemas/tables.ts.

-- SQLite cannot make a column optional, so the table is made anew. Nothing refers to it.
CREATE TABLE objects_new (
  id TEXT PRIMARY KEY NOT NULL,
  record_id TEXT NOT NULL REFERENCES records (id),
  position INTEGER NOT NULL,
  blob TEXT UNIQUE,
  format TEXT NOT NULL,
  type TEXT NOT NULL,
  end_to_end INTEGER NOT NULL CHECK (end_to_end IN (0, 1)),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
  name_sealed BLOB NOT NULL,
  layout_sealed BLOB,
  UNIQUE (record_id, position),
  CHECK ((blob IS NULL) <> (layout_sealed IS NULL))
) STRICT;
INSERT INTO objects_new SELECT id, record_id, position, blob, format, type, end_to_end, bytes, sha256,
  name_sealed, NULL FROM objects;
DROP TABLE objects;
ALTER TABLE objects_new RENAME TO objects;

CREATE TABLE object_segments (
  blob TEXT PRIMARY KEY NOT NULL,
  object_id TEXT NOT NULL REFERENCES objects (id),
  place INTEGER NOT NULL CHECK (place >= 0),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  UNIQUE (object_id, place)
) STRICT;

CREATE TABLE drafts (
  id TEXT PRIMARY KEY NOT NULL,
  case_id TEXT NOT NULL REFERENCES cases (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  created_by TEXT NOT NULL REFERENCES accounts (id),
  kind TEXT NOT NULL,
  wrapped_key BLOB NOT NULL,
  details_sealed BLOB NOT NULL,
  files INTEGER NOT NULL CHECK (files >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
  discarded_at INTEGER
) STRICT;
CREATE INDEX drafts_organisation ON drafts (organisation_id);
CREATE INDEX drafts_expiry ON drafts (expires_at);

CREATE TABLE uploads (
  id TEXT PRIMARY KEY NOT NULL,
  draft_id TEXT NOT NULL REFERENCES drafts (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  part TEXT NOT NULL CHECK (part IN ('whole', 'partial', 'final')),
  position INTEGER NOT NULL CHECK (position > 0),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  received INTEGER NOT NULL CHECK (received BETWEEN 0 AND bytes),
  segments INTEGER NOT NULL CHECK (segments >= 0),
  state TEXT NOT NULL CHECK (state IN ('receiving', 'stored', 'refused', 'joined', 'ended')),
  code TEXT,
  type TEXT,
  end_to_end INTEGER CHECK (end_to_end IN (0, 1)),
  sha256 BLOB CHECK (length(sha256) = 32),
  layout_sealed BLOB,
  metadata_sealed BLOB NOT NULL,
  joined_to TEXT,
  created_at INTEGER NOT NULL,
  CHECK ((state = 'refused') = (code IS NOT NULL)),
  CHECK (state <> 'stored' OR part = 'partial' OR (sha256 IS NOT NULL AND layout_sealed IS NOT NULL
    AND type IS NOT NULL AND end_to_end IS NOT NULL AND received = bytes))
) STRICT;
CREATE INDEX uploads_draft ON uploads (draft_id, position, id);
CREATE INDEX uploads_open ON uploads (organisation_id) WHERE state = 'receiving';
CREATE INDEX uploads_over ON uploads (state, id) WHERE state IN ('refused', 'ended');

CREATE TABLE upload_segments (
  blob TEXT PRIMARY KEY NOT NULL,
  upload_id TEXT NOT NULL REFERENCES uploads (id),
  place INTEGER NOT NULL CHECK (place >= 0),
  sealed_for TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 0),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  UNIQUE (upload_id, place)
) STRICT;
