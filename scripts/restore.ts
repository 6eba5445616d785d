import { readFileSync } from 'node:fs'
import { tellFindings } from '../src/audit/verify/findings.ts'
import { decrypterFrom } from '../src/backup/age.ts'
import { type ErasedSince, erasedSince, readReceipts } from '../src/backup/erased-since.ts'
import { checkRestored, restore } from '../src/backup/restore.ts'
import { type Config, readConfig } from '../src/config.ts'
import { readOwnerUrl, runCommand } from './command.ts'
import { tellLeftOut, tellProgress } from './progress.ts'

const USAGE = `Puts a backup into an empty place, verifies all of it, and checks what is then there.

  npm run restore -- --from FILE --identity FILE --to-data DIR [--receipts FILE]

  --from      a file made by npm run backup
  --identity  the file with the age identity (mode 0600) of one of its recipients
  --to-data   the data directory to make; it must be empty or not there. Where the settings name a
              bucket, objects go there, under a prefix that must be empty; where they name a
              PostgreSQL database, it must have been migrated and never used, and
              DATABASE_OWNER_URL is needed as for npm run migrate-database
  --receipts  erasure receipts: answers of GET /v1/erasures/{id}, one a line. Tells which cases were
              erased after the backup and are back, so that they can be erased again

Exit codes: 0 restored, 1 not restored, or restored with faults, which are named; 2 called wrongly.`

/** What every restore means for the log, because it cannot be seen in what was restored. */
const MEANING = `What was done after the backup is gone, and its events with it. If anything was, this log now goes
on beside the one that was: whoever holds a later checkpoint (a witness, an auditor) will notice, and
is right. Before you start the service on it read docs/audit-log.md, "When the service refuses to
start": look for what was lost, keep the newest checkpoint as evidence, and tell those it concerns.
What was withdrawn or disabled after the backup is as it was before; what was erased on request is back.`

const UNKNOWN = `Which cases those are only their receipts know: --receipts tells them. See "Ending" in
docs/operating.md.`

interface Asked {
  from: string
  identity: string
  directory: string
  receipts: string | undefined
}

async function putBack({ from, identity, directory, receipts: path }: Asked): Promise<void> {
  // Before hours of work, in case it is another file.
  const receipts = path === undefined ? undefined : readReceipts(readFileSync(path, 'utf8'))
  const config = readConfig({ ...process.env, CONSILIUM_DATA: directory })
  process.umask(0o077)
  const ownerUrl = config.databaseUrl === undefined ? undefined : readOwnerUrl()
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort())
  const decrypter = await decrypterFrom(identity)
  const restored = await restore(config, from, decrypter, tellProgress(), stopping.signal, ownerUrl)
  const { head, end } = restored
  console.log(`Restored: ${end.objects} objects, ${head.log.events} events, as of ${head.takenAt}`)
  tellLeftOut(head.counts, 'whose files must be sent again')
  const faults = await check(config, restored)
  console.log(faults === 0 ? 'All is well.' : `${faults} faults.`)
  console.log(MEANING)
  if (receipts === undefined) console.log(UNKNOWN)
  else tellErased(await erasedSince(config, receipts))
  process.exitCode = faults === 0 ? 0 : 1
}

function tellErased(undone: ErasedSince[]): void {
  if (undone.length === 0) console.log('Of what these receipts name nothing is back.')
  for (const { caseId, erasureId, at, isSigned } of undone) {
    console.log(`ERASE AGAIN, before clients can reach the service: case ${caseId}`)
    console.log(`  POST /v1/cases/${caseId}/erasure, as by erasure ${erasureId} of ${at}`)
    if (!isSigned) console.log('  No key of the backup signed this receipt: ask who ordered it.')
  }
}

async function check(
  config: Config,
  restored: Parameters<typeof checkRestored>[1]
): Promise<number> {
  console.error('Checking the log, and every object …')
  if (restored.end.faults > 0) {
    console.log(`Notice: ${restored.end.faults} objects were missing or wrong when it was made.`)
  }
  const findings = tellFindings({
    fault: sentence => console.log(`FAULT: ${sentence}`),
    notice: sentence => console.log(`Notice: ${sentence}`)
  })
  const { log, faults } = await checkRestored(config, restored, findings, () => {})
  for (const fault of faults) console.log(`FAULT: ${fault}`)
  console.log(`Log: ${log.events} events, ${log.unsigned} of them not signed yet`)
  if (log.signed !== undefined) console.log(`Signed: ${log.signed.size} events, ${log.signed.root}`)
  return findings.faults() + faults.length
}

const options = { required: ['from', 'identity', 'to-data'], optional: ['receipts'] }

await runCommand(
  USAGE,
  options,
  async ({ from = '', identity = '', 'to-data': directory = '', receipts }) =>
    putBack({ from, identity, directory, receipts })
)
