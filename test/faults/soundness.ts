import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Test } from 'tap'
import { openDisclosures } from '../../src/audit/disclosures.ts'
import type { Config } from '../../src/config.ts'
import { checkExchange, type Faults } from '../../src/housekeeping/check-exchange.ts'
import { dataPaths, openBlobs, openData, prepareData } from '../../src/open-data.ts'
import { eventually, type TestExchange } from '../helpers/exchange.ts'
import { BIRTH_DATE, NHS_NUMBER, PATIENT_NAME, PURPOSE, QUESTION } from '../helpers/story.ts'

/** Everything the data directory may ever hold while nothing is under way. */
const EXPECTED_FILES = [
  /^consilium\.db(-wal|-shm)?$/,
  /^(service|rotation|backup)\.lock(-journal)?$/,
  /^keys\/(keyring|issuer\.jwks|links\.jwks|audit-log)\.json$/,
  /^checkpoint$/,
  /^objects\/blobs\/([0-9a-f]{2})\/\1[0-9a-f]{30}$/
]

/** What every story tells of its patient, and must not be readable anywhere. */
const STORY = [NHS_NUMBER, PATIENT_NAME, BIRTH_DATE, QUESTION, PURPOSE]

const READ_BYTES = 1_048_576

/** Paths of all files below a directory. */
export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}

/** Paths of all committed blobs of a data directory. */
export function blobFiles(directory: string): string[] {
  return filesBelow(join(dataPaths(directory).blobs, 'blobs'))
}

/** Names of files below the directory that nothing accounts for: temporary ones above all. */
export function unexpectedFiles(directory: string): string[] {
  return filesBelow(directory)
    .map(path => relative(directory, path))
    .filter(path => !EXPECTED_FILES.some(pattern => pattern.test(path)))
}

/** `file: marker` for every file below the directory that holds a marker in clear. */
export function readableIn(directory: string, markers: string[]): string[] {
  const found = []
  for (const path of filesBelow(directory)) {
    for (const marker of markers) {
      if (holds(path, marker)) found.push(`${relative(directory, path)}: ${marker}`)
    }
  }
  return found
}

function holds(path: string, marker: string): boolean {
  const wanted = Buffer.from(marker)
  // What a running service writes beside a file and renames may be gone since it was listed.
  if (!existsSync(path)) return false
  const file = openSync(path, 'r')
  try {
    const block = Buffer.alloc(READ_BYTES + wanted.length)
    for (let position = 0; ; position += READ_BYTES) {
      const read = readSync(file, block, 0, block.length, position)
      if (block.subarray(0, read).includes(wanted)) return true
      if (read < block.length) return false
    }
  } finally {
    closeSync(file)
  }
}

/** Expects a running exchange, once it is at rest, to be whole and to have left nothing behind. */
export async function assertSound(
  t: Test,
  x: TestExchange,
  markers: string[],
  expected: RegExp[] = []
): Promise<void> {
  // One look decides: a moment later the checkpoint of the events just placed is being written.
  let left: string[] = []
  await eventually('the exchange is at rest', async () => {
    await x.auditEvents()
    left = unexpectedFiles(x.directory)
    return left.length === 0 ? true : undefined
  }).catch(() => {})
  t.strictSame(left, [], 'no temporary file is left')
  t.strictSame(readableIn(x.directory, [...STORY, ...markers]), [], 'nothing is readable')
  assertFaults(t, await checkExchange(x.exchange), expected)
}

/** Expects the data of a service that has ended to be whole, without any cleaning up first. */
export async function assertSoundAtRest(
  t: Test,
  config: Config,
  markers: string[],
  expected: RegExp[] = []
): Promise<void> {
  t.strictSame(unexpectedFiles(config.dataDirectory), [], 'no temporary file is left')
  t.strictSame(readableIn(config.dataDirectory, [...STORY, ...markers]), [], 'nothing is readable')
  assertFaults(t, await checkAtRest(config), expected)
}

/** Expects just these faults, in any order. */
export function assertFaults(t: Test, faults: Faults, expected: RegExp[]): void {
  const missed = expected.filter(pattern => !faults.some(fault => pattern.test(fault)))
  const extra = faults.filter(fault => !expected.some(pattern => pattern.test(fault)))
  t.strictSame({ missed, extra }, { missed: [], extra: [] }, 'the checker finds what it should')
}

/** What the checker says of data that no service is using. */
export async function checkAtRest(config: Config): Promise<Faults> {
  const lock = await prepareData(config)
  const data = await openData(config)
  const blobs = await openBlobs(config)
  const disclosures = openDisclosures(data.database, data.audit, data.clock)
  try {
    return await checkExchange({ ...data, blobs, disclosures })
  } finally {
    disclosures.close()
    await blobs.close()
    await data.close()
    lock.release()
  }
}
