-- The request for a second opinion, where it stands, and what its checklist says. Columns are
-- documented in schemas/tables.ts.

-- In which zone an organisation's days begin and end: a due date is a day there.
ALTER TABLE organisations ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'Europe/London';

CREATE TABLE case_requests (
  case_id TEXT PRIMARY KEY NOT NULL REFERENCES cases (id),
  state TEXT NOT NULL CHECK (state IN ('draft', 'complete', 'opinion-received', 'closed')),
  completed_at INTEGER,
  completed_by TEXT REFERENCES accounts (id),
  opinion_at INTEGER,
  closed_at INTEGER,
  version INTEGER NOT NULL CHECK (version >= 0),
  request_sealed BLOB,
  answers_version INTEGER NOT NULL CHECK (answers_version >= 0),
  answers_sealed BLOB,
  questions_shared INTEGER NOT NULL CHECK (questions_shared >= 0),
  due_at INTEGER,
  changed_at INTEGER,
  changed_by TEXT REFERENCES accounts (id),
  CHECK ((version = 0) = (request_sealed IS NULL)),
  CHECK ((answers_version = 0) = (answers_sealed IS NULL)),
  CHECK ((completed_at IS NULL) = (completed_by IS NULL)),
  CHECK ((changed_at IS NULL) = (changed_by IS NULL)),
  CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
  CHECK (state <> 'draft' OR (completed_at IS NULL AND opinion_at IS NULL)),
  CHECK (state <> 'complete' OR (completed_at IS NOT NULL AND opinion_at IS NULL)),
  CHECK (state <> 'opinion-received' OR opinion_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_requests_due ON case_requests (due_at) WHERE due_at IS NOT NULL AND state <> 'closed';
INSERT INTO case_requests (case_id, state, version, answers_version, questions_shared)
  SELECT id, 'draft', 0, 0, 0 FROM cases;

-- A request becomes newer and nothing else: who holds an older version is found out.
CREATE TRIGGER case_requests_newer BEFORE UPDATE OF version, answers_version, questions_shared ON case_requests
WHEN NEW.version < OLD.version OR NEW.answers_version < OLD.answers_version
  OR NEW.questions_shared < OLD.questions_shared
BEGIN SELECT RAISE (ABORT, 'a request cannot become older'); END;
-- When a case was first complete, the clock began. It cannot begin again.
CREATE TRIGGER case_requests_complete_once BEFORE UPDATE OF completed_at, completed_by ON case_requests
WHEN OLD.completed_at IS NOT NULL
BEGIN SELECT RAISE (ABORT, 'a case is complete once'); END;

CREATE TABLE case_moves (
  case_id TEXT NOT NULL REFERENCES case_requests (case_id),
  position INTEGER NOT NULL CHECK (position > 0),
  move TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  at INTEGER NOT NULL,
  moved_by TEXT NOT NULL REFERENCES accounts (id),
  share_id TEXT REFERENCES shares (id),
  reason_sealed BLOB,
  PRIMARY KEY (case_id, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER case_moves_frozen BEFORE UPDATE ON case_moves
BEGIN SELECT RAISE (ABORT, 'what happened cannot be changed'); END;
CREATE TRIGGER case_moves_kept BEFORE DELETE ON case_moves
BEGIN SELECT RAISE (ABORT, 'what happened cannot be changed'); END;

-- When something last happened to a case, however often it was only looked at: as in audit/last-event.ts.
CREATE INDEX audit_events_news ON audit_events (case_id, id)
WHERE case_id IS NOT NULL AND outcome <> 'refused' AND (share_id IS NOT NULL OR
  (action NOT LIKE '%.read' AND action NOT LIKE '%.list' AND action NOT LIKE 'audit.%'));
