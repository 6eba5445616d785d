import t from 'tap'
import { assertFaults } from '../../faults/soundness.ts'
import { sqliteOnly } from '../../helpers/databases.ts'
import { livelyLog, olderCheckpoint } from './stage.ts'
import { changed, missing } from './tampered-events.ts'
import { forged } from './tampered-log.ts'
import { schema } from './tampered-schema.ts'
import { heads, tree } from './tampered-tree.ts'
import { SIZE } from './tampering.ts'

// Whoever has the database file can drop its triggers and write what they like. Everything they can
// do to the log is tried here, and the verifier must name just that.

t.test('whatever is done to the log is named', { skip: sqliteOnly }, async t => {
  const log = await livelyLog(t)
  t.equal(log.size, SIZE, 'the scene is as the table expects it')
  const whole = log.copy()
  const older = [olderCheckpoint(log.yesterday.checkpoint), olderCheckpoint(log.today)]
  const { faults, summary } = await whole.verify({ vkeys: [log.vkey], older })
  t.same(faults, [], 'it is clean as it was')
  t.match(summary, { events: SIZE, details: SIZE, erased: 0, unsigned: 0, signed: { size: SIZE } })
  t.equal(await whole.refusal(), undefined)

  for (const [name, tampering] of Object.entries({
    ...missing,
    ...changed,
    ...forged,
    ...tree,
    ...heads,
    ...schema
  })) {
    await t.test(name, async t => {
      const copy = log.copy()
      await tampering.spoil(copy, log)
      const { faults } = await copy.verify(tampering.known?.(log))
      const expected = tampering.faults(log).map(told => new RegExp(`^${literal(told)}`))
      assertFaults(t, faults, expected)
      t.equal(faults.length, expected.length, 'each is told once')
      const refusal = await copy.refusal()
      if (tampering.refuses) t.type(refusal, 'string', 'the service does not start')
      else t.equal(refusal, undefined, 'the service starts')
    })
  }
})

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

t.test(
  'without an older checkpoint the holder of the key can write another past',
  { skip: sqliteOnly },
  async t => {
    const log = await livelyLog(t)
    const copy = log.copy()
    await heads['another log of the same size, signed by the true key']?.spoil(copy, log)
    t.same((await copy.verify({ vkeys: [log.vkey] })).faults, [])
  }
)
