import t from 'tap'
import { eraseDetails } from '../../src/audit/erase.ts'
import { ERASED_NAMED_MAX } from '../../src/audit/erased.ts'
import { parseProofFile } from '../../src/audit/tlog/proof-file.ts'
import { leafHash, verifyInclusion } from '../../src/audit/tlog/tree.ts'
import { placeAllPending } from '../../src/audit/tree/pending.ts'
import { ownerDatabase } from '../helpers/databases.ts'
import { startExchange, type TestExchange } from '../helpers/exchange.ts'
import { runScript } from '../scripts/run-script.ts'
import { ask, liveliness } from './scene.ts'
import { assertTree, leavesOf, opened } from './tree/scene.ts'

const erase = (exchange: TestExchange, ...args: string[]) =>
  runScript('erase-audit-details', exchange.settings, ...args)

async function rowsOf({ exchange }: TestExchange) {
  const { database } = exchange
  await placeAllPending(database)
  return await database.read.select().from(database.read.tables.auditEvents)
}

t.test('what the log knows of a case is erased, and the log is whole all the same', async t => {
  const exchange = await startExchange(t)
  const { first, second } = await liveliness(exchange)
  await exchange.auditEvents()
  const before = await rowsOf(exchange)
  const own = before.filter(row => row.caseId === first.caseId)
  const proofOf = async (id: string | undefined) =>
    (await exchange.client().send('GET', `/v1/audit/events/${id}/proof`)).text
  await exchange.exchange.tree.settle()
  const proof = await proofOf(own[0]?.id)

  const args = ['--order', 'High Court 2026/17', '--by', 'A Magistrate']
  const done = await erase(exchange, '--case', first.caseId, ...args)
  t.match(done, { exit: 0, out: `Events without details now: ${own.length}.`, err: '' })

  const after = await rowsOf(exchange)
  const isOwn = (row: { caseId: string | null; action: string }) =>
    row.caseId === first.caseId && row.action !== 'audit.erase'
  for (const row of after.filter(isOwn)) {
    t.match(row, { detailsSealed: null, patientRef: null }, `${row.action} is erased`)
  }
  t.same(
    after.filter(row => !isOwn(row) && row.action !== 'audit.erase'),
    before.filter(row => row.caseId !== first.caseId),
    'everything else is as it was'
  )
  const [told, ...others] = await exchange.auditEvents({ action: 'audit.erase' })
  t.same(others, [])
  t.match(told, {
    caseId: first.caseId,
    organisationId: exchange.people.clinician.organisationId,
    details: { order: 'High Court 2026/17', orderedBy: 'A Magistrate', events: own.length }
  })

  // Then the tree, its checkpoint and every proof hold, the old one and a new one.
  const { tree, database } = exchange.exchange
  await tree.settle()
  await assertTree(t, database, tree, (await leavesOf(t, database)).length)
  for (const text of [proof, await proofOf(own[0]?.id)]) {
    const { extra = Buffer.alloc(0), index, proof: hashes, checkpoint } = parseProofFile(text)
    const vkeys = tree.keys.keys.map(({ vkey }) => vkey)
    const { size, root } = opened(checkpoint, vkeys)
    t.ok(verifyInclusion(leafHash(extra), index, size, hashes, root))
  }

  // And the auditor sees that there was an event, and no details of it.
  const lines = await ask(exchange, { case: first.caseId })
  t.ok(lines.length > own.length)
  for (const line of lines) {
    const { erased } = line as { erased?: boolean }
    if (line.action === 'audit.erase') t.match(line.details, { order: 'High Court 2026/17' })
    else t.match({ erased, details: line.details }, { erased: true, details: {} }, line.action)
    if (erased) t.same(line.details, {})
  }
  for (const line of await ask(exchange, { case: second.caseId })) {
    t.notOk('erased' in line, 'of no other case')
  }
  const auditor = exchange.client('auditor')
  t.equal((await auditor.send('GET', '/fhir/AuditEvent')).status, 200, 'FHIR tells them too')
  t.equal((await auditor.send('GET', '/v1/audit/events/export?format=csv')).status, 200)

  await exchange.restart()
  t.equal(exchange.exchange.tree.fault(), undefined, 'and the next start is content')
  const again = await erase(exchange, '--case', first.caseId, '--order', 'High Court 2026/17')
  t.match(again, { exit: 0 })
  t.match((await exchange.auditEvents({ action: 'audit.erase' }))[0]?.details, told?.details)
})

t.test('one event is erased by its id', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const [searched] = await exchange.auditEvents({ action: 'token.issue', outcome: 'success' })
  const id = String(searched?.id)
  const done = await erase(exchange, '--event', id, '--order', 'DPO 4')
  t.match(done, { exit: 0, out: 'Events without details now: 1.' })
  const erased = (await rowsOf(exchange)).filter(row => row.detailsSealed === null)
  t.same(
    erased.map(row => row.id),
    [id]
  )
  const [told] = await exchange.auditEvents({ action: 'audit.erase' })
  t.match(told, {
    organisationId: searched?.organisationId,
    details: { event: id, order: 'DPO 4' }
  })

  const again = await erase(exchange, '--event', id, '--order', 'DPO 4')
  t.match(again, { exit: 0, out: 'There was nothing left to erase.' })
  t.match(await erase(exchange, '--event', String(told?.id), '--order', 'DPO 5'), {
    out: 'There was nothing left to erase.'
  })
  t.equal((await exchange.auditEvents({ action: 'audit.erase' })).length, 1, 'an erasure is kept')
})

