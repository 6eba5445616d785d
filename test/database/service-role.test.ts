import { Client } from 'pg'
import t, { type Test } from 'tap'
import { openPostgres } from '../../src/database/postgres.ts'
import { migratePostgres } from '../../src/database/postgres-migrations.ts'
import { SERVICE_GRANTS } from '../../src/database/postgres-service-role.ts'
import {
  addressesOf,
  asAdmin,
  freshPostgres,
  hasPostgres,
  postgresServer
} from '../helpers/databases.ts'

async function connect(t: Test, url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

t.test('the service has the rights that are listed, and no other', async t => {
  if (!hasPostgres(t)) return
  const service = await connect(t, (await freshPostgres()).url)
  const { rows } = await service.query<{ table: string; rights: string }>(
    `SELECT name AS table, string_agg(granted, ', ' ORDER BY place) AS rights FROM (
       SELECT relname AS name, place, granted FROM pg_class,
         (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE'), (5, 'TRUNCATE'),
           (6, 'REFERENCES'), (7, 'TRIGGER')) AS known (place, granted)
       WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
         AND has_table_privilege(pg_class.oid, granted)
       UNION ALL
       SELECT relname, 3, 'UPDATE (' || string_agg(attname, ', ' ORDER BY attnum) || ')'
       FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
       WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
         AND NOT has_table_privilege(pg_class.oid, 'UPDATE')
         AND has_column_privilege(pg_class.oid, attnum, 'UPDATE')
       GROUP BY relname) AS found GROUP BY name`
  )
  t.same(Object.fromEntries(rows.map(row => [row.table, row.rights])), SERVICE_GRANTS)
})

t.test('the service can neither change the log nor alter a table', async t => {
  if (!hasPostgres(t)) return
  const service = await connect(t, (await freshPostgres()).url)
  for (const statement of [
    'DELETE FROM audit_events',
    "UPDATE audit_events SET outcome = 'x'",
    'UPDATE audit_events SET details_sealed = NULL',
    'TRUNCATE audit_events',
    'INSERT INTO audit_events SELECT * FROM audit_pending',
    'DELETE FROM audit_pending',
    'TRUNCATE audit_pending',
    'UPDATE audit_pending SET at = 0',
    'UPDATE directory_changes SET changes = 0',
    'DELETE FROM shares',
    'ALTER TABLE audit_events DISABLE TRIGGER ALL',
    'DROP TRIGGER audit_events_no_delete ON audit_events',
    'CREATE TABLE mine (id text)',
    'CREATE TEMPORARY TABLE mine (id text)',
    'DROP TABLE audit_events',
    'CREATE OR REPLACE FUNCTION place_audit_events(integer) RETURNS bigint LANGUAGE sql AS $$ SELECT 1::bigint $$',
    'SET ROLE consilium_owner',
    'SET session_replication_role = replica'
  ]) {
    await t.rejects(service.query(statement), { code: '42501' }, statement)
  }
})

t.test('a role that may do more does not start the service', async t => {
  if (!hasPostgres(t)) return
  const { adminUrl, ownerUrl } = await freshPostgres()
  const refused = async (url: string, message: RegExp) =>
    t.rejects(openPostgres(url, 2), { name: 'ConfigError', message })
  await refused(adminUrl, /superuser/)
  await refused(ownerUrl, /owns tables/)

  const { url } = await freshPostgres()
  const name = new URL(url).pathname.slice(1)
  const admin = addressesOf(await postgresServer(), name).adminUrl
  for (const right of ['DELETE', 'TRUNCATE', 'INSERT', 'UPDATE (details_sealed)']) {
    await asAdmin(admin, `GRANT ${right} ON audit_events TO consilium_service`)
    await refused(url, /may change or remove events/)
    await asAdmin(admin, `REVOKE ${right} ON audit_events FROM consilium_service`)
  }
  await asAdmin(admin, 'GRANT CREATE ON SCHEMA public TO consilium_service')
  await refused(url, /create things/)
  await migratePostgres(addressesOf(await postgresServer(), name).ownerUrl, url)
  await (await openPostgres(url, 2)).close()
})

t.test('a server that could lose what it acknowledged does not start the service', async t => {
  if (!hasPostgres(t)) return
  const { url, adminUrl } = await freshPostgres()
  const name = new URL(url).pathname.slice(1)
  await asAdmin(adminUrl, `ALTER DATABASE ${name} SET synchronous_commit = off`)
  await t.rejects(openPostgres(url, 2), { message: /synchronous_commit is off/ })
})

t.test('migrating makes the role, and its password works', async t => {
  if (!hasPostgres(t)) return
  const { ownerUrl, url } = await freshPostgres()
  const other = new URL(url)
  other.username = `other_${other.pathname.slice(-8)}`
  other.password = 'pa%24%24word%20with%20%C3%BC'
  await migratePostgres(ownerUrl, other.href)
  await (await openPostgres(other.href, 2)).close()
  other.password = 'another'
  await t.rejects(openPostgres(other.href, 2), { code: '28P01' })
})
