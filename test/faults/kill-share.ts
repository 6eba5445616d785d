import { openShare, type ShareMade, shareRecords, uploadRecord } from '../helpers/exchange.ts'
import { type BeginStory, ROUNDS } from './kill-rounds.ts'

export const SHARE_MARKER = 'dotterel-in-clear'
const files = [{ name: 'letter.txt', bytes: Buffer.from(`${SHARE_MARKER}\n`) }]

/** Links made and opened: none that was acknowledged is lost, and every opening counts once. */
export const links: BeginStory = async (t, service, caseId) => {
  const specialist = service.client('specialistGb')
  const { id: recordId } = await uploadRecord(service.client('clinician'), caseId, { files })
  const counted = await shareRecords(service, caseId, [recordId])
  const made: ShareMade[] = []
  const openings = { asked: 0, acknowledged: 0, highest: 0 }

  async function make() {
    made.push(await shareRecords(service, caseId, [recordId]))
  }
  async function open() {
    openings.asked += 1
    const opened = await openShare(specialist, counted.link)
    openings.acknowledged += 1
    openings.highest = Math.max(openings.highest, opened.openings)
  }
  const rowsOf = () =>
    service.look(({ database }) => database.read.select().from(database.read.tables.shares))

  async function look() {
    const rows = await rowsOf()
    const count = rows.find(row => row.id === counted.id)?.openings ?? -1
    const known = new Set(rows.map(row => row.id))
    if (made.some(share => !known.has(share.id))) t.fail('a share was lost')
    const least = Math.max(openings.highest, openings.acknowledged)
    if (count < least || count > openings.asked) {
      t.fail(`${count} openings counted, ${least} acknowledged, ${openings.asked} asked for`)
    }
    const latest = made.at(-1)
    if (latest !== undefined) await openShare(specialist, latest.link)
  }

  async function finish() {
    t.comment(`${made.length} shares, ${openings.acknowledged} openings in ${ROUNDS} rounds`)
    t.ok(made.length > ROUNDS / 4 && openings.acknowledged > ROUNDS / 4)
    const rows = await rowsOf()
    const counts = rows.reduce((sum, row) => sum + row.openings, 0)
    const opened = await service.events({ action: 'link.open', outcome: 'success' })
    t.equal(opened.length, counts, 'one event for every opening counted')
    const created = await service.events({ action: 'share.create', outcome: 'success' })
    t.strictSame(created.map(event => event.shareId).sort(), rows.map(row => row.id).sort())
  }

  return { workers: [make, open, open], look, finish }
}