t.test('what cannot be erased is said, and changes nothing', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const before = await rowsOf(exchange)
  const order = ['--order', 'DPO 4']
  const nobody = crypto.randomUUID()
  t.match(await erase(exchange, '--case', nobody, ...order), { exit: 1, err: /case-not-found/ })
  t.match(await erase(exchange, '--event', nobody, ...order), { exit: 1, err: /event-not-found/ })
  t.match(await erase(exchange, '--case', 'x', ...order), { exit: 1, err: /case-not-found/ })
  t.match(await erase(exchange, '--case', nobody), { exit: 2, err: /Missing: --order/ })
  t.match(await erase(exchange, ...order), { exit: 2, err: /Name a case or an event/ })
  t.match(await erase(exchange, '--case', nobody, '--event', nobody, ...order), { exit: 2 })
  t.same(await rowsOf(exchange), before)
})

t.test('a long history is erased in batches, each with its event or not at all', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const { audit, database, serviceKeys } = exchange.exchange
  const { caseId } = first
  await database.write(async tx => {
    for (let n = 0; n < ERASED_NAMED_MAX; n += 1) {
      await audit.append(tx, { action: 'case.read', outcome: 'success', caseId, details: { n } })
    }
  })
  const isLeft = (row: { caseId: string | null; detailsSealed: unknown; action: string }) =>
    row.caseId === caseId && row.detailsSealed !== null && row.action !== 'audit.erase'
  const left = async () => (await rowsOf(exchange)).filter(isLeft).length
  const all = await left()
  t.ok(all > ERASED_NAMED_MAX)

  // Given a log that takes one more event, and then none.
  let appended = 0
  const failing = {
    ...audit,
    append: async (...args: Parameters<typeof audit.append>) => {
      appended += 1
      if (appended > 1) throw new Error('the log is full')
      return audit.append(...args)
    }
  }
  const order = { reference: 'DPO 4' }
  const owner = await ownerDatabase(t, { database, settings: exchange.settings })
  const some = { database: owner, audit: failing, serviceKeys }
  await t.rejects(eraseDetails(some, { caseId }, order), /the log is full/)
  t.equal(await left(), all - ERASED_NAMED_MAX, 'what has no event is not erased')
  const rest = await eraseDetails({ database: owner, audit, serviceKeys }, { caseId }, order)
  t.equal(rest, all - ERASED_NAMED_MAX)
  t.equal(await left(), 0)
  const told = await exchange.auditEvents({ action: 'audit.erase' })
  t.same(
    told.map(event => event.details['events']),
    [ERASED_NAMED_MAX, all - ERASED_NAMED_MAX]
  )
})

t.test('two who erase the same at once name each event once between them', async t => {
  // Given a case with more events than one erasure names
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const { audit, database, serviceKeys } = exchange.exchange
  const { caseId } = first
  await database.write(async tx => {
    for (let n = 0; n < ERASED_NAMED_MAX; n += 1) {
      await audit.append(tx, { action: 'case.read', outcome: 'success', caseId, details: { n } })
    }
  })
  // When two operators erase it
  const owner = await ownerDatabase(t, { database, settings: exchange.settings })
  const parts = { database: owner, audit, serviceKeys }
  const counts = await Promise.all(
    ['DPO 4', 'DPO 5'].map(reference => eraseDetails(parts, { caseId }, { reference }))
  )
  // Then all of it is erased, and no event twice: that would be a fault of the log for ever
  const erased = (await rowsOf(exchange)).filter(row => row.detailsSealed === null)
  const told = await exchange.auditEvents({ action: 'audit.erase' })
  const named = told.flatMap(({ details }) =>
    (details['erased'] as [number, string][]).map(([idx]) => idx)
  )
  t.ok(erased.length > ERASED_NAMED_MAX)
  t.same(
    named.sort((a, b) => a - b),
    erased.map(({ idx }) => idx).sort((a, b) => a - b)
  )
  t.equal(
    counts.reduce((sum, count) => sum + count),
    erased.length
  )
})

t.test('an erasure names events in the order of their places, whatever their ids', async t => {
  // Given a case whose later events have smaller ids, because the clock was put back between them
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const { audit, database, serviceKeys } = exchange.exchange
  const { caseId } = first
  const read = () =>
    database.write(tx =>
      audit.append(tx, { action: 'case.read', outcome: 'success', caseId, details: {} })
    )
  await read()
  exchange.clock.advance(-3_600_000)
  const late = await read()
  const rows = (await rowsOf(exchange)).filter(row => row.caseId === caseId)
  t.ok(rows.some(({ id }) => id > late))
  // When it is erased
  const owner = await ownerDatabase(t, { database, settings: exchange.settings })
  const parts = { database: owner, audit, serviceKeys }
  t.equal(await eraseDetails(parts, { caseId }, { reference: 'DPO 4' }), rows.length)
  // Then they are named as the verifier wants them
  const told = await exchange.auditEvents({ action: 'audit.erase' })
  t.same(
    told.flatMap(({ details }) => (details['erased'] as [number, string][]).map(([idx]) => idx)),
    rows.map(({ idx }) => idx).sort((a, b) => a - b)
  )
})
