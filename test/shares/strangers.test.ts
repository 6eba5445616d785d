import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { LogPage } from '../audit/scene.ts'
import { verified } from '../audit/verify/stage.ts'
import { type Answer, sendLink, startExchange } from '../helpers/exchange.ts'
import { parametersOf, pathOf, setScene } from '../routes/scene.ts'
import { shareStates, shareTable } from '../routes/table.ts'

/** One service for all tests of this file: none changes what another looks at. */
const exchange = await startExchange(t)
const scene = await setScene(exchange)

/** All of an answer but what differs between any two requests. */
function comparable({ status, headers, json }: Answer) {
  const { requestId, ...problem } = json
  const idLength = headers.get('x-request-id')?.length ?? 0
  const kept = [...headers]
    .filter(([name]) => name !== 'date' && name !== 'x-request-id')
    // The id of the request is in the body too, and has one character more now and then.
    .map(([name, value]) => [name, name === 'content-length' ? Number(value) - idLength : value])
  return { status, problem, headers: kept }
}

t.test('to a stranger a share that is another’s, expired or withdrawn does not exist', async t => {
  for (const who of ['stranger', 'specialistIe'] as const) {
    const stranger = exchange.client(who)
    for (const route of Object.keys(shareTable).filter(route => !route.startsWith('POST'))) {
      const [method = '', url = ''] = route.split(' ')
      const unknown = await stranger.send(
        method,
        pathOf(url, { ...parametersOf(scene), share: uuidv7() })
      )
      t.equal(unknown.status, 404)
      for (const state of shareStates) {
        const answer = await stranger.send(method, pathOf(url, parametersOf(scene, state)))
        t.same(comparable(answer), comparable(unknown), `${route} of one that is ${state}`)
      }
    }
  }
})

t.test('to a stranger every link is as good as a forged one', async t => {
  const stranger = exchange.client('stranger')
  const [head, claims, signature = ''] = scene.shares.live.link.split('.')
  const forged = await sendLink(stranger, `${head}.${claims}.${[...signature].reverse().join('')}`)
  t.match(forged, { status: 404, json: { code: 'share-not-found' } })
  for (const state of shareStates) {
    const answer = await sendLink(stranger, scene.shares[state].link)
    t.same(comparable(answer), comparable(forged), `the link of a share that is ${state}`)
  }
})

t.test('to another trust a case, a record and a share do not exist', async t => {
  const other = exchange.client('otherClinician')
  for (const [method, url] of [
    ['GET', '/v1/cases/:case'],
    ['GET', '/v1/cases/:case/records'],
    ['GET', '/v1/records/:record'],
    ['GET', '/v1/records/:record/content'],
    ['GET', '/v1/records/:record/objects/:object/content'],
    ['DELETE', '/v1/shares/:share'],
    ['GET', '/v1/shares?case=:case']
  ] as const) {
    const nothing = { case: uuidv7(), record: uuidv7(), object: uuidv7(), share: uuidv7() }
    const unknown = await other.send(method, pathOf(url, nothing))
    const theirs = await other.send(method, pathOf(url, parametersOf(scene)))
    t.equal(unknown.status, 404, url)
    t.same(comparable(theirs), comparable(unknown), `${method} ${url}`)
  }
})

t.test('nobody shares with somebody who is no specialist, or what is not in the case', async t => {
  const other = await setScene(exchange)
  const share = (specialist: string, records: string[]) =>
    exchange
      .client('clinician')
      .send('POST', `/v1/cases/${scene.caseId}/shares`, { specialist, records, purpose: 'x' })
  const { specialistGb, colleague, auditor } = exchange.people
  for (const id of [
    uuidv7(),
    colleague.accountId,
    auditor.accountId,
    specialistGb.organisationId
  ]) {
    const answer = await share(id, [scene.recordId])
    t.match(answer, { status: 422, json: { code: 'specialist-not-found' } })
  }
  for (const records of [
    [uuidv7()],
    [other.recordId],
    [scene.recordId, other.recordId],
    [scene.objectId],
    [scene.caseId]
  ]) {
    const answer = await share(specialistGb.accountId, records)
    t.match(answer, { status: 422, json: { code: 'record-not-in-case' } })
  }
  for (const records of [[], [scene.recordId, scene.recordId], ['*'], 'all', undefined]) {
    const answer = await share(specialistGb.accountId, records as string[])
    t.match(answer, { status: 400, json: { code: 'request-invalid' } }, 'there is no "everything"')
  }
})

t.test('what is public of an event names a share for its parties alone', async t => {
  const scene = await setScene(exchange)
  const { id, link } = scene.shares.live
  const leavesOf = async (work: () => Promise<unknown>) => {
    const { events } = await exchange.eventsOf(work)
    return events.filter(({ action }) => action !== 'token.issue')
  }
  const strangers: [who: 'stranger' | 'specialistIe' | 'otherClinician', Try][] = [
    ['stranger', who => sendLink(who, link)],
    ['stranger', who => who.send('GET', `/v1/shares/${id}`)],
    ['specialistIe', who => who.send('GET', `/v1/shares/${id}/records/${scene.recordId}/content`)],
    ['otherClinician', who => who.send('DELETE', `/v1/shares/${id}`)]
  ]
  const before = await countOf(id)
  for (const [who, tryIt] of strangers) {
    const [event, ...more] = await leavesOf(() => tryIt(exchange.client(who)))
    t.same(more, [])
    t.match(event, { outcome: 'refused', code: 'share-not-found', shareId: id })
    const leaf = event?.leaf.toString() ?? ''
    t.notOk(leaf.includes(id), `${who}: not in the leaf`)
    t.notMatch(JSON.parse(leaf), { n: Number })
  }
  t.equal(await countOf(id), before, 'nor counted')

  const auditor = exchange.client('auditor')
  const { events } = await auditor.json<LogPage>('POST', '/v1/audit/events/search', { share: id })
  const refused = events.filter(({ outcome }) => outcome === 'refused')
  t.equal(refused.length, strangers.length, 'its own auditor finds all of them')

  const [own] = await leavesOf(() =>
    exchange.client('specialistGb').send('GET', `/v1/shares/${id}`)
  )
  t.match(JSON.parse(own?.leaf.toString() ?? ''), { share: id, n: before + 1 }, 'and n has no gap')
  await exchange.exchange.tree.settle()
  const { openSnapshot } = exchange.exchange.database
  t.same((await verified(exchange.directory, { openSnapshot })).faults, [], 'all of it proven')
})

type Try = (client: ReturnType<typeof exchange.client>) => Promise<unknown>

async function countOf(shareId: string): Promise<number> {
  const { read } = exchange.exchange.database
  const counts = await read.select().from(read.tables.auditShareCounts)
  return counts.find(row => row.shareId === shareId)?.events ?? 0
}
