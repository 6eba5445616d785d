import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Test } from 'tap'
import { decrypterFrom } from '../../src/backup/age.ts'
import { restore } from '../../src/backup/restore.ts'
import { readConfig } from '../../src/config.ts'
import { EMBEDDED } from '../../src/identity/principal.ts'
import { SESSION_COOKIE } from '../../src/sessions/cookie.ts'
import { newEnrolment } from '../../src/sessions/enrolments.ts'
import { beginSession } from '../../src/sessions/session.ts'
import { type RealService, startRealService } from '../faults/real-service.ts'
import { createCase, numberedText, uploadRecord } from '../helpers/exchange.ts'
import { plainEnvironment, plainNode } from '../helpers/own-process.ts'
import { runScript } from '../scripts/run-script.ts'

/** A running service with records, and where its backups go. */
export interface Scene {
  service: RealService
  caseId: string
  recordIds: string[]
  /** A path in the directory of the test, beside the data. */
  path(name: string): string
  backup(...args: string[]): ReturnType<typeof runScript>
  restore(
    from: string,
    identity: string,
    to: string,
    ...args: string[]
  ): ReturnType<typeof runScript>
}

export async function backupScene(t: Test, env: Record<string, string> = {}): Promise<Scene> {
  // On SQLite wherever the tests run, unless the test says otherwise.
  const none = { DATABASE_URL: '', DATABASE_OWNER_URL: '' }
  const service = await startRealService(t, { ...none, ...env })
  const clinician = service.client('clinician')
  const { id: caseId } = await createCase(clinician)
  const first = await uploadRecord(clinician, caseId, {
    files: [numberedText(300_000), numberedText(20)]
  })
  const second = await uploadRecord(clinician, caseId, { files: [numberedText(3_000_000)] })
  const path = (name: string) => join(t.testdirName, name)
  return {
    service,
    caseId,
    recordIds: [first.id, second.id],
    path,
    backup: (...args) => runScript('backup', service.settings, ...args),
    restore: (from, identity, to, ...args) =>
      runScript(
        'restore',
        settingsAt(service, to),
        '--from',
        from,
        '--identity',
        identity,
        '--to-data',
        to,
        ...args
      )
  }
}

/**
 * What `restore` does before it checks, in this process, which is quicker. Rejects with BackupError.
 */
export async function restoreHere(from: string, identity: string, to: string): Promise<void> {
  const config = readConfig({ CONSILIUM_DATA: to })
  const decrypter = await decrypterFrom(identity)
  await restore(config, from, decrypter, () => {}, new AbortController().signal)
}

/** What another machine would have: the same settings, and none of the data. */
export function settingsAt(service: RealService, directory: string): Record<string, string> {
  return { ...service.settings, CONSILIUM_DATA: directory }
}

/** A script as a process that can be killed. */
export function startScript(script: string, env: Record<string, string>, ...args: string[]) {
  const file = new URL(`../../scripts/${script}.ts`, import.meta.url).pathname
  const [node, ...options] = plainNode(env)
  return spawn(node, [...options, file, ...args], {
    env: { ...plainEnvironment(), ...env },
    stdio: 'ignore'
  })
}

/** The cookie of somebody who signs in, and a code for a first passkey, that a restore must not bring back. */
export async function waysIn({ service }: Scene): Promise<{
  /** What each is answered by a service: 401 and 403 where it is worth nothing. */
  triedAt(url: string): Promise<number[]>
}> {
  const { accountId, organisationId } = service.people.clinician
  const trace = { requestId: 'test', method: 'POST', route: '/sign-in', address: '127.0.0.1' }
  const { cookie, enrolment } = await service.look(async data =>
    data.database.write(async tx => {
      const parts = { ...data, limits: service.config.limits }
      const issuer = { issuer: EMBEDDED, subject: accountId }
      const proven = { accountId, organisationId, ...issuer, assurance: 'passkey' } as const
      const whose = { accountId, createdBy: accountId }
      return {
        cookie: await beginSession(tx, parts, trace, proven),
        enrolment: await newEnrolment(tx, data, whose)
      }
    })
  )
  return {
    async triedAt(url) {
      const page = { accept: 'text/html', 'sec-fetch-site': 'same-origin' }
      const asked = await fetch(`${url}/v1/account`, {
        headers: { cookie: `${SESSION_COOKIE}=${cookie}`, ...page }
      })
      const sent = await fetch(`${url}/enrol/${enrolment.id}`, {
        method: 'POST',
        headers: page,
        body: new URLSearchParams({ code: enrolment.code })
      })
      return [asked.status, sent.status]
    }
  }
}
