import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { eraseDetails } from '../../../src/audit/erase.ts'
import { leafHash } from '../../../src/audit/tlog/tree.ts'
import { addAccount, addClient } from '../../../src/identity/enrol.ts'
import { assertFaults } from '../../faults/soundness.ts'
import { makeClient } from '../../helpers/client.ts'
import { ownerDatabase } from '../../helpers/databases.ts'
import {
  NHS_SYSTEM,
  type PersonName,
  sharedPath,
  startExchange,
  type TestExchange
} from '../../helpers/exchange.ts'
import { liveliness, PATIENTS } from '../scene.ts'
import {
  BEGAN,
  d,
  eventsOf,
  exportOf,
  type Line,
  linesOf,
  rewritten,
  verifyText
} from './exports.ts'
import { makeLeaf } from './leaf-log.ts'

const EXPORT = '/v1/audit/events/export'

async function exported(exchange: TestExchange, question = {}, who: PersonName = 'auditor') {
  const body = { ...question, format: 'proof' }
  return await exchange.client(who).send('POST', EXPORT, body)
}

const edited =
  (change: (event: Line) => object) =>
  ([first = '', ...rest]: string[]) => [JSON.stringify(change(JSON.parse(first))), ...rest]

t.test('an export with proofs is verified by itself', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const answer = await exported(exchange)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'application/x-ndjson')
  t.match(answer.headers.get('content-disposition'), /filename="access-log\.proof\.ndjson"/)
  const vkey = exchange.exchange.tree.keys.keys[0]?.vkey ?? ''
  const { faults, notices, summary } = await verifyText(t, answer.text, { vkeys: [vkey] })
  t.same(faults, [])
  const events = eventsOf(answer.text)
  t.equal(summary.events, events.length)
  t.equal(summary.details, events.length, 'all of it concerns City Hospital')
  t.match(JSON.parse(events[0]?.leaf ?? ''), { action: 'audit.export' }, 'itself is in it')
  const pages = await exchange.client('auditor').send('POST', EXPORT, { format: 'ndjson' })
  const ids = linesOf(pages.text).map(line => JSON.parse(line).id)
  const proven = events.map(({ leaf }) => JSON.parse(leaf).id)
  t.same(proven, ids.slice(1), 'the same events as in the other forms')
  t.ok(
    notices.every(notice => notice.startsWith('Number ')),
    'nothing else to know'
  )

  const { notices: unknown } = await verifyText(t, answer.text)
  t.match(unknown, [`Key taken from the file: compare it with the one you were given: ${vkey}`])
  const stranger = vkey.replace(/^[^+]+/, 'other.example/log')
  await t.rejects(verifyText(t, answer.text, { vkeys: [stranger] }), /no verifier key of a note/)
})

t.test('a patient asked for is not named, and gaps of what was left out are told', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const patient = { system: NHS_SYSTEM, value: PATIENTS[0] }
  const { text } = await exported(exchange, { patient, action: 'content.read' })
  t.match(JSON.parse(linesOf(text)[0] ?? ''), {
    filter: {
      organisation: exchange.people.auditor.organisationId,
      action: 'content.read',
      patient: 'one, not named here'
    }
  })
  t.notMatch(text, PATIENTS[0])
  t.equal(eventsOf(text).length, 2)
  const { faults, notices } = await verifyText(t, text)
  t.same(faults, [])
  t.match(notices.slice(1), [`Number 1 to 2 of share ${first.share.id} is not in the file.`])

  // What its own specialist was refused is numbered, what a stranger was is not.
  const notShared = sharedPath(first.share.id, first.caseId)
  await exchange.client('specialistGb').send('GET', notShared)
  const refused = await exported(exchange, { share: first.share.id, outcome: 'refused' })
  t.equal(eventsOf(refused.text).length, 2)
  t.match((await verifyText(t, refused.text)).notices.slice(1), [/^Number 1 to 4 of share/])
  const none = await exported(exchange, { action: 'share.revoke' })
  t.match(await verifyText(t, none.text), { faults: [], summary: { events: 0 } })
})

