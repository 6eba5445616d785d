import { createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { eraseDetails } from '../../../src/audit/erase.ts'
import { openAuditLog } from '../../../src/audit/log.ts'
import { verifyData } from '../../../src/audit/verify/data.ts'
import { tellFindings } from '../../../src/audit/verify/findings.ts'
import { openPostgres } from '../../../src/database/postgres.ts'
import type { Exchange } from '../../../src/exchange.ts'
import { freshPostgres, hasPostgres } from '../../helpers/databases.ts'

t.test('an erasure whose event waits for its place is verified with the others', async t => {
  if (!hasPostgres(t)) return
  // Given an event that the operator erased while no service gives events their places
  const { ownerUrl } = await freshPostgres()
  const database = await openPostgres(ownerUrl, 10, 'owner')
  t.teardown(() => database.close())
  const key = createSecretKey(randomBytes(32))
  const audit = openAuditLog(database, key, database.clock)
  const read = await database.write(tx =>
    audit.append(tx, { action: 'case.read', outcome: 'success', details: {} })
  )
  const parts = { database, audit, serviceKeys: { audit: key } as Exchange['serviceKeys'] }
  t.equal(await eraseDetails(parts, { eventId: read }, { reference: 'DPO 4' }), 1)
  // When the log is verified
  const faults: string[] = []
  const findings = tellFindings({ fault: told => void faults.push(told), notice() {} })
  const data = { keys: [], auditKey: async () => key, copy: undefined, older: [] }
  const { openSnapshot } = database
  const summary = await verifyData({ ...data, openSnapshot }, findings, () => {})
  // Then both are looked at, and nothing is wrong
  t.same(faults, [])
  t.match(summary, { events: 2, erased: 1, details: 1 })
})
