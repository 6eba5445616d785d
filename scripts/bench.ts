import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  appends,
  appendsToHuge,
  exportMemory,
  lag,
  questions,
  verification
} from './bench/audit.ts'
import { type Bench, type Figure, type Result, resultOf } from './bench/figure.ts'
import { inspection, inspectionMemory } from './bench/inspection.ts'
import { manyFigures } from './bench/many.ts'
import { type Stores, startStores } from './bench/many-stores.ts'
import { memory } from './bench/memory.ts'
import { firstViewBytes, firstViewRequests, pageTime } from './bench/pages.ts'
import { busyPageTime } from './bench/pages-busy.ts'
import { metadataRead, shareOpenings } from './bench/requests.ts'
import { sendDicom } from './bench/send-dicom.ts'
import { placeIn } from './bench/servers.ts'
import { downloadGib, manyObjects, uploadGib } from './bench/transfers.ts'
import { tusUpload } from './bench/tus.ts'

// Measures the service beside plain Node servers in the same run (docs/operating.md). Files are
// removed only at the end, because ext4 is slow to create files soon after thousands were deleted.

const ROUNDS_DEFAULT = 5
const SPARE_DISK_BYTES = 2 * 1024 ** 3

const USAGE = `Usage: npm run bench -- [options]
  --only NAME    measure one figure; may be repeated
  --rounds N     runs of each side, of which the median counts (${ROUNDS_DEFAULT})
  --json         print one JSON object instead of a table
  --no-fail      exit with 0 even if a goal is missed
  --postgres --s3  instead, the service on PostgreSQL and S3, on servers of its own
  --profile DIR  write a CPU profile of each service process into DIR; measures with it on
Files go below BENCH_DIR, or else the system's directory for temporary files.`

/** The one that deletes as it goes comes last. */
const figures = [
  uploadGib,
  tusUpload,
  downloadGib,
  manyObjects,
  sendDicom,
  inspection,
  inspectionMemory,
  metadataRead,
  shareOpenings,
  firstViewBytes,
  firstViewRequests,
  pageTime,
  busyPageTime,
  appends,
  questions,
  exportMemory,
  verification,
  lag,
  appendsToHuge,
  memory
]

let starting: Promise<Stores> | undefined
function stores(): Promise<Stores> {
  starting ??= startStores()
  return starting
}

async function main(): Promise<void> {
  const options = readOptions()
  if (options === undefined) return
  const { chosen, rounds } = options
  const directory = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'consilium-bench-'))
  const bench: Bench = {
    rounds,
    place: placeIn(directory),
    serviceEnv: profilerEnv(options.profile),
    progress: text => process.stderr.write(text)
  }
  const results: Record<string, Result> = {}
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, async () => {
      await starting?.then(started => started.abandon())
      giveUp(directory, bench.place.pids)
    })
  }
  try {
    requireSpace(directory, chosen, rounds)
    for (const figure of chosen) {
      results[figure.name] = resultOf(figure, await figure.run(bench))
    }
  } finally {
    await starting?.then(started => started.stop())
    rmSync(directory, { recursive: true, force: true })
  }
  console.log(options.json ? JSON.stringify(results, null, 2) : tableOf(results))
  const missed = Object.values(results).some(result => result.met === false)
  if (missed && !options.noFail) process.exitCode = 1
}

function readOptions() {
  const isMany = process.argv.includes('--postgres') || process.argv.includes('--s3')
  const offered = isMany ? manyFigures(stores) : figures
  const names = offered.map(figure => figure.name)
  const { values } = parseArgs({
    options: {
      postgres: { type: 'boolean', default: false },
      s3: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: names },
      rounds: { type: 'string', default: String(ROUNDS_DEFAULT) },
      json: { type: 'boolean', default: false },
      'no-fail': { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  const rounds = Number(values.rounds)
  const unknown = values.only.filter(name => !names.includes(name))
  const isHalf = values.postgres !== values.s3
  if (values.help || isHalf || unknown.length > 0 || !Number.isSafeInteger(rounds) || rounds < 1) {
    console.error(`${USAGE}\nFigures: ${names.join(', ')}`)
    process.exitCode = values.help ? 0 : 2
    return undefined
  }
  const chosen = offered.filter(figure => values.only.includes(figure.name))
  const { json, profile } = values
  return { chosen, rounds, json, profile, noFail: values['no-fail'] }
}

function profilerEnv(directory: string | undefined): Record<string, string> {
  if (directory === undefined) return {}
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory}` }
}

/** Leaves no server running and no gigabytes behind. */
function giveUp(directory: string, pids: Set<number>): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  rmSync(directory, { recursive: true, force: true })
  process.exit(1)
}

function requireSpace(directory: string, chosen: Figure[], rounds: number): void {
  const wanted = chosen.reduce(
    (total, figure) => total + figure.diskBytes(rounds),
    SPARE_DISK_BYTES
  )
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize >= wanted) return
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`
  throw new Error(
    `The bench needs ${gib(wanted)} of disk space and there are ${gib(bavail * bsize)}. Set BENCH_DIR to a directory with more, or --rounds to fewer.`
  )
}

function tableOf(results: Record<string, Result>): string {
  const lines = Object.entries(results).map(([name, result]) => [
    name,
    String(result.value ?? 'not measured'),
    result.unit,
    String(result.baseline ?? '-'),
    String(result.ratio ?? '-'),
    result.goal,
    result.met === null ? '-' : result.met ? 'yes' : 'NO'
  ])
  const rows = [['figure', 'value', 'unit', 'baseline', 'ratio', 'goal', 'met'], ...lines]
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0))) ?? []
  return rows
    .map(row =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

await main()
