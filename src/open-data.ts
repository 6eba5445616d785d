import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { JWK } from 'jose'
import { type AuditLog, openAuditLog } from './audit/log.ts'
import { createLogKeys, haveSigned, type LogKeys, openLogKeys } from './audit/tree/signing-keys.ts'
import type { Blobs } from './blobs/blobs.ts'
import { openDiskBlobs } from './blobs/disk.ts'
import { type Config, ConfigError } from './config.ts'
import { markPath, requireUnmarked } from './data-marks.ts'
import type { Database } from './database/database.ts'
import { lockForService } from './database/sqlite.ts'
import type { Clock, ServiceKeys } from './exchange.ts'
import { createJwksFile, readJwksFile } from './jwks-file.ts'
import { type DatabaseSettings, isNewDatabase, openDatabase } from './open-database.ts'
import { checkedKeyring, keyFileAdvice, openKeyring } from './open-keyring.ts'
import { createKeyringFile } from './sealing/keyrings/file.ts'
import { probeKeyring } from './sealing/keyrings/health.ts'
import type { Keyring } from './sealing/keyrings/keyring.ts'
import { rememberingKeyring } from './sealing/keyrings/remember.ts'
import { removeUnfinished } from './sealing/private-file.ts'
import { SealError } from './sealing/seal-error.ts'
import { openServiceKeys } from './service-keys.ts'

/** The data directory, opened: what the service and the operator's scripts have in common. */
export interface OpenData {
  /** Where it is. */
  directory: string
  database: Database
  keyring: Keyring
  serviceKeys: ServiceKeys
  audit: AuditLog
  clock: Clock
  limits: Config['limits']
  close(): Promise<void>
}

/** Where things are in the data directory. */
export function dataPaths(directory: string) {
  return {
    directory,
    keyring: join(directory, 'keys', 'keyring.json'),
    issuerKeys: join(directory, 'keys', 'issuer.jwks.json'),
    linkKeys: join(directory, 'keys', 'links.jwks.json'),
    logKeys: join(directory, 'keys', 'audit-log.json'),
    checkpoint: join(directory, 'checkpoint'),
    database: join(directory, 'consilium.db'),
    lock: join(directory, 'service.lock'),
    rotationLock: join(directory, 'rotation.lock'),
    blobs: join(directory, 'objects'),
    restoring: markPath(directory, 'restoring')
  }
}

/**
 * Opens a data directory that the service has made. Scripts may do so while the service runs.
 * Throws ConfigError when there is none yet, or when a key file is missing, unsafe or damaged.
 */
export async function openData(config: DataSettings, ownClock?: Clock): Promise<OpenData> {
  requireData(config)
  return await openMarkedData(config, ownClock)
}

type DataSettings = Pick<Config, 'dataDirectory' | 'keyring'> & DatabaseSettings

/** The same where the data may be marked as not whole, or moved: only for whoever marks them. */
export async function openMarkedData(config: DataSettings, ownClock?: Clock): Promise<OpenData> {
  const paths = dataPaths(config.dataDirectory)
  const chosen = await checkedKeyring(config.keyring, () =>
    openKeyring(config.keyring, paths.keyring)
  )
  const database = await openDatabase(config, paths.database)
  const clock = ownClock ?? database.clock
  const keyring = rememberingKeyring(chosen, clock)
  const serviceKeys = await checkedKeyring(config.keyring, () =>
    openServiceKeys(database, keyring, clock)
  ).catch(async err => {
    await database.close()
    throw err
  })
  return {
    directory: paths.directory,
    database,
    keyring,
    serviceKeys,
    audit: openAuditLog(database, serviceKeys.audit, clock),
    clock,
    limits: config.limits,
    async close() {
      keyring.close()
      await database.close()
    }
  }
}

