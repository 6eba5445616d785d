import type Sqlite from 'better-sqlite3'
import t from 'tap'
import { eraseDetails } from '../../../src/audit/erase.ts'
import { ERASED_NAMED_MAX } from '../../../src/audit/erased.ts'
import { indexSet } from '../../../src/audit/verify/index-set.ts'
import { openData } from '../../../src/open-data.ts'
import { addEvent, type LivelyLog, type LogCopy, livelyLog } from './stage.ts'
import { QUIET } from './tampering.ts'

// An erasure opens the log to somebody who holds the database: details may go, and others come back
// in their place. What was erased is named on the log, so each is found out.

/** What the scene has: the erasure of a case at the end, and which events it erased. */
interface Erased {
  erasure: number
  events: number[]
}

const column = (database: Sqlite.Database, query: string) =>
  database.prepare(query).pluck().all().map(Number)

function erasedIn({ database }: LogCopy): Erased {
  const erasures = "SELECT max(idx) FROM audit_events WHERE action = 'audit.erase'"
  const [erasure = -1] = column(database, erasures)
  const gone = `SELECT idx FROM audit_events WHERE details_sealed IS NULL AND idx <> ${QUIET}`
  return { erasure, events: column(database, `${gone} ORDER BY idx`) }
}

/** The details of an event as they were before the erasure, as somebody kept them. */
function restore(copy: LogCopy, log: LivelyLog, index: number): void {
  copy.database.exec(`ATTACH '${log.yesterday.database}' AS old`)
  copy.database.exec(
    `UPDATE audit_events SET (details_sealed, patient_ref) =
       (SELECT details_sealed, patient_ref FROM old.audit_events AS o WHERE o.idx = ${index})
     WHERE idx = ${index}`
  )
  copy.database.exec('DETACH old')
}

const GONE = 'its details are gone, and no erasure is on record for it.'
const destroy = (index: number) =>
  `UPDATE audit_events SET details_sealed = NULL, patient_ref = NULL WHERE idx = ${index}`

type Spoil = (copy: LogCopy, erased: Erased, log: LivelyLog) => string[]

const tampered: Record<string, Spoil> = {
  'nothing at all': () => [],
  'one event restored and another destroyed': (copy, { erasure }, log) => {
    restore(copy, log, QUIET)
    copy.database.exec(destroy(101))
    return [
      `Event ${QUIET}: it has details, which were erased on record (event ${erasure - 1}).`,
      `Event 101: ${GONE}`
    ]
  },
  'another destroyed, and given the case that was erased': (copy, { events }) => {
    copy.database.exec(destroy(101))
    copy.database.exec(
      `UPDATE audit_events SET case_id = (SELECT case_id FROM audit_events WHERE idx = ${events[0]})
       WHERE idx = 101`
    )
    return [`Event 101: ${GONE}`]
  },
  'columns that the erased events kept': (copy, { erasure, events }, { scene }) => {
    const columns = {
      code: "'share-expired'",
      organisation_id: 'id',
      actor_id: 'id',
      actor_organisation_id: 'NULL',
      case_id: `'${scene.second.caseId}'`,
      record_id: 'id',
      object_id: 'id',
      recipient_country: "'FR'"
    }
    return Object.entries(columns).map(([name, value], n) => {
      const index = [QUIET, ...events][n]
      const by = index === QUIET ? erasure - 1 : erasure
      copy.database.exec(`UPDATE audit_events SET ${name} = ${value} WHERE idx = ${index}`)
      return `Event ${index}: a column is not what it was when its details were erased (event ${by}).`
    })
  },
  'the share that a stranger tried': (copy, { erasure, events }, { scene }) => {
    const [tried = -1] = column(
      copy.database,
      "SELECT idx FROM audit_events WHERE action = 'link.open' AND outcome = 'refused'"
    )
    if (!events.includes(tried)) throw new Error('A stranger tried the first share.')
    const share = scene.second.share.id
    copy.database.exec(`UPDATE audit_events SET share_id = '${share}' WHERE idx = ${tried}`)
    return [
      `Event ${tried}: a column is not what it was when its details were erased (event ${erasure}).`
    ]
  },
  'a patient put back': (copy, { events }) => {
    copy.database.exec(`UPDATE audit_events SET patient_ref = x'00' WHERE idx = ${events[0]}`)
    return [`Event ${events[0]}: it is erased only in part.`]
  },
  'the erasure itself destroyed': (copy, { erasure, events }) => {
    copy.database.exec(destroy(erasure))
    return [...events, erasure].map(index => `Event ${index}: ${GONE}`)
  }
}

