import { parseArgs } from 'node:util'
import { ConfigError, readConfig, readDatabaseUrl } from '../src/config.ts'
import { Refusal } from '../src/errors.ts'
import { type OpenData, openData } from '../src/open-data.ts'

/** A command that was called wrongly: its usage is shown and it exits with 2. */
export class UsageError extends Error {}

type Values = Record<string, string | undefined>

interface Options {
  required: string[]
  optional: string[]
  flags?: string[]
}

/**
 * Runs one command-line command. `required` and `optional` name its --options that take a value,
 * `flags` those that take none: one that was given is `yes`. Exit codes: 0 done, 1 refused or failed,
 * 2 called wrongly. Results go to standard output, everything else to standard error.
 */
export async function runCommand(
  usage: string,
  options: Options,
  work: (values: Values) => Promise<void>
): Promise<void> {
  await runAsked(usage, async () => work(readOptions(options)))
}

/** The same for a command that reads its arguments itself, and throws UsageError about them. */
export async function runAsked(usage: string, work: () => Promise<void>): Promise<void> {
  if (process.argv.includes('--help')) {
    console.log(usage)
    return
  }
  try {
    await work()
  } catch (err) {
    if (err instanceof UsageError) {
      console.error(`${err.message}\n\n${usage}`)
      process.exitCode = 2
      return
    }
    console.error(messageOf(err))
    process.exitCode = 1
  }
}

function readOptions({ required, optional, flags = [] }: Options): Values {
  const typed = (names: string[], type: 'string' | 'boolean') => names.map(name => [name, { type }])
  const config = Object.fromEntries([
    ...typed([...required, ...optional], 'string'),
    ...typed(flags, 'boolean')
  ])
  const given = asUsage(
    () => parseArgs({ options: config, strict: true, allowPositionals: false }).values
  )
  const values: Values = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, value === true ? 'yes' : String(value)])
  )
  const missing = required.filter(name => !values[name])
  if (missing.length > 0) {
    throw new UsageError(`Missing: ${missing.map(name => `--${name}`).join(', ')}`)
  }
  return values
}

/** What the parser says of options that it cannot read, as a UsageError. */
export function asUsage<T>(parse: () => T): T {
  try {
    return parse()
  } catch (err) {
    throw new UsageError(err instanceof Error ? err.message : 'These options cannot be read.')
  }
}

/**
 * Opens the data of the configured service for `work` and closes it again. The service may be
 * running: both write to the same database file, one after the other.
 */
export async function withData<T>(work: (data: OpenData) => Promise<T>): Promise<T> {
  return await withOpened(readConfig(process.env), work)
}

/**
 * The same for what the role of the service may not do: on PostgreSQL as the role of
 * DATABASE_OWNER_URL. Throws UsageError when that is missing.
 */
export async function withDataAsOwner<T>(work: (data: OpenData) => Promise<T>): Promise<T> {
  const config = readConfig(process.env)
  if (config.databaseUrl === undefined) return await withOpened(config, work)
  const problems: string[] = []
  const databaseUrl = readDatabaseUrl('DATABASE_OWNER_URL', process.env, problems)
  if (databaseUrl === undefined) {
    throw new UsageError(
      problems[0] ?? 'Missing: DATABASE_OWNER_URL, the role that owns the tables.'
    )
  }
  return await withOpened({ ...config, databaseUrl, databaseRole: 'owner' }, work)
}

/**
 * DATABASE_OWNER_URL: rows of the access log are written by the owner of its table alone. Throws
 * ConfigError where it is missing or wrong.
 */
export function readOwnerUrl(): string {
  const problems: string[] = []
  const url = readDatabaseUrl('DATABASE_OWNER_URL', process.env, problems)
  if (url !== undefined) return url
  throw new ConfigError(
    problems.length > 0 ? problems : ['Set DATABASE_OWNER_URL, as for npm run migrate-database.']
  )
}

async function withOpened<T>(
  config: Parameters<typeof openData>[0],
  work: (data: OpenData) => Promise<T>
): Promise<T> {
  const data = await openData(config)
  try {
    return await work(data)
  } finally {
    await data.close()
  }
}

function messageOf(err: unknown): string {
  if (err instanceof Refusal && err.extra.problems !== undefined) {
    return `Nothing was changed:\n${err.extra.problems.map(text => `  - ${text}`).join('\n')}`
  }
  if (err instanceof Refusal) return `Nothing was changed: ${err.message} (${err.code}).`
  return err instanceof Error ? err.message : 'It failed for an unknown reason.'
}