/** Throws ConfigError unless the service has made its data here. */
export function requireData(config: Pick<Config, 'dataDirectory' | 'databaseUrl'>): void {
  const { database, keyring } = dataPaths(config.dataDirectory)
  requireUnmarked(config.dataDirectory)
  // Only a machine that has none of the keys has no data: one that is lost is told of by itself.
  if (existsSync(config.databaseUrl === undefined ? database : dirname(keyring))) return
  const elsewhere =
    config.databaseUrl === undefined ? '' : ' If it runs on other machines, bring its keys here.'
  throw new ConfigError([
    `There is no data yet. Start the service once with npm start.${elsewhere}`
  ])
}

/**
 * Takes the lock on the data that keeps a second service away; ConfigError when there is one. On
 * PostgreSQL there may be any number.
 */
export function lockData(config: Pick<Config, 'dataDirectory' | 'databaseUrl'>): {
  release(): void
} {
  if (config.databaseUrl !== undefined) return { release() {} }
  const paths = dataPaths(config.dataDirectory)
  const lock = lockForService(paths.lock)
  if (lock !== undefined) return lock
  throw new ConfigError([
    `Another Consilium is running on ${paths.directory}. SQLite data belong to one service: stop the other, or use another CONSILIUM_DATA.`
  ])
}

/** Throws ConfigError when another process has the database open. */
export async function requireAlone({ database }: Pick<OpenData, 'database'>): Promise<void> {
  if ((await database.runs()).size === 1) return
  throw new ConfigError(['Another process is using the database. Stop every service first.'])
}

/** Lets one rotation of keys run at a time: two would each lose the KEK that the other adds. */
export function lockRotation({ directory }: Pick<OpenData, 'directory'>): { release(): void } {
  const lock = lockForService(dataPaths(directory).rotationLock)
  if (lock !== undefined) return lock
  throw new ConfigError(['Another rotation of keys is running on these data.'])
}

/**
 * Makes what is missing in the data directory and takes the lock that keeps a second service away.
 * A key file is only ever made together with a new database: one that is lost later is an error,
 * because a new key would open nothing that is stored.
 */
export async function prepareData(config: Config): Promise<{ release(): void; isNew: boolean }> {
  const paths = dataPaths(config.dataDirectory)
  await mkdir(paths.directory, { recursive: true, mode: 0o700 })
  requireUnmarked(config.dataDirectory)
  const lock = lockData(config)
  const isNew = await isNewDatabase(config, paths.database)
  if (isNew) {
    try {
      await requireNothingLost(config)
    } catch (err) {
      lock.release()
      throw err
    }
    // The database comes last: if it stops here, the next start makes what is still missing.
    await removeUnfinishedKeys(paths)
    await makeKeyring(config).catch(err => {
      lock.release()
      throw err
    })
    await unlessThere(() => createJwksFile(paths.issuerKeys, 'ES256'))
    await unlessThere(() => createJwksFile(paths.linkKeys, 'EdDSA'))
    await unlessThere(() =>
      createLogKeys(paths.logKeys, logOrigin(config), new Date().toISOString())
    )
    await (await openDatabase(config, paths.database)).close()
  }
  return { ...lock, isNew }
}

/** A key file of our own, or the proof that the key service does what it will have to. */
async function makeKeyring(config: Config): Promise<void> {
  const { keyring: path } = dataPaths(config.dataDirectory)
  if (config.keyring.kinds.includes('file')) await unlessThere(() => createKeyringFile(path))
  await checkedKeyring(config.keyring, async () => {
    const keyring = await openKeyring(config.keyring, path)
    await probeKeyring(keyring).finally(() => keyring.close())
  })
}

/**
 * Without a database there is nothing yet, or it was lost. A new one would know none of the objects,
 * and begin a second log under the name of the first, which is what a forger would do.
 */
async function requireNothingLost(config: Config): Promise<void> {
  const missing =
    config.databaseUrl === undefined ? 'consilium.db is missing' : 'The database is empty'
  const { checkpoint, logKeys } = dataPaths(config.dataDirectory)
  const isSigned = await checkedKey('audit-log.json', () => haveSigned(logKeys))
  if (isSigned || existsSync(checkpoint)) {
    throw new ConfigError([
      `${missing}, yet its access log has been signed: a new one would be a second log under the same name. Put the database back from your backup, or begin anew in another CONSILIUM_DATA: see docs/audit-log.md, "When the service refuses to start".`
    ])
  }
  if (await holdsNoObjects(config)) return
  throw new ConfigError([
    `${missing}, yet there are sealed objects, which a new database would not know. Put it back from your backup.`
  ])
}