t.test('just what an erasure names is erased, and keeps what it kept', async t => {
  const log = await livelyLog(t, { erased: true })
  for (const [what, spoil] of Object.entries(tampered)) {
    await t.test(what, async t => {
      const copy = log.copy()
      const erased = erasedIn(copy)
      t.ok(erased.events.length >= 7, `${erased.events.length} events of the case`)
      const expected = spoil(copy, erased, log)
      const { faults, summary } = await copy.verify({ vkeys: [log.vkey] })
      t.same(faults.sort(), expected.sort())
      t.equal(summary.events, log.size)
    })
  }
})

t.test('what was changed before an erasure is not made good by it', async t => {
  const log = await livelyLog(t)
  const copy = log.copy()
  const ofCase = `case_id = '${log.scene.first.caseId}'`
  const [first = -1, second = -1, third = -1] = column(
    copy.database,
    `SELECT idx FROM audit_events WHERE ${ofCase} ORDER BY idx`
  )
  copy.database.exec(`UPDATE audit_events SET actor_id = NULL WHERE idx = ${first};
    UPDATE audit_events SET details_sealed = x'00' WHERE idx = ${second};
    UPDATE audit_events SET details_sealed = NULL WHERE idx = ${third}`)
  copy.end()
  const data = await openData({ ...log.exchange.config, dataDirectory: copy.directory })
  await eraseDetails(data, { caseId: log.scene.first.caseId }, { reference: 'DPO 4' })
  await data.close()
  const { faults } = await copy.verify({ vkeys: [log.vkey] })
  const by = `(event ${log.size})`
  t.same(faults, [
    `Event ${first}: a column is not what it was when its details were erased ${by}.`,
    `Event ${second}: its details were damaged before they were erased ${by}.`,
    `Event ${third}: its details were damaged before they were erased ${by}.`
  ])
})

t.test('an erasure that names nothing, or another’s events, is told', async t => {
  const log = await livelyLog(t, { erased: true })
  const copy = log.copy()
  const { erasure, events } = erasedIn(copy)
  const key = log.exchange.exchange.serviceKeys.audit
  const [first = -1] = events
  const event = { action: 'audit.erase', outcome: 'success' }
  const lists = [
    undefined,
    'all',
    [[first]],
    [[first, 7]],
    [[first, '']].flatMap(event => [event, event]),
    [[log.size + 5, '']],
    Array.from({ length: ERASED_NAMED_MAX + 1 }, (_, n) => [n, ''])
  ]
  for (const erased of lists) {
    const details = { details: { ...(erased !== undefined && { erased }) } }
    addEvent(copy, { ...event, details: { key, text: JSON.stringify(details) } })
  }
  const again = JSON.stringify({ details: { erased: [[first, 'x']] } })
  addEvent(copy, { ...event, details: { key, text: again } })
  const { faults } = await copy.verify({ vkeys: [log.vkey] })
  const last = log.size + lists.length
  t.same(faults, [
    ...lists.map((_, n) => `Event ${log.size + n}: it does not name the events that it erased.`),
    `Event ${last}: it erased event ${first}, as another did before it.`,
    `Event ${first}: a column is not what it was when its details were erased (event ${last}).`
  ])
  t.ok(erasure < last)
})

t.test('a set of indexes is that', async t => {
  const set = indexSet()
  const indexes = [0, 1, 7, 8, 8191, 8192, 9_999_999]
  for (const index of indexes) t.equal(set.add(index), true)
  for (const index of indexes) t.equal(set.add(index), false)
  t.same([...set.values()], indexes)
  t.equal(set.size(), indexes.length)
  t.equal(set.has(9), false)
})
