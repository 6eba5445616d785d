import { tellFindings } from '../src/audit/verify/findings.ts'
import { readConfig } from '../src/config.ts'
import { type Moved, type MoveParts, moveStore } from '../src/moving/move.ts'
import { readOwnerUrl, runCommand, UsageError } from './command.ts'
import { tellCount, tellLeftOut, tellObjects } from './progress.ts'

const USAGE = `Moves an exchange from one machine's SQLite and disk to PostgreSQL, S3 or both, with its keys and its
access log, whose checkpoints stay good. The settings (DATABASE_URL, CONSILIUM_S3_…) name where to;
CONSILIUM_DATA is a new directory for what remains on a disk: the keys and the copy of the checkpoint.

  npm run migrate-store -- --from DIR [--dry-run | --objects] [--with-faults]

  --from         the data directory that is in use now. Its service must be stopped
  --dry-run      looks at everything, verifies the log, and moves nothing; the service may run
  --objects      copies objects while the service runs, so that less is left to do without it. May be
                 run again and again
  --with-faults  objects that are missing or damaged do not stop the move

PostgreSQL must have been migrated (npm run migrate-database) and never used; DATABASE_OWNER_URL is
needed as for that. If it is stopped or killed run it again: it goes on. When it has ended, no service
starts on DIR any more. See docs/operating.md, "From one machine to many".

Exit codes: 0 moved, 1 not moved, or with faults, which are named; 2 called wrongly.`

const options = {
  required: ['from'],
  optional: [],
  flags: ['dry-run', 'objects', 'with-faults']
}

await runCommand(USAGE, options, async values => {
  if (values['dry-run'] && values.objects) {
    throw new UsageError('Only one of --dry-run and --objects can be given.')
  }
  const extent = values['dry-run'] ? 'look' : values.objects ? 'objects' : 'all'
  const config = readConfig(process.env)
  const { DATABASE_URL: _, ...rest } = process.env
  const onDisk = Object.entries(rest).filter(([name]) => !name.startsWith('CONSILIUM_S3_'))
  const from = readConfig({ ...Object.fromEntries(onDisk), CONSILIUM_DATA: values.from })
  process.umask(0o077)
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort())
  const findings = tellFindings({
    fault: sentence => console.log(`FAULT: ${sentence}`),
    notice: () => {}
  })
  const ownerUrl = config.databaseUrl === undefined ? undefined : readOwnerUrl()
  const moved = await moveStore({
    from,
    to: { config, ownerUrl },
    extent,
    withFaults: values['with-faults'] !== undefined,
    findings,
    tell: {
      step: sentence => console.error(sentence),
      objects: tellObjects(),
      rows: tellCount('rows'),
      events: tellCount('events')
    },
    signal: stopping.signal
  })
  tellMoved(extent, moved, findings.faults())
})

function tellMoved(extent: MoveParts['extent'], moved: Moved, told: number): void {
  const { objects, bytes, rows, events, checked } = moved
  const what = { look: 'To move', objects: 'Copied', all: 'Moved' }[extent]
  const rest = extent === 'objects' ? '' : `, ${rows} rows, ${events} of them events`
  console.log(`${what}: ${objects} objects of ${bytes} bytes${rest}`)
  tellLeftOut(moved.arriving, 'which stay behind: complete them first, or send them again after')
  for (const fault of checked?.faults ?? []) console.log(`FAULT: ${fault}`)
  if (checked?.log.signed !== undefined) {
    const { size, root } = checked.log.signed
    console.log(`Signed: ${size} events, ${root}`)
  }
  const faults = told + (checked?.faults.length ?? 0)
  console.log(faults === 0 ? 'All is well.' : `${faults} faults.`)
  process.exitCode = faults === 0 ? 0 : 1
}
