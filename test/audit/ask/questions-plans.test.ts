import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { type EventFilter, pageOfEvents } from '../../../src/audit/ask/queries.ts'
import { lastEventTimes } from '../../../src/audit/last-event.ts'
import { startExchange } from '../../helpers/exchange.ts'
import { liveliness } from '../scene.ts'

// SQLite answers in the service's only thread, so a question that reads the whole log would stall
// everybody. Here every statement that a question leads to is shown to the planner.

const statements: string[] = []
const { prepare } = Sqlite.prototype
Sqlite.prototype.prepare = function (this: Sqlite.Database, text: string) {
  statements.push(text)
  return prepare.call(this, text)
} as typeof prepare

const exchange = await startExchange(t)
const { first } = await liveliness(exchange)
const { database } = exchange.exchange
const planner = new Sqlite(join(exchange.directory, 'consilium.db'), { readonly: true })
t.teardown(() => planner.close())

const plans = new Map<string, string>()

/** Thousands of filters come down to some hundred statements. */
function planOf(text: string): string {
  const known = plans.get(text)
  if (known !== undefined) return known
  const values: null[] = new Array(text.match(/\?/g)?.length ?? 0).fill(null)
  const explain: Sqlite.Statement<unknown[], { detail: string }> = prepare.call(
    planner,
    `EXPLAIN QUERY PLAN ${text}`
  ) as Sqlite.Statement<unknown[], { detail: string }>
  const plan = explain
    .all(...values)
    .map(({ detail }) => detail)
    .join('; ')
  plans.set(text, plan)
  return plan
}

/** What `act` reads of what may grow, statement by statement. */
async function plansOf(act: () => Promise<unknown>): Promise<{ text: string; plan: string }[]> {
  statements.length = 0
  await act()
  return [...new Set(statements)]
    .filter(text => /^select .* from "(audit_events|cases|records|objects|shares)"/s.test(text))
    .map(text => ({ text, plan: planOf(text) }))
}

/** Indexes that the events were searched by, each once. A plan without an index names none. */
const indexesOf = (plans: { text: string; plan: string }[]) => [
  ...new Set(
    plans.flatMap(({ plan }) => [
      ...[...plan.matchAll(/SEARCH audit_events USING (?:COVERING )?INDEX (\w+) \(/g)].map(
        ([, name]) => name
      )
    ])
  )
]

const BY_ID = 'sqlite_autoindex_audit_events_1'
const WHOLE = ['audit_events_organisation', 'audit_events_abroad', 'audit_events_nobody']

const { organisationId, accountId: actorId } = exchange.people.clinician
const [created] = await exchange.auditEvents({ action: 'case.create', caseId: first.caseId })
const patientRef = Buffer.from(created?.patientRef ?? '')

/** The parts of a filter in the order in which they choose the index. */
const parts: [part: Partial<EventFilter>, indexes: string[]][] = [
  [{ patientRef }, ['audit_events_case', 'audit_events_patient']],
  [{ id: String(created?.id) }, [BY_ID]],
  [{ shareId: first.share.id }, ['audit_events_share']],
  [{ caseId: first.caseId }, ['audit_events_case']],
  [{ recordId: first.record.id }, ['audit_events_case']],
  [{ objectId: String(first.record.objects[0]?.id) }, ['audit_events_case']],
  [{ actorId }, ['audit_events_actor']],
  [{ outcome: 'refused' }, ['audit_events_refused', 'audit_events_abroad', 'audit_events_nobody']],
  [{ action: 'audit.query' }, ['audit_events_asked', 'audit_events_abroad', 'audit_events_nobody']],
  [{ recipientCountry: 'IE' }, WHOLE],
  [{ kinds: [{ action: 'case.read', outcomes: ['success', 'refused'], viaShare: true }] }, WHOLE],
  [{ from: 1000, to: 4_000_000_000_000 }, WHOLE]
]

function everyCombination(): [filter: EventFilter, indexes: string[]][] {
  return Array.from({ length: 2 ** parts.length }, (_, bits) => {
    const chosen = parts.filter((_, place) => bits & (1 << place))
    const filter = Object.assign({ organisationId }, ...chosen.map(([part]) => part))
    return [filter, chosen[0]?.[1] ?? WHOLE]
  })
}

t.test('every combination of filters is answered from the right index', async t => {
  const before = 'ffffffff-ffff-7fff-bfff-ffffffffffff'
  const wrong: string[] = []
  for (const [filter, indexes] of everyCombination()) {
    for (const cursor of Object.keys(filter).length > 2 ? [undefined] : [undefined, before]) {
      const plans = await plansOf(() => pageOfEvents(database, filter, cursor, 50))
      const asked = Object.keys(filter).join(' ')
      for (const { text, plan } of plans) {
        if (/SCAN|TEMP B-TREE/.test(plan)) wrong.push(`${asked}: ${plan}: ${text}`)
      }
      const used = indexesOf(plans.filter(({ text }) => !text.includes('max(')))
      if (used.sort().join() !== [...indexes].sort().join()) wrong.push(`${asked}: ${used}`)
    }
  }
  t.same(wrong, [])
})

t.test('so is every question by name', async t => {
  const auditor = exchange.client('auditor')
  const ask = (name: string) => () => auditor.json('GET', `/v1/audit/questions/${name}`)
  const expected: [name: string, indexes: string[]][] = [
    [`person?actor=${actorId}`, ['audit_events_actor']],
    ['disclosures-abroad?from=2020-01-01T00:00:00Z', ['audit_events_disclosed']],
    ['refused', ['audit_events_refused', 'audit_events_abroad', 'audit_events_nobody']],
    ['log-readers', ['audit_events_asked', 'audit_events_abroad', 'audit_events_nobody']],
    ['live-shares', ['audit_events_opened', 'audit_events_share']]
  ]
  for (const [name, indexes] of expected) {
    const plans = await plansOf(ask(name))
    t.same(
      plans.filter(({ plan }) => /SCAN|TEMP B-TREE/.test(plan)),
      [],
      name
    )
    const used = indexesOf(plans.filter(({ text }) => !text.includes('max(')))
    t.same(used.sort(), [...indexes].sort(), name)
  }
})

t.test('how often a case was looked at does not slow looking at it', async t => {
  const [found] = await plansOf(() => lastEventTimes(database.read, [first.caseId]))
  t.match(found?.plan, /SEARCH event USING INDEX audit_events_news/)
})

t.test('this test sees a plan that is wrong', async t => {
  const { auditEvents } = database.read.tables
  const [found] = await plansOf(async () => {
    await database.read.select().from(auditEvents).orderBy(auditEvents.at).limit(1)
  })
  t.match(found?.plan, /SCAN.*TEMP B-TREE/)
})
