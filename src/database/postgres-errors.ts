import { DatabaseError } from 'pg'
import { DrizzleQueryError } from '../../schemas/drizzle.ts'
import { Refusal } from '../errors.ts'

/**
 * A statement that PostgreSQL refused, without what the driver adds: its detail, and the message of
 * the query builder, quote the values of the statement.
 */
export class StatementError extends Error {
  override readonly name = 'StatementError'
  /** SQLSTATE. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Two transactions stood in each other's way, and this one was undone: it may simply run again. */
export function isConflict(err: unknown): boolean {
  return err instanceof StatementError && (err.code === '40001' || err.code === '40P01')
}

/** Classes of SQLSTATE whose messages name tables and constraints, never a value. */
const TELLING = /^(23|40|42)/

/**
 * Codes that speak of the server or the way to it and not of the statement (PostgreSQL manual,
 * Appendix A): connection exceptions, insufficient resources, operator intervention and timeouts,
 * system errors, lock not available, read-only, ended while idle in a transaction.
 */
const UNAVAILABLE = /^(08|53|57|58|55P03$|25006$|25P03$)/

const DISK_FULL = '53100'
/** PostgreSQL holds no text with a NUL, so whoever asked for something by one asked for nothing. */
const NOT_ITS_TEXT = '22021'

/** What the driver or the query builder threw, as the caller may know it; anything else unchanged. */
export function inOurWords(err: unknown): unknown {
  const cause = err instanceof DrizzleQueryError ? err.cause : err
  if (cause instanceof DatabaseError) {
    const code = cause.code ?? 'XX000'
    if (code === DISK_FULL) return new Refusal('storage-full', code)
    if (code === NOT_ITS_TEXT) {
      return new Refusal('request-invalid', code, { problems: ['text must not hold U+0000'] })
    }
    if (UNAVAILABLE.test(code)) return new Refusal('storage-unavailable', code)
    return new StatementError(
      code,
      TELLING.test(code) ? cause.message : `PostgreSQL refused a statement (${code}).`
    )
  }
  if (!(cause instanceof Error) || !isOfConnection(cause)) return cause
  return new Refusal('storage-unavailable', 'code' in cause ? String(cause.code) : 'connection')
}

/**
 * The same of a commit. What is no answer of the server leaves open whether it is stored, whatever
 * broke, and so it is never told as an undoing.
 */
export function commitInOurWords(err: unknown): unknown {
  const told = inOurWords(err)
  if (told instanceof Refusal || told instanceof StatementError) return told
  return new Refusal('storage-unavailable', 'commit', {}, err)
}

/** The driver has no class for these: errors of the system and of TLS have a code, its own a message. */
function isOfConnection(err: Error): boolean {
  if ('code' in err && /^(E[A-Z]+|ERR_(SSL|TLS|SOCKET|STREAM)_\w+)$/.test(String(err.code)))
    return true
  return /connection|timeout|not queryable|Cannot use a pool after/i.test(err.message)
}
