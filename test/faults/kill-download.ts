import type { Test } from 'tap'
import {
  type AuditRow,
  numberedText,
  openShare,
  type RawCall,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'
import { type BeginStory, ROUNDS } from './kill-rounds.ts'

export const DOWNLOAD_MARKER = 'whimbrel-in-clear'
const large = {
  name: 'large.txt',
  bytes: Buffer.concat([Buffer.from(DOWNLOAD_MARKER), numberedText(12_000_000).bytes])
}
const small = { name: 'small.txt', bytes: Buffer.from(`${DOWNLOAD_MARKER} small\n`) }

/** A request that was told its id, and how much content it got. */
interface Seen {
  requestId: string
  bytes: number
}

/** Content read, slowly and fast: every byte that arrived is on the log, cut short or not. */
export const downloads: BeginStory = async (t, service, caseId) => {
  const clinician = service.client('clinician')
  const one = await uploadRecord(clinician, caseId, { files: [large] })
  const two = await uploadRecord(clinician, caseId, { files: [small] })
  const share = await shareRecords(service, caseId, [one.id, two.id])
  await openShare(service.client('specialistGb'), share.link)
  const seen: Seen[] = []
  let whole = 0

  async function read(id: string, original: Buffer, follow: (call: RawCall) => Promise<Buffer>) {
    const call = await service.raw('specialistGb', `GET ${sharedPath(share.id, id)}`)
    try {
      const { status, headers } = await call.head()
      if (status === 0) return
      const got = await follow(call)
      seen.push({ requestId: String(headers['x-request-id']), bytes: got.length })
      if (status !== 200) t.fail(`answered ${status}`)
      if (!original.subarray(0, got.length).equals(got)) t.fail('a wrong byte was delivered')
      if (got.length === original.length) whole += 1
    } finally {
      call.abort()
    }
  }
  const readAll = () => read(one.id, large.bytes, call => call.rest())
  const readSmall = () => read(two.id, small.bytes, call => call.rest())
  const readSlowly = () =>
    read(one.id, large.bytes, async call => {
      await call.take(100_000)
      await new Promise(resolve => setTimeout(resolve, 50))
      return call.rest()
    })

  async function look() {
    const left = await service.look(({ database }) =>
      database.read.select().from(database.read.tables.openDisclosures)
    )
    if (left.length > 0) t.fail('a disclosure was left open')
  }

  async function finish() {
    t.comment(`${whole} whole downloads in ${ROUNDS} rounds`)
    judge(t, seen, await service.events({ action: 'content.read', shareId: share.id }))
  }

  return { workers: [readAll, readSlowly, readSmall], look, finish }
}

function judge(t: Test, seen: Seen[], events: AuditRow[]): void {
  const granted = new Map(
    events
      .filter(event => event.outcome === 'granted')
      .map(event => [event.details['requestId'], event])
  )
  const ends = new Map(events.filter(event => event.grantId).map(event => [event.grantId, event]))
  t.equal(ends.size, granted.size, 'every disclosure has its two events')
  t.equal(events.length, 2 * granted.size, 'and no third')
  for (const { requestId, bytes } of seen) {
    const grant = granted.get(requestId)
    if (grant === undefined) t.fail('content without an event')
    const end = ends.get(grant?.id ?? '')
    const most = end?.outcome === 'interrupted' ? Infinity : Number(end?.bytesHandedOver)
    if (bytes > most) t.fail(`${bytes} bytes arrived, ${most} are on the log`)
  }
  const outcomes = [...ends.values()].map(event => event.outcome)
  const count = (outcome: string) => outcomes.filter(name => name === outcome).length
  t.comment(`on the log ${count('complete')} complete, ${count('interrupted')} interrupted`)
  t.ok(count('interrupted') >= ROUNDS / 4 && count('complete') > ROUNDS / 4)
  t.strictSame([...new Set(outcomes)].sort(), ['complete', 'interrupted'])
}
