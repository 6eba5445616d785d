import t from 'tap'
import { numberedText, sharedRecord, startExchange } from '../helpers/exchange.ts'

t.test('what an ended process left open is marked at the next start, once', async t => {
  const exchange = await startExchange(t)
  const { path } = await sharedRecord(exchange, [numberedText(100)])
  await exchange.client('specialistGb').send('GET', path)
  const [granted] = await exchange.auditEvents({ action: 'content.read', outcome: 'granted' })
  if (granted === undefined) throw new Error('It was granted.')
  const { idx, id, at, leaf, outcome, code, grantId, bytesHandedOver, ...event } = granted
  // As if the process had ended in the middle of this one: granted, and never completed.
  const { audit, database } = exchange.exchange
  const left = await database.write(async tx => {
    const grantId = await audit.append(tx, {
      ...withoutNulls(event),
      action: 'content.read',
      outcome: 'granted'
    })
    await tx.insert(tx.tables.openDisclosures).values({ grantId, run: 'ended', at })
    return grantId
  })

  await exchange.restart()

  const [interrupted, ...others] = await exchange.auditEvents({ outcome: 'interrupted' })
  t.same(others, [], 'and not the one that was completed')
  t.match(interrupted, { ...event, details: { ...event.details, bytes: 'unknown' } })
  t.equal(interrupted?.grantId, left)
  t.match(exchange.logged(), /streams of an earlier process were cut short/)

  await exchange.restart()
  t.equal((await exchange.auditEvents({ outcome: 'interrupted' })).length, 1)
})

function withoutNulls<T extends object>(row: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(row).filter(([, value]) => value !== null)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> }
}
