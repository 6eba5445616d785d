import t, { type Test } from 'tap'
import { startBeside } from '../faults/real-service.ts'
import type { Answer, Client } from '../helpers/client.ts'
import { PUBLIC_URL } from '../helpers/data.ts'
import { freshPostgres, hasPostgres } from '../helpers/databases.ts'
import {
  isSound,
  numberedText,
  type PersonName,
  sharedRecord,
  startExchange
} from '../helpers/exchange.ts'
import { invite, mailOf, newKey } from '../register/scene.ts'
import { OPINION } from '../routes/scene.ts'

const ORDER = { reason: 'The patient asked for it' }

/** How often each answer was given. */
function tally(answers: Answer[]): Record<string, number> {
  const told = answers.map(({ status, json }) => `${json['code'] ?? status}`)
  return Object.fromEntries(
    [...Map.groupBy(told, one => one)].map(([one, all]) => [one, all.length])
  )
}

/** One exchange of two processes, and what both are asked at once, in turns. */
async function setUp(t: Test) {
  const { url } = await freshPostgres()
  const x = await startExchange(t, { env: { DATABASE_URL: url } })
  const beside = await startBeside(t, x, {
    DATABASE_URL: url,
    CONSILIUM_URL: PUBLIC_URL,
    CONSILIUM_FREE_BYTES_MIN: '0',
    CONSILIUM_REFUSALS_PER_MINUTE_MAX: '10000'
  })
  const atOnce = async (
    times: number,
    who: PersonName | undefined,
    ask: (client: Client, n: number) => Promise<Answer>
  ) => {
    const clients = [x.client(who), beside.client(who)]
    if (who !== undefined) await Promise.all(clients.map(client => client.token()))
    const asked = Array.from({ length: times }, (_, n) => {
      const client = clients[n % clients.length]
      if (client === undefined) throw new Error('There is no process to ask.')
      return ask(client, n)
    })
    return tally(await Promise.all(asked))
  }
  return { x, atOnce }
}

t.test('what two processes are asked at once is done as often as it may be', async t => {
  if (!hasPostgres(t)) return
  const { x, atOnce } = await setUp(t)
  const shared = () => sharedRecord(x, [numberedText(100)])
  const specialist = x.client('specialistGb')

  const { share, caseId } = await shared()
  const path = `/v1/shares/${share.id}`
  await specialist.json('POST', `${path}/more-time`)
  const given = await atOnce(6, 'clinician', (client, n) =>
    client.send('POST', `${path}/more-time/approve`, { lifeHours: 100 + n })
  )
  t.equal(given['201'], 1, 'more time is given once')
  const { shares } = await x
    .client('clinician')
    .json<{ shares: object[] }>('GET', `/v1/shares?state=live&case=${caseId}`)
  t.equal(shares.length, 1)

  const reviewed = `/v1/shares/${(await shared()).share.id}/opinion`
  await specialist.send('PUT', reviewed, OPINION, { 'if-match': '"0"' })
  const submitted = await atOnce(4, 'specialistGb', client =>
    client.send('POST', `${reviewed}/submit`, undefined, { 'if-match': '"1"' })
  )
  t.same(submitted, { 200: 1, 'opinion-final': 3 }, 'an opinion is submitted once')

  const right = await invite(x)
  const { link } = await mailOf(x, right.invitation.id)
  const keys = await Promise.all(Array.from({ length: 4 }, newKey))
  const accepted = await atOnce(4, undefined, (client, n) =>
    client.send('POST', '/v1/invitations/accept', { link, code: right.code, key: keys[n]?.key })
  )
  t.equal(accepted['201'], 1, `an invitation is accepted once: ${JSON.stringify(accepted)}`)

  const wrong = await mailOf(x, (await invite(x)).invitation.id)
  const guessed = await atOnce(20, undefined, (client, n) =>
    client.send('POST', '/v1/invitations/accept', {
      link: wrong.link,
      code: `00000-0000${n.toString(32).toUpperCase()}`,
      key: keys[0]?.key
    })
  )
  t.same(guessed, { 'enrolment-code-wrong': 5, 'invitation-locked': 15 }, 'a code has five tries')

  const held = (await shared()).caseId
  const holds = await atOnce(24, 'administrator', client =>
    client.send('POST', `/v1/cases/${held}/holds`, { reason: 'A claim' })
  )
  t.same(holds, { 201: 20, 'too-many-holds': 4 }, 'a case has twenty holds')

  const gone = (await shared()).caseId
  const erased = await atOnce(4, 'administrator', client =>
    client.send('POST', `/v1/cases/${gone}/erasure`, ORDER)
  )
  t.same(erased, { 201: 1, 'case-erased': 3 }, 'a case is erased once')
  t.equal((await x.auditEvents({ action: 'case.erase', outcome: 'success' })).length, 1)
  await isSound(t, x)
})