t.test('what is erased, and what belongs to others, is marked and proven all the same', async t => {
  const exchange = await startExchange(t)
  const { first } = await liveliness(exchange)
  const { database, audit, serviceKeys } = exchange.exchange
  const owner = await ownerDatabase(t, { database, settings: exchange.settings })
  const order = { reference: 'order 7' }
  await eraseDetails({ database: owner, audit, serviceKeys }, { caseId: first.caseId }, order)
  const { text } = await exported(exchange, { case: first.caseId })
  const events = eventsOf(text)
  const erased = events.filter(event => event.erased)
  t.equal(erased.length, events.length - 1, 'all but the erasure')
  t.notOk(erased.some(event => 'salt' in event || 'details' in event))
  const verdict = await verifyText(t, text)
  t.match(verdict, { faults: [], summary: { erased: erased.length, details: 1 } })

  // Another hospital learns of its own people alone, and never who the patients of others are.
  const { otherAuditor } = exchange.people
  const foreign = await exported(exchange, {}, 'otherAuditor')
  const own = eventsOf(foreign.text)
  t.ok(own.length > 0)
  for (const event of own.filter(({ withheld }) => withheld === undefined)) {
    t.ok(
      event.details?.includes(otherAuditor.organisationId) || !event.details?.includes('patient')
    )
  }
  t.match(await verifyText(t, foreign.text), { faults: [] })
})

t.test('of the data of another organisation the details stay with that one', async t => {
  const exchange = await startExchange(t)
  const { second } = await liveliness(exchange)
  const { specialistIe } = exchange.people
  // An auditor of the specialist's clinic.
  const account = { organisation: specialistIe.organisationId, role: 'auditor', name: 'Una Crake' }
  const accountId = await addAccount(exchange.exchange, account)
  const key = await addClient(exchange.exchange, { accountId })
  const person = { name: 'Una Crake', accountId, organisationId: specialistIe.organisationId, key }
  const auditor = makeClient(() => exchange.url, exchange.clock.now, person)
  const body = { format: 'proof', share: second.share.id }
  const { text } = await auditor.send('POST', EXPORT, body)
  const events = eventsOf(text)
  t.ok(events.length > 1, 'what its specialist opened and read')
  t.ok(events.every(event => event.withheld && event.details === undefined))
  t.match(await verifyText(t, text), { faults: [], summary: { details: 0 } })
})

t.test('every change to the file is named', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const { text } = await exported(exchange)
  const events = eventsOf(text)
  const [newest, second] = events
  const cut = text.slice(0, text.lastIndexOf('{'))
  const change = (make: (event: Line) => object) => rewritten(text, edited(make))
  const other = (d: string) => d.replace(/"outcome":"\w+"/, '"outcome":"failed"')
  const table: [name: string, text: string, faults: RegExp[]][] = [
    ['no last line', cut, [/^The last line is missing: the file was cut off\.$/]],
    ['half a line', text.slice(0, 3000), [/is not written as we do/, /^The last line is missing/]],
    ['more after the end', `${text}{}\n`, [/^Line \d+ comes after the last\.$/]],
    [
      'a line less',
      text.replace(`${linesOf(text)[5]}\n`, ''),
      [/not those it has the digest of/, /^The last line tells of/]
    ],
    ['a byte of a line', text.replace('"index"', '"Index"'), [/written as we do/, /the digest of/]],
    ['a leaf', change(e => ({ ...e, leaf: other(e.leaf) })), [/^Line 2, event \d+: its proof/]],
    ['an index', change(e => ({ ...e, index: e.index - 1 })), [/^Line 2, event \d+: its proof/]],
    ['a proof', change(e => ({ ...e, proof: second?.proof })), [/^Line 2, event \d+: its proof/]],
    [
      'less proof',
      change(e => ({ ...e, proof: e.proof.slice(1) })),
      [/^Line 2, event \d+: its proof/]
    ],
    [
      'a hash spelt otherwise',
      change(e => ({ ...e, proof: e.proof.map(hash => hash.replace('=', '')) })),
      [/^Line 2, event \d+: its proof/]
    ],
    [
      'details',
      change(e => ({ ...e, details: e.details?.replace('"asked":{}', '"asked":{"to":"1"}') })),
      [/^Line 2, event \d+: its details are not those its leaf commits to\.$/]
    ],
    [
      'another salt',
      change(e => ({ ...e, salt: second?.salt })),
      [/^Line 2, event \d+: its details are not those its leaf commits to\.$/]
    ],
    [
      'no details',
      change(({ details: _, ...e }) => e),
      [/^Line 2, event \d+: its details or their salt are missing\.$/]
    ],
    [
      'details said to be erased',
      change(e => ({ ...e, erased: true })),
      [/^Line 2, event \d+: it has details and says that it has none\.$/]
    ],
    [
      'something more',
      change(e => ({ ...e, seen: true })),
      [/^Line 2: it is not written as we do/]
    ],
    [
      'a member twice',
      rewritten(text, ([first = '', ...rest]) => [first.replace('{', '{"index":1,'), ...rest]),
      [/^Line 2: it is not written as we do/]
    ],
    [
      'a line twice',
      rewritten(text, ([first = '', ...rest]) => [first, first, ...rest]),
      [/^Line 3, event \d+: it comes again, or after one that is older\.$/]
    ],
    [
      'lines in another order',
      rewritten(text, ([first = '', next = '', ...rest]) => [next, first, ...rest]),
      [/^Line 3, event \d+: it comes again, or after one that is older\.$/]
    ]
  ]
  t.ok(newest?.details?.includes('"asked":{}'), 'the newest event is this export')
  for (const [name, changed, expected] of table) {
    t.not(changed, text, name)
    assertFaults(t, (await verifyText(t, changed)).faults, expected)
  }
})

