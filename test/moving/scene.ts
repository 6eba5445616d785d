import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { tellFindings } from '../../src/audit/verify/findings.ts'
import { readConfig } from '../../src/config.ts'
import { type MoveParts, moveStore } from '../../src/moving/move.ts'
import { startRealService } from '../faults/real-service.ts'
import { freshPostgres, hasPostgres, type PostgresDatabase } from '../helpers/databases.ts'
import {
  createCase,
  eventually,
  numberedText,
  openShare,
  type SampleFile,
  sharedPath,
  shareRecords,
  uploadRecord
} from '../helpers/exchange.ts'
import { newPrefix, s3Server } from '../helpers/s3.ts'
import { runScript } from '../scripts/run-script.ts'

/** Neither, whatever the tests run on: what is left is SQLite and disk. */
const ON_ONE_MACHINE = { DATABASE_URL: '', DATABASE_OWNER_URL: '' }

/**
 * A service on SQLite and disk with shared records and a checkpoint that somebody kept, and an empty
 * PostgreSQL and S3 to move it to. Undefined where those cannot be had, which has been said.
 */
export async function movingScene(t: Test, files: SampleFile[] = [numberedText(300_000)]) {
  const s3 = await s3Server(t)
  if (s3 === undefined || !hasPostgres(t)) return undefined
  const service = await startRealService(t, ON_ONE_MACHINE)
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const record = await uploadRecord(clinician, caseId, { files: [...files, numberedText(20)] })
  const share = await shareRecords(service, caseId, [record.id])
  await openShare(service.client('specialistGb'), share.link)
  const path = (name: string) => join(t.testdirName, name)

  /** A place to move to that nobody has used. */
  const newPlace = async (kinds: { postgres: boolean; s3: boolean }, name = 'new') => {
    const database = await freshPostgres()
    return placeOf(service.settings, path(name), {
      ...(kinds.postgres && { database }),
      ...(kinds.s3 && { bucket: { ...s3.env(newPrefix()), ...s3.credentials } })
    })
  }
  return {
    service,
    caseId,
    recordId: record.id,
    share,
    content: sharedPath(share.id, record.id),
    path,
    old: service.config.dataDirectory,
    newPlace,
    /** Keeps the checkpoint that the service shows now, as an auditor does. */
    async keepCheckpoint(name: string) {
      const bytes = await eventually('the log is signed', async () => {
        const { status, bytes } = await service.client().send('GET', '/v1/audit/checkpoint')
        return status === 200 ? bytes : undefined
      })
      writeFileSync(path(name), bytes)
      return bytes.toString()
    }
  }
}

export interface NewPlace {
  settings: Record<string, string>
  directory: string
  database: PostgresDatabase | undefined
}

function placeOf(
  settings: Record<string, string>,
  directory: string,
  { database, bucket }: { database?: PostgresDatabase; bucket?: Record<string, string> }
): NewPlace {
  return {
    directory,
    database,
    settings: {
      ...settings,
      CONSILIUM_DATA: directory,
      ...(database && { DATABASE_URL: database.url, DATABASE_OWNER_URL: database.ownerUrl }),
      ...bucket
    }
  }
}

/** `npm run migrate-store` with the settings of this place. */
export function move(from: string, { settings }: NewPlace, ...args: string[]) {
  return runScript('migrate-store', settings, '--from', from, ...args)
}

/** The same in this process, which is quicker. Rejects with MoveError, or ConfigError. */
export function moveHere(from: string, place: NewPlace, extent: MoveParts['extent'] = 'all') {
  const config = readConfig(place.settings)
  return moveStore({
    from: readConfig({ CONSILIUM_DATA: from }),
    to: { config, ownerUrl: config.databaseUrl && place.settings['DATABASE_OWNER_URL'] },
    extent,
    withFaults: false,
    findings: tellFindings({ fault() {}, notice() {} }),
    tell: { step() {}, objects() {}, rows() {}, events() {} },
    signal: new AbortController().signal
  })
}
