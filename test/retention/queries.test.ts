import t from 'tap'
import type { eq } from '../../schemas/drizzle.ts'
import { placeAllPending } from '../../src/audit/tree/pending.ts'
import type { Queries } from '../../src/database/database.ts'
import { eventOf } from '../../src/retention/queries.ts'
import { startExchange } from '../helpers/exchange.ts'

t.test('an event that gets its place while it is looked for is found', async t => {
  const { exchange } = await startExchange(t)
  const { audit, database } = exchange
  const { read } = database
  /** Reads as anybody does, and after its first look everything that waited has its place. */
  let looks = 0
  const select: unknown = (...columns: Parameters<typeof read.select>) => ({
    from: (table: typeof read.tables.auditEvents) => ({
      async where(condition: ReturnType<typeof eq>) {
        const rows = await read
          .select(...columns)
          .from(table)
          .where(condition)
        if (looks++ === 0) await placeAllPending(database)
        return rows
      }
    })
  })
  const slow = new Proxy(read, {
    get: (of, name) => (name === 'select' ? select : Reflect.get(of, name))
  }) as Queries

  for (let round = 0; round < 20; round += 1) {
    looks = 0
    const id = await database.write(tx =>
      audit.append(tx, {
        action: 'service.check',
        outcome: 'success',
        details: { by: 'operator' }
      })
    )
    t.match(await eventOf(slow, id), { action: 'service.check' })
  }
})