t.test('the checkpoint of an export is one of the log, and agrees with those known', async t => {
  const exchange = await startExchange(t)
  await liveliness(exchange)
  const { text } = await exported(exchange)
  const [first = ''] = linesOf(text)
  const { checkpoint } = JSON.parse(first)
  const forged = text.replace(first, first.replace(/\\n(\d+)\\n/, '\\n1$1\\n'))
  t.match((await verifyText(t, forged)).faults, [/^The checkpoint of the export: A signature/])
  const known = { older: [{ name: 'Mine', note: checkpoint }] }
  t.same((await verifyText(t, text, known)).faults, [])
  await exchange.client('auditor').send('GET', '/v1/audit/events')
  const { note } = await exchange.exchange.tree.settle()
  const later = await verifyText(t, text, { older: [{ name: 'Later', note }] })
  t.match(later, { faults: [], notices: [/Key taken/, /^Later: an export cannot show/] })
  for (const none of ['', '{}\n', 'id,at\n', '{"format":"consilium-audit-export","version":2}\n']) {
    await t.rejects(verifyText(t, none), { name: 'Unverifiable' }, JSON.stringify(none))
  }
})

t.test('a number of a share that is proven twice is a fault', async t => {
  t.testdir()
  const share = uuidv7()
  const told = async (first: number, second: number) => {
    const older = makeLeaf(BEGAN, { share, n: first, d })
    const { text } = exportOf([older, makeLeaf(BEGAN + 1, { share, n: second, d })])
    return (await verifyText(t, text)).faults
  }
  t.same(await told(1, 2), [])
  const again = (n: number) => `Line 3, event 0: number ${n} of share ${share} comes again.`
  t.same(await told(2, 2), [again(2)])
  t.same(await told(3, 2), [again(3)], 'nor may it go back')
})

t.test('what is signed and is no leaf of ours, or signed twice, is named', async t => {
  t.testdir()
  const leaf = makeLeaf(BEGAN, { d })
  const { text: odd } = exportOf([Buffer.from('{"v":1}'), leaf])
  t.same((await verifyText(t, odd)).faults, ['Line 3, event 0: its leaf names no action.'])

  const { text, log } = exportOf([leaf, makeLeaf(BEGAN + 1, { d })])
  const note = log.sign({ size: 2, root: leafHash(Buffer.of(1)) }).toString()
  const { faults } = await verifyText(t, text, { older: [{ name: 'Mine', note }] })
  t.same(faults, ['Mine: the log signed another tree of 2 events.'])
})
