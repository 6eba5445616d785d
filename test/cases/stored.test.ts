import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { openSqlite } from '../../src/database/sqlite.ts'
import { createCase, startExchange } from '../helpers/exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { completeCase, readyCase } from '../helpers/request.ts'

const FIRST = '0001_exchange.sql'

t.test('cases from before there were requests become drafts', async t => {
  const file = join(t.testdir(), 'exchange.db')
  const text = readFileSync(
    new URL(`../../schemas/migrations/sqlite/${FIRST}`, import.meta.url),
    'utf8'
  )
  const old = new Sqlite(file)
  old.exec(text)
  old.exec(
    'CREATE TABLE migrations (name TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT'
  )
  const digest = createHash('sha256').update(text).digest('hex')
  old.prepare('INSERT INTO migrations VALUES (?, ?, 0)').run(FIRST, digest)
  old.exec(`INSERT INTO organisations VALUES ('o', 'City', 'RX1', 'GB', 0);
    INSERT INTO accounts VALUES ('a', 'o', 'clinician', 'GB', x'00', 0, NULL);
    INSERT INTO cases VALUES ('c', 'o', 'a', x'00', x'00', x'00', 0)`)
  old.close()
  const database = openSqlite(file)
  t.teardown(() => database.close())
  const { caseRequests, organisations } = database.read.tables
  t.match(await database.read.select().from(caseRequests), [
    { caseId: 'c', state: 'draft', version: 0, answersVersion: 0, completedAt: null, dueAt: null }
  ])
  t.match(await database.read.select().from(organisations), [{ timeZone: 'Europe/London' }])
})

t.test('the database itself refuses what may never be', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { caseId } = await completeCase(clinician, exchange.clock.now())
  const { id: drafted } = await createCase(clinician)
  const intruder = await intrude(t, exchange.config)
  const refused: [label: string, statement: string][] = [
    ['a state that is none', "UPDATE case_requests SET state = 'shared' WHERE case_id = ?"],
    ['complete without a time', "UPDATE case_requests SET state = 'draft' WHERE case_id = ?"],
    ['closed without a time', "UPDATE case_requests SET state = 'closed' WHERE case_id = ?"],
    [
      'an opinion without a time',
      "UPDATE case_requests SET state = 'opinion-received' WHERE case_id = ?"
    ],
    ['an older request', 'UPDATE case_requests SET version = 0 WHERE case_id = ?'],
    ['older answers', 'UPDATE case_requests SET answers_version = 0 WHERE case_id = ?'],
    [
      'another beginning of the clock',
      'UPDATE case_requests SET completed_at = 1 WHERE case_id = ?'
    ],
    ['a move that is changed', "UPDATE case_moves SET move = 'close' WHERE case_id = ?"],
    ['a move that is gone', 'DELETE FROM case_moves WHERE case_id = ?']
  ]
  for (const [label, statement] of refused) {
    await t.rejects(intruder.run(statement, caseId), label)
  }
  await t.rejects(
    intruder.run("UPDATE case_requests SET state = 'complete' WHERE case_id = ?", drafted),
    'a draft that is called complete'
  )
})

t.test('what was written is there after a restart', async t => {
  const exchange = await startExchange(t)
  const clinician = exchange.client('clinician')
  const { caseId } = await readyCase(clinician, exchange.clock.now())
  const before = await clinician.json('GET', `/v1/cases/${caseId}/request`)
  await exchange.restart()
  t.same(await clinician.json('GET', `/v1/cases/${caseId}/request`), before)
})
