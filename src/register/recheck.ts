import type { Exchange } from '../exchange.ts'
import { verifiedUntil } from './enrolled-entry.ts'
import { type EntryRow, nameRef, openEntry, sealEntry } from './entry.ts'
import { changeEntry, findEntry, latestFile, registerRow } from './queries.ts'
import {
  entriesAgainstFile,
  entriesRunOut,
  entriesToVerify,
  filesWithRows,
  noteExpiry,
  removeRows
} from './recheck-queries.ts'
import { GMC_SYSTEM } from './rules.ts'
import { verdictOf } from './verdict.ts'

/** Registers whose files may be there. */
const SOURCES = [{ system: GMC_SYSTEM, name: 'GMC' }]
/** Entries looked at in one go, so that no request waits long. */
const BATCH = 100
const ROWS_BATCH = 1000
/** How long an import may take before its rows count as left behind. */
const IMPORT_HOURS_MAX = 24
const HOUR_MILLISECONDS = 3_600_000

/** Who does it, on the log. */
const BY = { by: 'register check' }
const TITLE = /^(dr|prof|professor|mr|mrs|ms|miss|mx|sir|dame|lord|lady)\.?$/i

type Parts = Pick<Exchange, 'database' | 'audit' | 'serviceKeys' | 'clock'>
type Found = Awaited<ReturnType<typeof latestFile>> & object

/**
 * Compares the register with the latest file of each professional body. Who is suspended, erased,
 * without a licence or not there at all loses the verification at once, and their shares are shut with
 * it. Who has enrolled and is there under their own name is verified by it: but never somebody who was
 * unverified for a reason, which only a person may look into. Then notes on the log whose verification
 * has run out; they are refused from the moment it does, whether this runs or not.
 *
 * Safe to stop, to repeat, and to run in several processes: each change is made for one version.
 */
export async function recheckRegister(
  exchange: Parts
): Promise<{ verified: number; unverified: number }> {
  let [verified, unverified] = [0, 0]
  for (const { system, name } of SOURCES) {
    const file = await latestFile(exchange.database.read, system)
    if (file === undefined) continue
    await eachEntry(
      after => entriesAgainstFile(exchange.database.read, file, after, BATCH),
      async row => {
        if (await unverify(exchange, row)) unverified += 1
      }
    )
    await eachEntry(
      after => entriesToVerify(exchange.database.read, file, after, BATCH),
      async row => {
        if (await verifyByFile(exchange, row, file, name)) verified += 1
      }
    )
  }
  await noteExpiries(exchange)
  return { verified, unverified }
}

/** Removes the rows of files that count no more, and of imports that never ended. */
export async function removeOldRows({
  database,
  clock
}: Pick<Exchange, 'database' | 'clock'>): Promise<void> {
  const before = clock() - IMPORT_HOURS_MAX * HOUR_MILLISECONDS
  const candidates = await filesWithRows(database.read, before)
  // Looked up after them: a file that was read whole in between is the latest now.
  const latest = await Promise.all(SOURCES.map(({ system }) => latestFile(database.read, system)))
  const kept = new Set(latest.map(file => file?.id))
  for (const fileId of candidates.filter(id => !kept.has(id))) {
    while ((await database.write(tx => removeRows(tx, fileId, ROWS_BATCH))) === ROWS_BATCH);
  }
}

async function eachEntry(
  fetch: (after: string) => Promise<EntryRow[]>,
  look: (row: EntryRow) => Promise<void>
): Promise<void> {
  let after = ''
  for (;;) {
    const rows = await fetch(after)
    for (const row of rows) await look(row)
    const last = rows.at(-1)
    if (last === undefined || rows.length < BATCH) return
    after = last.id
  }
}

/** Judged again inside the transaction: an administrator may have been there in between. */
function unverify({ database, audit, clock }: Parts, { id }: EntryRow): Promise<boolean> {
  return database.write(async tx => {
    const [row] = await findEntry(tx, { id })
    const reason = row === undefined ? undefined : await verdictOf(tx, row)
    if (row === undefined || row.verifiedAt === null || reason === undefined) return false
    const changed = await changeEntry(tx, row, {
      verifiedAt: null,
      verifiedUntil: null,
      unverifiedReason: reason,
      expiryNotedAt: null,
      changedAt: clock()
    })
    if (changed === undefined) return false
    await audit.append(tx, {
      action: 'specialist.unverify',
      outcome: 'success',
      details: { ...BY, specialist: id, reason, ...(row.accountId && { account: row.accountId }) }
    })
    return true
  })
}

function verifyByFile(
  exchange: Parts,
  { id }: EntryRow,
  file: Found,
  name: string
): Promise<boolean> {
  const { database, audit, serviceKeys, clock } = exchange
  return database.write(async tx => {
    const [row] = await findEntry(tx, { id })
    if (row?.unverifiedReason !== 'enrolled' || row.numberRef === null) return false
    if ((await verdictOf(tx, row)) !== undefined) return false
    const details = openEntry(serviceKeys, row)
    const found = await registerRow(tx, file.id, row.numberRef)
    const refs = namesOf(details.name).map(([given, family]) =>
      nameRef(serviceKeys.lookup, family, given)
    )
    if (!refs.some(ref => found?.nameRef.equals(ref))) return false
    const day = new Date(file.asOf).toISOString().slice(0, 10)
    const evidence = `${name} register file of ${day}, SHA-256 ${file.sha256.toString('hex')}`
    const verification = { by: `${name} register file`, evidence }
    const now = clock()
    const changed = await changeEntry(tx, row, {
      detailsSealed: sealEntry(serviceKeys, id, { ...details, verification }),
      verifiedAt: now,
      verifiedUntil: verifiedUntil(now),
      unverifiedReason: null,
      expiryNotedAt: null,
      changedAt: now
    })
    if (changed === undefined) return false
    await audit.append(tx, {
      action: 'specialist.verify',
      outcome: 'success',
      details: { ...BY, specialist: id, evidence, ...(row.accountId && { account: row.accountId }) }
    })
    return true
  })
}

/**
 * How a name in one piece may fall into given and family name. Registers have the first given name by
 * itself; a family name may be several words.
 */
function namesOf(name: string): [given: string, family: string][] {
  const words = name.split(/\s+/).filter(word => word !== '' && !TITLE.test(word))
  const [given = '', ...rest] = words
  return rest.map((_, first) => [given, rest.slice(first).join(' ')])
}

async function noteExpiries({ database, audit, clock }: Parts): Promise<void> {
  for (;;) {
    const rows = await entriesRunOut(database.read, clock(), BATCH)
    for (const { id, accountId } of rows) {
      await database.write(async tx => {
        if (!(await noteExpiry(tx, id, clock()))) return
        await audit.append(tx, {
          action: 'specialist.expire',
          outcome: 'success',
          details: { ...BY, specialist: id, ...(accountId && { account: accountId }) }
        })
      })
    }
    if (rows.length < BATCH) return
  }
}
