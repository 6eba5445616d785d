import { asc } from '../../schemas/drizzle.ts'
import { isErased, knownCase, openCaseKey } from '../cases/case.ts'
import type { Exchange } from '../exchange.ts'
import { openReasons } from './holds.ts'
import { manifestOf, manifestSum } from './manifest.ts'
import { blobsOf, type ErasureRow, erasedRecordsOf, eventOf } from './queries.ts'

type Parts = Pick<Exchange, 'database' | 'keyring' | 'audit'>
type Look = (what: string, at: () => Promise<unknown>) => Promise<void>

/**
 * Looks at every hold and every erasure: reasons open, what is left of the rows is what the event on
 * the access log says was erased, and nothing else has lost its key. Blobs of files that are still to
 * be removed, or that the store keeps, are added to `blobs`; the former are told of.
 */
export async function checkRetention(
  { database, keyring, audit }: Parts,
  look: Look,
  blobs: Set<string>
): Promise<void> {
  const { read } = database
  const { erasures, legalHolds, erasedRecords, erasedCases, records, cases } = read.tables
  for (const hold of await read.select().from(legalHolds)) {
    await look(`Hold ${hold.id}`, async () => {
      const found = await knownCase(read, hold.caseId)
      if (!isErased(found)) openReasons(await openCaseKey(keyring, found), hold)
    })
  }
  for (const row of await read.select().from(erasures).orderBy(asc(erasures.id))) {
    await look(`Erasure ${row.id}`, async () => {
      if (row.filesAt === null || row.filesKept > 0) {
        for (const blob of await blobsOf(read, row.id)) blobs.add(blob)
      }
      const manifest = manifestSum(await manifestOf(read, await erasedRecordsOf(read, row.id)))
      if (!manifest.equals(row.manifest)) throw new Error('its rows are not what was erased')
      await requireOnLog(row)
      if (row.filesAt === null) throw new Error('some of its files are still to be removed')
    })
  }
  await requireSame('Record', await ids(records), await read.select().from(erasedRecords))
  await requireSame('Case', await ids(cases), await read.select().from(erasedCases))

  async function requireOnLog({ id, eventId, manifest }: ErasureRow): Promise<void> {
    const event = await eventOf(read, eventId)
    if (event?.action !== 'case.erase') throw new Error('it is not on the access log')
    const details = audit.openDetails(eventId, event.detailsSealed)
    const isSame = details.erasure === id && details.manifest === manifest.toString('hex')
    if (!isSame) throw new Error('it is not what the access log says')
  }

  async function ids(table: typeof records | typeof cases): Promise<string[]> {
    const rows = await read.select({ id: table.id, wrappedKey: table.wrappedKey }).from(table)
    return rows.filter(isErased).map(({ id }) => id)
  }

  /** Just those have no key that were erased. */
  async function requireSame(
    what: string,
    without: string[],
    rows: ({ recordId: string } | { caseId: string })[]
  ): Promise<void> {
    const named = new Set(rows.map(row => ('recordId' in row ? row.recordId : row.caseId)))
    for (const id of without) {
      if (named.delete(id)) continue
      await look(`${what} ${id}`, async () => {
        throw new Error('its key is gone, and no erasure names it')
      })
    }
    for (const id of named) {
      await look(`${what} ${id}`, async () => {
        throw new Error('it was erased, and has a key again')
      })
    }
  }
}
