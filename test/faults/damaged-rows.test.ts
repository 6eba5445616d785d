import t from 'tap'
import { eq } from '../../schemas/drizzle.ts'
import { checkExchange } from '../../src/housekeeping/check-exchange.ts'
import { intrude } from '../helpers/intruder.ts'
import { damaged, MARKER, setUp } from './damage-stage.ts'
import { assertFaults, readableIn } from './soundness.ts'

t.test('damaged rows', async t => {
  const { x, clinician, specialist, objects } = await setUp(t)
  const [large, one] = objects
  const { database } = x.exchange
  const intruder = await intrude(t, x.config)
  const { write } = intruder
  const { records, objects: objectRows, shares } = database.read.tables
  const [row] = await database.read.select().from(records).where(eq(records.id, large.recordId))
  const change = (values: Partial<typeof records.$inferInsert>) =>
    write(tx =>
      tx.update(tx.tables.records).set(values).where(eq(tx.tables.records.id, large.recordId))
    )
  const spoilt = (bytes: Buffer, at: number) => {
    const copy = Buffer.from(bytes)
    copy[at] = Number(copy[at]) ^ 1
    return copy
  }
  if (row === undefined) throw new Error('There is no record.')
  const [otherRow] = await database.read.select().from(records).where(eq(records.id, one.recordId))

  for (const [what, wrappedKey] of Object.entries({
    'one bit of it': spoilt(row.wrappedKey, row.wrappedKey.length - 20),
    'its version': spoilt(row.wrappedKey, 0),
    'the name of its key': spoilt(row.wrappedKey, 8),
    'its end cut off': row.wrappedKey.subarray(0, -1),
    'that of another record': otherRow?.wrappedKey ?? Buffer.alloc(0)
  })) {
    await change({ wrappedKey })
    t.match(await specialist.send('GET', large.path), damaged, `wrapped key: ${what}`)
    t.match(await clinician.send('GET', `/v1/records/${large.recordId}`), damaged)
    assertFaults(t, await checkExchange(x.exchange), [
      new RegExp(`^Record ${large.recordId}: key-`)
    ])
  }
  await change({ wrappedKey: row.wrappedKey })

  const details = async (sealed: Buffer) => {
    const statement = 'UPDATE records SET details_sealed = ? WHERE id = ?'
    await t.rejects(intruder.run(statement, sealed, large.recordId), 'while triggers hold')
    await intruder.passTriggers()
    await intruder.run(statement, sealed, large.recordId)
    await intruder.restoreTriggers()
  }
  await details(spoilt(row.detailsSealed, 20))
  t.match(await clinician.send('GET', `/v1/records/${large.recordId}`), damaged, 'sealed title')
  t.equal((await specialist.send('GET', large.path)).status, 200, 'whose content is whole')
  assertFaults(t, await checkExchange(x.exchange), [
    new RegExp(`^Record ${large.recordId}: sealed-`)
  ])
  await details(row.detailsSealed)
  await change({ bytes: row.bytes + 1 })
  assertFaults(t, await checkExchange(x.exchange), [
    new RegExp(`^Record ${large.recordId} has not`)
  ])
  await change({ bytes: row.bytes })

  await write(tx =>
    tx
      .update(objectRows)
      .set({ sha256: Buffer.alloc(32) })
      .where(eq(objectRows.id, one.id))
  )
  assertFaults(t, await checkExchange(x.exchange), [new RegExp(`^Object ${one.id}: .*digest`)])
  const frozen = write(tx => tx.update(shares).set({ expiresAt: 0 }))
  await t.rejects(frozen, 'a share cannot be changed at all')
  t.strictSame(readableIn(x.directory, [MARKER]), [])
})
