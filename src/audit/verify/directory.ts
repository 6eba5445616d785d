import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Queries, Snapshot } from '../../database/database.ts'
import { openSqliteSnapshot } from '../../database/sqlite.ts'
import { dataPaths } from '../../open-data.ts'
import { openKeyringFile } from '../../sealing/keyrings/file.ts'
import type { Keyring } from '../../sealing/keyrings/keyring.ts'
import { SealError } from '../../sealing/seal-error.ts'
import { readAuditKey } from '../../service-keys.ts'
import { NOTE_BYTES_MAX } from '../tlog/note.ts'
import { verifyData } from './data.ts'
import { type Findings, type Progress, type Summary, Unverifiable } from './findings.ts'
import { readKeys } from './heads.ts'

const KEY_FILE_BYTES_MAX = 65_536

/** What the caller knows of the log from elsewhere. */
export interface Known {
  /** Verifier keys; when there are none, those found with the log are taken. */
  vkeys: string[]
  /** Older checkpoints that the log must continue. */
  older: { name: string; note: string }[]
  /** Opens the database where it is not a file in the directory. */
  openSnapshot?: (() => Promise<Snapshot>) | undefined
  /** Opens the key of details, where that is not the file that lies with the data. */
  keyring?: Keyring | undefined
}

/**
 * Checks the log of a data directory, with its database wherever that is: a copy, or that of a running
 * service. Nothing is written.
 * Throws Unverifiable when there is no database or no verifier key, and the driver's error when the
 * database cannot be read.
 */
export async function verifyDirectory(
  directory: string,
  { vkeys, older, openSnapshot, keyring }: Known,
  findings: Findings,
  progress: Progress
): Promise<Summary> {
  const paths = dataPaths(directory)
  if (openSnapshot === undefined && !existsSync(paths.database)) {
    throw new Unverifiable('There is no database: consilium.db.')
  }
  // Read before the database: the service renews the copy after the row, so an honest one is older.
  const copy = await readText(paths.checkpoint, NOTE_BYTES_MAX)
  const keys = readKeys(vkeys.length > 0 ? vkeys : await ownKeys(paths.logKeys, findings))
  const auditKey = (read: Queries) => openAuditKey(paths.keyring, keyring, read, findings)
  const open = openSnapshot ?? (async () => openSqliteSnapshot(paths.database))
  return await verifyData({ openSnapshot: open, keys, auditKey, copy, older }, findings, progress)
}

/** The public halves of the keys that lie with the data. */
async function ownKeys(path: string, findings: Findings): Promise<string[]> {
  const text = await readText(path, KEY_FILE_BYTES_MAX)
  if (text === undefined) throw new Unverifiable('There is no keys/audit-log.json: give --key.')
  const vkeys = vkeysIn(text)
  for (const vkey of vkeys) {
    findings.notice(`Key taken from the data: compare it with the one you were given: ${vkey}`)
  }
  return vkeys
}

function vkeysIn(text: string): string[] {
  try {
    const file: { keys: { vkey: string }[] } = JSON.parse(text)
    return file.keys.map(({ vkey }) => String(vkey))
  } catch {
    // The parser's own message quotes the text, which holds private keys.
    throw new Unverifiable('keys/audit-log.json is damaged: give --key.')
  }
}

/**
 * The key that opens details, where the key ring lies with the data. One that lies there and opens
 * nothing is a fault: whoever spoils the key in the database would otherwise hide all they change.
 */
async function openAuditKey(
  path: string,
  keyring: Keyring | undefined,
  read: Queries,
  findings: Findings
) {
  try {
    return await readAuditKey(read, keyring ?? (await openKeyringFile(path)))
  } catch (err) {
    if (!(err instanceof SealError)) throw err
    const told = 'Details were not compared with their commitments:'
    if (keyring !== undefined || existsSync(path)) findings.fault(`${told} ${err.code}.`)
    else findings.notice(`${told} there is no keys/keyring.json.`)
    return undefined
  }
}

/** A small text file; undefined when there is none. Throws Unverifiable when it is not small. */
export async function readText(path: string, bytesMax: number): Promise<string | undefined> {
  const file = await open(path, 'r').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return undefined
    throw err
  })
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat()
    if (size > bytesMax) throw new Unverifiable('A file is far too long for what it should be.')
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}
