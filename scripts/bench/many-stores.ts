import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { migratePostgres } from '../../src/database/postgres-migrations.ts'
import { type PostgresServer, startPostgresServer } from '../../test/helpers/postgres-server.ts'
import { onlyCredentials, type S3Server, startS3Server } from '../../test/helpers/s3-server.ts'

/** Servers of rows and of objects that the bench has for itself. */
export interface Stores {
  s3: S3Server
  /** Settings of an exchange of its own: an empty database and an empty prefix. */
  fresh(): Promise<Record<string, string>>
  /** An empty database alone, and its address for the owner of its tables. */
  freshDatabase(): Promise<{ env: Record<string, string>; ownerUrl: string }>
  stop(): Promise<void>
  /** At once, for a bench that is interrupted. */
  abandon(): void
}

/** Starts both. Throws where one of them cannot be had. */
export async function startStores(): Promise<Stores> {
  const s3 = await startS3Server()
  if ('absent' in s3) throw new Error(s3.absent)
  Object.assign(process.env, onlyCredentials(s3))
  const postgres = await startPostgresServer()
  return {
    s3,
    fresh: async () => ({
      ...(await freshDatabase(postgres)).env,
      ...s3.env(`bench/${randomBytes(6).toString('hex')}`)
    }),
    freshDatabase: () => freshDatabase(postgres),
    async stop() {
      await postgres.remove()
      await s3.stop()
    },
    abandon() {
      postgres.abandon()
      void s3.stop()
    }
  }
}

/**
 * Of each process. The formula of PostgreSQL's own wiki ("Number Of Database Connections"): the server
 * is on this machine, and more of them would only wait for its cores.
 */
const CONNECTIONS = 2 * availableParallelism() + 1

/** A database of its own whose owner is the server's, and whose service has its own role. */
async function freshDatabase(
  server: PostgresServer
): Promise<{ env: Record<string, string>; ownerUrl: string }> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  await server.makeDatabase(name)
  const [owner, service] = [new URL(server.url), new URL(server.url)]
  owner.pathname = `/${name}`
  service.pathname = `/${name}`
  service.username = name
  service.password = 'only-for-the-bench'
  await migratePostgres(owner.href, service.href)
  const env = {
    DATABASE_URL: service.href,
    CONSILIUM_DATABASE_CONNECTIONS_MAX: String(CONNECTIONS)
  }
  return { env, ownerUrl: owner.href }
}