/**
 * The name of a new log, for ever: where the service is now, and a random part, because another log
 * may have been, or will be, at the same address.
 */
function logOrigin(config: Pick<Config, 'publicUrl'>): string {
  const { host, pathname } = new URL(`${config.publicUrl}/audit/`)
  return `${host}${pathname}${randomBytes(6).toString('hex')}`
}

type StoreSettings = Pick<Config, 'dataDirectory' | 'databaseUrl' | 's3'>

/** On a disk that several processes share, no upload takes longer. In S3 it is a setting. */
const UPLOAD_HOURS_MAX = 48

/**
 * How old, in hours, what no row names must be before it cannot be part of an upload of another
 * process. Undefined when there is no other.
 */
export function sharedHours(config: StoreSettings): number | undefined {
  if (config.s3 !== undefined) return config.s3.unfinishedHoursMax
  return config.databaseUrl === undefined ? undefined : UPLOAD_HOURS_MAX
}

/**
 * Opens the store of sealed objects that the configuration chooses. Throws ConfigError when it is S3
 * and the service could not do there what it has to.
 */
export async function openBlobs(config: StoreSettings): Promise<Blobs> {
  if (config.s3 === undefined) {
    return await openDiskBlobs(dataPaths(config.dataDirectory).blobs, sharedHours(config))
  }
  const { findS3Problems } = await import('./blobs/s3-check.ts')
  const problems = await findS3Problems(config.s3)
  if (problems.length > 0) throw new ConfigError(problems)
  const { openS3Blobs } = await import('./blobs/s3.ts')
  return openS3Blobs(config.s3)
}

/** Room on the disk of the database. Objects in S3 need none of it, but every event does. */
export async function freeDataBytes(config: Pick<Config, 'dataDirectory'>): Promise<number> {
  const space = await statfs(config.dataDirectory)
  return space.bavail * space.bsize
}

async function holdsNoObjects(config: Config): Promise<boolean> {
  const blobs = await openBlobs(config)
  try {
    for await (const _ of blobs.list()) return false
    return true
  } finally {
    await blobs.close()
  }
}

/** Signing keys: of the issuer and of links as private JWK sets (RFC 7517, section 5), of the log. */
export async function readSigningKeys(
  config: Pick<Config, 'dataDirectory'>
): Promise<{ issuer: { keys: JWK[] }; links: { keys: JWK[] }; log: LogKeys }> {
  const paths = dataPaths(config.dataDirectory)
  return {
    issuer: await checkedKey('issuer.jwks.json', () => readJwksFile(paths.issuerKeys)),
    links: await checkedKey('links.jwks.json', () => readJwksFile(paths.linkKeys)),
    log: await checkedKey('audit-log.json', () => openLogKeys(paths.logKeys))
  }
}

/** A start that was killed may have left half of a key file beside its place. */
async function removeUnfinishedKeys(paths: ReturnType<typeof dataPaths>): Promise<void> {
  const { keyring, issuerKeys, linkKeys, logKeys } = paths
  await mkdir(dirname(keyring), { recursive: true, mode: 0o700 })
  for (const path of [keyring, issuerKeys, linkKeys, logKeys]) await removeUnfinished(path)
}

async function unlessThere(make: () => Promise<void>): Promise<void> {
  await make().catch(err => {
    if (err.code !== 'EEXIST') throw err
  })
}

/** Says which key file is wrong and what to do, in the words of the operator. */
async function checkedKey<T>(file: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (err) {
    if (!(err instanceof SealError)) throw err
    const problem = keyFileAdvice(file, err.code)
    throw problem === undefined ? err : new ConfigError([problem])
  }
}
