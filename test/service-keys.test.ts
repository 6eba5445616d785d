import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { openAuditLog } from '../src/audit/log.ts'
import type { Queries } from '../src/database/database.ts'
import type { ServiceKeys } from '../src/exchange.ts'
import { createKeyringFile, openKeyringFile } from '../src/sealing/keyrings/file.ts'
import { openServiceKeys } from '../src/service-keys.ts'
import { eachDatabase } from './helpers/databases.ts'

eachDatabase(
  'a first start that another one overtakes has the keys of that one',
  async (t, under) => {
    const file = join(t.testdir({}), `${randomUUID()}.json`)
    await createKeyringFile(file)
    const keyring = await openKeyringFile(file)
    const [one, other] = [await under.open(), await under.open()]
    // Given a start that has found no key, whereupon another makes them all, and its first event
    let overtaken: Promise<ServiceKeys> | undefined
    const overtake = async () => {
      const keys = await openServiceKeys(other, keyring, other.clock)
      const audit = openAuditLog(other, keys.audit, other.clock)
      await audit.add({ action: 'service.start', outcome: 'success', details: {} })
      return keys
    }
    const select = (...columns: []) => ({
      from: (table: Queries['tables']['serviceKeys']) => ({
        async where(condition: undefined) {
          const rows = await one.read
            .select(...columns)
            .from(table)
            .where(condition)
          overtaken ??= overtake()
          await overtaken
          return rows
        }
      })
    })
    const read = new Proxy(one.read, {
      get: (of, name) =>
        name === 'select' && overtaken === undefined ? select : Reflect.get(of, name)
    })
    // When it goes on
    const keys = await openServiceKeys({ ...one, read }, keyring, one.clock)
    // Then it has the same keys
    const theirs = await overtaken
    for (const purpose of ['directory', 'lookup', 'audit'] as const) {
      t.ok(theirs?.[purpose].equals(keys[purpose]), purpose)
    }
  }
)
