import { parseArgs } from 'node:util'
import { NOTE_BYTES_MAX } from '../src/audit/tlog/note.ts'
import { type Known, readText, verifyDirectory } from '../src/audit/verify/directory.ts'
import { verifyExport } from '../src/audit/verify/export-file.ts'
import {
  type Findings,
  type Progress,
  type Summary,
  tellFindings,
  Unverifiable
} from '../src/audit/verify/findings.ts'
import { verifyUrl } from '../src/audit/verify/url.ts'
import { readDatabaseUrl } from '../src/config.ts'
import { readKeyring } from '../src/config-keyring.ts'
import { openPostgresSnapshot } from '../src/database/postgres.ts'
import { dataPaths } from '../src/open-data.ts'
import { openKeyring } from '../src/open-keyring.ts'
import type { Keyring } from '../src/sealing/keyrings/keyring.ts'

const USAGE = `Checks the access log and trusts nothing but the verifier key.

npm run verify-audit -- --data DIR | --url URL | --export FILE
                        [--key VKEY]... [--checkpoint FILE]...

  --data        a copy of the data directory, or that of a running service; only read. Where
                DATABASE_URL is set, the database is there, and a role that may read is enough.
                Details are compared too, by keys/keyring.json or the key service of
                CONSILIUM_KEYRING
  --url         a running service, through its public routes, without an account
  --export      a file made by /v1/audit/events/export?format=proof
  --key         verifier key of the log, from a source you trust; again for a rotated key.
                Without it, the key that comes with the log is used and shown
  --checkpoint  an older checkpoint that the log must continue

Exit codes: 0 clean, 1 faults, 2 called wrongly or unreadable.`

const PROGRESS_MILLISECONDS = 2000

type Verify = (what: string, known: Known, to: Findings, progress: Progress) => Promise<Summary>
const ways = { data: verifyDirectory, url: verifyUrl, export: verifyExport }

interface Asked {
  verify: Verify
  what: string
  known: Known
}

/** Throws Unverifiable for a call that is not as the usage says. */
async function readArguments(): Promise<Asked> {
  const text = { type: 'string' } as const
  const list = { type: 'string', multiple: true, default: [] as string[] } as const
  const options = { data: text, url: text, export: text, key: list, checkpoint: list }
  let values: { key: string[]; checkpoint: string[] } & { [way in keyof typeof ways]?: string }
  try {
    values = parseArgs({ options, strict: true, allowPositionals: false }).values
  } catch {
    throw new Unverifiable(`These options cannot be read.\n\n${USAGE}`)
  }
  const given = (['data', 'url', 'export'] as const).filter(way => values[way])
  const [way] = given
  if (way === undefined || given.length > 1) {
    throw new Unverifiable(`One of --data, --url and --export is needed.\n\n${USAGE}`)
  }
  const older = values.checkpoint.map(async path => {
    const note = await readText(path, NOTE_BYTES_MAX)
    if (note === undefined) throw new Unverifiable(`There is no file ${path}.`)
    return { name: `The checkpoint in ${path}`, note }
  })
  const isData = way === 'data'
  const known = {
    vkeys: values.key,
    older: await Promise.all(older),
    openSnapshot: isData ? databaseOfSettings() : undefined,
    keyring: isData ? await serviceKeyring(values.data ?? '') : undefined
  }
  return { verify: ways[way], what: values[way] ?? '', known }
}

/** PostgreSQL, where the settings name one. It is told, lest another log be taken for verified. */
function databaseOfSettings(): Known['openSnapshot'] {
  const problems: string[] = []
  const url = readDatabaseUrl('DATABASE_URL', process.env, problems)
  if (problems.length > 0) throw new Unverifiable(problems.join('\n'))
  if (url === undefined) return undefined
  console.log('Notice: The database is the one of DATABASE_URL.')
  return () => openPostgresSnapshot(url)
}

/** The key ring of the service's settings, where its keys are not in the file with the data. */
async function serviceKeyring(directory: string): Promise<Keyring | undefined> {
  const problems: string[] = []
  const settings = readKeyring(process.env, problems)
  if (problems.length > 0) throw new Unverifiable(problems.join('\n'))
  if (settings.kinds.every(kind => kind === 'file')) return undefined
  return await openKeyring(settings, dataPaths(directory).keyring)
}

/** Long work says now and then, on standard error, how far it is. */
function tellProgress(): Progress {
  const began = performance.now()
  let told = began
  return (events, of) => {
    const now = performance.now()
    if (now - told < PROGRESS_MILLISECONDS) return
    told = now
    const rate = Math.round((events / (now - began)) * 1000)
    const goal = of > 0 ? ` of ${of}` : ''
    console.error(`${events}${goal} events, ${rate} a second`)
  }
}

function tellSummary({ origin, signed, events, unsigned, details, erased }: Summary): void {
  if (origin !== undefined) console.log(`Log: ${origin}`)
  if (signed !== undefined) {
    const by = `by key ${signed.keyIds.join(', ')}`
    console.log(`Signed: ${signed.size} events, root ${signed.root}, ${by}`)
  }
  console.log(`Looked at: ${events} events, ${unsigned} of them not signed yet`)
  console.log(`Details: ${details} compared with their commitments, ${erased} erased`)
}

async function verifyAudit(): Promise<void> {
  if (process.argv.includes('--help')) return console.log(USAGE)
  const { verify, what, known } = await readArguments()
  const findings = tellFindings({
    fault: sentence => console.log(`FAULT: ${sentence}`),
    notice: sentence => console.log(`Notice: ${sentence}`)
  })
  const summary = await verify(what, known, findings, tellProgress())
  tellSummary(summary)
  const faults = findings.faults()
  console.log(faults === 0 ? 'All is well.' : `${faults} faults.`)
  process.exitCode = faults === 0 ? 0 : 1
}

try {
  await verifyAudit()
} catch (err) {
  // What has been told so far stands, but the log was not looked at to its end.
  const message = err instanceof Error ? err.message : 'It failed for an unknown reason.'
  console.error(err instanceof Unverifiable ? message : `It cannot be read: ${message}`)
  process.exitCode = 2
}
