import Sqlite from 'better-sqlite3'
import { dataPaths } from '../../../src/open-data.ts'
import type { LogCopy } from './stage.ts'
import { OPENED, type Tampering } from './tampering.ts'

/** After the triggers are back, so that these stay as they are. */
const alone = (text: string) => (copy: LogCopy) => {
  copy.end()
  const database = new Sqlite(dataPaths(copy.directory).database)
  database.unsafeMode()
  database.exec(text)
  database.close()
}

export const schema: Record<string, Tampering> = {
  'triggers dropped': {
    spoil: alone('DROP TRIGGER audit_events_no_delete; DROP TRIGGER shares_frozen'),
    faults: () => [
      'The database lacks the trigger shares_frozen.',
      'The database lacks the trigger audit_events_no_delete.'
    ],
    refuses: true
  },
  'a trigger that lets one through': {
    spoil: alone(`DROP TRIGGER audit_events_no_delete;
      CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
      WHEN OLD.outcome <> 'refused'
      BEGIN SELECT RAISE (ABORT, 'the access log cannot be changed'); END`),
    faults: () => ['The trigger audit_events_no_delete of the database was changed.'],
    refuses: true
  },
  'a trigger that forgets': {
    spoil: alone(`CREATE TRIGGER quiet AFTER INSERT ON audit_events
      BEGIN UPDATE audit_events SET details_sealed = NULL WHERE idx = NEW.idx; END`),
    faults: () => ['The database has a trigger quiet, which no release made.'],
    refuses: true
  },
  'the same under a name of SQLite’s own': {
    spoil: alone(`PRAGMA writable_schema = ON;
      INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_stat1', 'audit_events', 0,
        'CREATE TRIGGER sqlite_stat1 AFTER INSERT ON audit_events BEGIN SELECT 1; END')`),
    faults: () => ['The database has a trigger sqlite_stat1, which no release made.'],
    refuses: true
  },
  'an index dropped, and a table made': {
    spoil: alone('DROP INDEX audit_events_share; CREATE TABLE kept (leaf BLOB)'),
    faults: () => [
      'The database lacks the index audit_events_share.',
      'The database has a table kept, which no release made.'
    ],
    refuses: true
  },
  'a check taken out of a table': {
    spoil: alone(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, ' CHECK (size >= 0)', '')
      WHERE name = 'audit_head'`),
    faults: () => ['The table audit_head of the database was changed.'],
    refuses: true
  },
  'an index that lacks an event': {
    spoil: copy => {
      const indexes = copy.database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').pluck()
      const own = String(indexes.get('audit_events_actor'))
      alone(`DROP INDEX audit_events_actor;
        ${own.replace('actor_id IS NOT NULL', `actor_id IS NOT NULL AND idx <> ${OPENED}`)};
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = '${own}' WHERE name = 'audit_events_actor'`)(copy)
    },
    faults: () => ['The database file: row 342 missing from index audit_events_actor.'],
    refuses: false
  },
  'what ANALYZE keeps': {
    spoil: alone('ANALYZE'),
    faults: () => [],
    refuses: false
  }
}
