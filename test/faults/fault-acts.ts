import type { Test } from 'tap'
import type { Answer, Client } from '../helpers/client.ts'
import {
  type AuditRow,
  createCase,
  numberedText,
  openShare,
  type PersonName,
  type RawCall,
  sendLink,
  sendRecord,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'
import { PURPOSE } from '../helpers/story.ts'
import type { ActName } from './fault-table.ts'

/** In S3 a whole part and some. */
const FILE = numberedText(10_000_000)
const FIRST_BYTES = 100_000
/** On a case that is asked by its question alone. */
const OPINION = {
  answers: [{ number: 1, answer: 'Wait and see.' }],
  diagnosis: { agreement: 'confirms' },
  plan: { agreement: 'cannot-say' },
  limits: 'None.'
}

interface Stage {
  client(who?: PersonName): Client
  raw(who: PersonName, requestLine: string): Promise<RawCall>
  people: Record<PersonName, { accountId: string }>
  clock: { now(): number }
}

/** What the database shows, as a test may look at it. */
export interface Stored {
  records: { id: string }[]
  shares: { id: string; openings: number; revokedAt: number | null; replacedBy: string | null }[]
  moreTime: { id: string; shareGiven: string | null }[]
  erasures: { caseId: string }[]
  /** Those that were submitted. */
  opinions: { shareId: string; recordId: string | null }[]
  events: AuditRow[]
}

type Run = () => Promise<string>

/** Everything that clients do, with what was acknowledged. */
export interface Acts {
  /** Makes what the act needs, and gives the act itself: it resolves to how it was answered. */
  prepare: Record<ActName, () => Promise<Run>>
  /** Fails the test where anything acknowledged is missing. */
  assertNothingLost(t: Test, stored: Stored): void
}

/** `stage` is where acts are made ready, `at` where they are then done. */
export async function faultActs(stage: Stage, at: Pick<Stage, 'client' | 'raw'>): Promise<Acts> {
  const clinician = stage.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [FILE] })
  const counted = await shareRecords(stage, caseId, [record.id])
  await openShare(stage.client('specialistGb'), counted.link)
  const seen = {
    uploads: [] as string[],
    shares: [] as string[],
    openings: 1,
    opinions: [] as string[],
    revoked: [] as string[],
    downloads: [] as { id: string; bytes: number }[],
    queries: 0,
    asks: [] as string[],
    /** Shares that give more time, and cases that were erased. */
    given: [] as string[],
    erased: [] as string[]
  }
  /** A token is asked for before the fault, which is another act. */
  const by = async (who: PersonName) => {
    const client = at.client(who)
    await client.token()
    return client
  }

  const prepare: Acts['prepare'] = {
    async upload() {
      const client = await by('clinician')
      return async () => {
        const answer = await answered(sendRecord(client, caseId, { files: [FILE] }))
        if (answer?.status === 201) seen.uploads.push(String(answer.json['id']))
        return told(answer)
      }
    },
    async share() {
      const client = await by('clinician')
      const specialist = stage.people.specialistGb.accountId
      const body = { specialist, records: [record.id], purpose: PURPOSE }
      return async () => {
        const answer = await answered(client.send('POST', `/v1/cases/${caseId}/shares`, body))
        if (answer?.status === 201) seen.shares.push(String(answer.json['id']))
        return told(answer)
      }
    },
    async open() {
      const client = await by('specialistGb')
      return async () => {
        const answer = await answered(sendLink(client, counted.link))
        if (answer?.status === 200) seen.openings += 1
        return told(answer)
      }
    },
    async download() {
      await by('specialistGb')
      return () => download(at, sharedPath(counted.id, record.id), seen.downloads)
    },
    async opinion() {
      const client = await by('specialistGb')
      const { id, link } = await shareRecords(stage, caseId, [record.id])
      const specialist = stage.client('specialistGb')
      await openShare(specialist, link)
      const path = `/v1/shares/${id}/opinion`
      await specialist.send('PUT', path, OPINION, { 'if-match': '"0"' })
      return async () => {
        const submitted = client.send('POST', `${path}/submit`, undefined, { 'if-match': '"1"' })
        const answer = await answered(submitted)
        if (answer?.status === 200) seen.opinions.push(id)
        return told(answer)
      }
    },
    async revoke() {
      const client = await by('clinician')
      const { id } = await shareRecords(stage, caseId, [record.id])
      return async () => {
        const answer = await answered(client.send('DELETE', `/v1/shares/${id}`))
        if (answer?.status === 200) seen.revoked.push(id)
        return told(answer)
      }
    },
    async 'audit query'() {
      const client = await by('auditor')
      return async () => {
        const answer = await answered(client.send('GET', `/v1/audit/events?case=${caseId}`))
        if (answer?.status === 200) seen.queries += 1
        return told(answer)
      }
    },
    async 'ask for more time'() {
      const client = await by('specialistGb')
      const { id } = await shareRecords(stage, caseId, [record.id])
      return async () => {
        const answer = await answered(client.send('POST', `/v1/shares/${id}/more-time`))
        if (answer?.status === 201) seen.asks.push(String(answer.json['id']))
        return told(answer)
      }
    },
    async 'give more time'() {
      const client = await by('clinician')
      const { id } = await shareRecords(stage, caseId, [record.id])
      const path = `/v1/shares/${id}/more-time`
      await stage.client('specialistGb').json('POST', path)
      return async () => {
        const given = client.send('POST', `${path}/approve`, { lifeHours: 200 })
        const answer = await answered(given)
        if (answer?.status === 201) seen.given.push(String(answer.json['id']))
        return told(answer)
      }
    },
    async erase() {
      const client = await by('administrator')
      const { id } = await createCase(clinician)
      await uploadRecord(clinician, id, { files: [numberedText(100)] })
      return async () => {
        const order = { reason: 'The patient asked for it' }
        const answer = await answered(client.send('POST', `/v1/cases/${id}/erasure`, order))
        if (answer?.status === 201) seen.erased.push(id)
        return told(answer)
      }
    }
  }

  function assertNothingLost(t: Test, stored: Stored): void {
    const { records, shares, opinions, moreTime, erasures, events } = stored
    const ids = (rows: { id: string }[]) => new Set(rows.map(row => row.id))
    const lost = (wanted: string[], rows: { id: string }[]) =>
      wanted.filter(id => !ids(rows).has(id))
    const count = (match: (event: AuditRow) => boolean) => events.filter(match).length
    t.strictSame(lost(seen.uploads, records), [], 'no upload is lost')
    t.strictSame(lost(seen.shares, shares), [], 'no share is lost')
    const given = new Set(opinions.map(({ shareId }) => shareId))
    const missing = seen.opinions.filter(id => !given.has(id))
    t.strictSame(missing, [], 'no opinion is lost')
    const pdfs = opinions.map(({ recordId }) => String(recordId))
    t.strictSame(lost(pdfs, records), [], 'nor its PDF')
    const withdrawn = shares.filter(row => row.revokedAt !== null)
    t.strictSame(lost(seen.revoked, withdrawn), [], 'no withdrawal is lost')
    const openings = shares.find(row => row.id === counted.id)?.openings ?? 0
    t.ok(openings >= seen.openings, 'no opening is lost')
    t.equal(
      count(
        ({ action, outcome, shareId }) =>
          action === 'link.open' && outcome === 'success' && shareId === counted.id
      ),
      openings,
      'each has its event'
    )
    t.ok(count(event => event.action === 'audit.query') >= seen.queries, 'no question is lost')
    t.strictSame(lost(seen.asks, moreTime), [], 'no request for more time is lost')
    const replacing = shares.flatMap(({ replacedBy }) => replacedBy ?? [])
    t.strictSame(
      replacing.filter(id => !ids(shares).has(id)),
      [],
      'no share is replaced by nothing'
    )
    const answers = moreTime.flatMap(({ shareGiven }) => shareGiven ?? [])
    t.strictSame(answers.sort(), replacing.sort(), 'whoever is given more time had asked')
    const missed = seen.given.filter(id => !replacing.includes(id))
    t.strictSame(missed, [], 'no time that was given is lost')
    const gone = erasures.map(({ caseId }) => caseId)
    const left = seen.erased.filter(id => !gone.includes(id))
    t.strictSame(left, [], 'no erasure is lost')
    const told = count(({ action, outcome }) => action === 'case.erase' && outcome === 'success')
    t.equal(told, gone.length, 'and each has its event')
    for (const { id, bytes } of seen.downloads) {
      const own = events.filter(event => event.details['requestId'] === id)
      t.equal(own.length, 2, 'a download has its two events')
      const end = own.find(event => event.grantId !== null)
      const most = end?.outcome === 'interrupted' ? Infinity : Number(end?.bytesHandedOver)
      t.ok(most >= bytes, 'which tell of all that arrived')
    }
  }
  return { prepare, assertNothingLost }
}

/** Reads slowly, so that whatever happens does so while it runs. */
async function download(
  at: Pick<Stage, 'raw'>,
  path: string,
  seen: { id: string; bytes: number }[]
): Promise<string> {
  const call = await at.raw('specialistGb', `GET ${path}`)
  const { status, headers } = await call.head()
  if (status === 0) return 'no answer'
  if (status !== 200) return `${status} ${JSON.parse((await call.rest()).toString()).code}`
  await call.take(FIRST_BYTES)
  const got = await call.rest()
  seen.push({ id: String(headers['x-request-id']), bytes: got.length })
  if (!FILE.bytes.subarray(0, got.length).equals(got)) return 'a wrong byte'
  return got.length === FILE.bytes.length ? 'done' : 'cut'
}

/** Undefined when the connection broke before there was an answer. */
const answered = (answer: Promise<Answer>): Promise<Answer | undefined> =>
  answer.catch(() => undefined)

function told(answer: Answer | undefined): string {
  if (answer === undefined) return 'no answer'
  return answer.status < 300 ? 'done' : `${answer.status} ${answer.json['code']}`
}
