import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { ConfigError } from '../config.ts'

export interface Migration {
  name: string
  text: string
  sha256: string
}

/** The migrations of this release for one kind of database, in the order of their names. */
export function migrationFiles(kind: 'sqlite' | 'postgres'): Migration[] {
  const folder = new URL(`../../schemas/migrations/${kind}/`, import.meta.url)
  return readdirSync(folder)
    .filter(name => name.endsWith('.sql'))
    .sort()
    .map(name => {
      const text = readFileSync(new URL(name, folder), 'utf8')
      return { name, text, sha256: createHash('sha256').update(text).digest('hex') }
    })
}

/**
 * Those of `wanted` that a database has not seen. Throws ConfigError when it was written by a newer
 * release, or when a migration it has seen was edited since.
 */
export function unseenMigrations(
  wanted: Migration[],
  seen: { name: string; sha256: string }[]
): Migration[] {
  for (const { name } of seen) {
    if (wanted.some(migration => migration.name === name)) continue
    throw new ConfigError([
      `The database was written by a newer release: it knows migration ${name}.`
    ])
  }
  const applied = new Map(seen.map(row => [row.name, row.sha256]))
  return wanted.filter(({ name, sha256 }) => {
    const known = applied.get(name)
    if (known === undefined || known === sha256) return known === undefined
    throw new ConfigError([`Migration ${name} was changed after it was applied.`])
  })
}
