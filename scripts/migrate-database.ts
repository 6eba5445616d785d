import { readDatabaseUrl } from '../src/config.ts'
import { migratePostgres } from '../src/database/postgres-migrations.ts'
import { runCommand, UsageError } from './command.ts'

const usage = `Makes the tables of this release in a PostgreSQL database, and the role of the service.

  DATABASE_OWNER_URL=postgres://owner:…@host/database \\
  DATABASE_URL=postgres://service:…@host/database npm run migrate-database

  DATABASE_OWNER_URL   a role that owns the database and may make roles; the service never has it
  DATABASE_URL         what the service will use. Its role is made if it is not there, and gets the
                       rights the service needs and no other

Run it before the first start and before each new release. Running it again changes nothing.`

await runCommand(usage, { required: [], optional: [] }, async () => {
  const problems: string[] = []
  const owner = readDatabaseUrl('DATABASE_OWNER_URL', process.env, problems)
  const service = readDatabaseUrl('DATABASE_URL', process.env, problems)
  if (problems.length > 0) throw new UsageError(problems.join('\n'))
  if (owner === undefined || service === undefined) {
    throw new UsageError('Missing: DATABASE_OWNER_URL and DATABASE_URL')
  }
  const applied = await migratePostgres(owner, service)
  console.error(
    applied.length === 0 ? 'The tables are up to date.' : `Applied: ${applied.join(', ')}`
  )
})
