import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { findPostgres, startPostgresServer } from '../test/helpers/postgres-server.ts'
import { onlyCredentials, startS3Server } from '../test/helpers/s3-server.ts'
import { keepInMemory } from './test-place.ts'

// Runs the tests and holds the coverage gate: all of them on SQLite and disk, then a second time, on
// PostgreSQL and S3, those that open an exchange: they are found by what they import. Tests of both
// kinds of database and of both stores run both in the first run. One server of each kind serves the
// whole. Arguments go to tap, so `npm test -- test/x.test.ts` runs one file, on SQLite unless
// TEST_DATABASE=postgres and on the disk unless TEST_STORE=s3; then coverage is not judged. Ends with
// one line: N passed, N failed, N skipped.

/** Of lines in src and schemas. It only ever rises. */
const LINES_COVERED_PERCENT_MIN = 97
const SUMMARY = '.tap/report/coverage-summary.json'

/**
 * Of these, what is no different on PostgreSQL and S3: the forms, headers and blobs of requests, key
 * rings, what is laid out on a page, a stop, what a sender does about its line and what the clock says
 * in every time zone; or what has its own servers in the first run already.
 */
const SAME_ON_BOTH =
  /^test\/(backup\/|deployment\/|moving\/|faults\/(blob-faults|damage|fault-table|keyring|keys-unavailable|memory|postgres-faults|stop|upload-malformed)|flows\/hostile-requests|http\/(headers|problems|ranges)|audit\/(report\/|tree\/(guard|rotation|checkpoints))|records\/(?!scan\/background)|retention\/kept-elsewhere|routes-ids|sender\/(?!seal|send)|shares\/expiry|web\/(.*-story|.*-browser|keyboard|start|upload|walk)|scripts\/(key-service|open-object))/

/** What a test file imports when it opens an exchange. */
const OPENS_EXCHANGE = /\/(exchange|data|identity|real-service|scene|damage-stage)\.ts'/

/** Where the files are that take longest: begun last, each would run alone at the end. */
const SLOW = /^test\/(backup|faults|moving|processes|uploads)\//

const ABSENT = 'PostgreSQL 15 is not installed'

/**
 * What needs a process of its own: it is slow, measures itself, keeps its store on the disk in every run
 * (told by the name of its process: test/helpers/s3.ts), or holds something for all its tests.
 */
const ALONE =
  /^test\/(backup|deployment|faults|moving|peers|processes|records\/scan|scripts|sender|uploads|web)\/|clean-up|memory|secrets|start/
const HOLDS_SOMETHING = /^(?:const|let|await|t\.(?!test\()).*\(t[,)]/m

/** Files that share a process: loading the service and compiling it costs more than most tests. */
const FILES_PER_PROCESS = 12
const GROUPS = '.tap/groups'

keepInMemory()
const args = process.argv.slice(2)
const isWhole = args.length === 0
const coverage = isWhole ? ['--coverage-report=json-summary'] : ['--disable-coverage']
rmSync(SUMMARY, { force: true })
const postgres = findPostgres() === undefined ? undefined : await startPostgresServer()
const s3 = isWhole || process.env.TEST_STORE === 's3' ? await startS3Server() : undefined
// Stopped by hand, the servers end too; after an orderly end there is nothing left to be done.
process.once('exit', () => {
  postgres?.abandon()
  if (s3 !== undefined && 'stop' in s3) void s3.stop()
})
const counts = { passed: 0, failed: 0, skipped: 0 }
const skipped: string[] = []
/** Whether the lines to come tell how something failed (TAP 14, YAML diagnostics). */
let telling: 'no' | 'next' | 'yes' = 'no'
const all = slowFirst(globSync('test/**/*.test.ts'))
let code = await runTap([...coverage, ...(isWhole ? inGroups(all, 'first') : args)], {})
const covered = isWhole ? linesCovered() : undefined
if (isWhole) {
  if (postgres === undefined) tellAbsent(`on PostgreSQL: ${ABSENT}`)
  if (s3 !== undefined && 'absent' in s3) tellAbsent(`on S3: ${s3.absent}`)
}
if (isWhole && postgres !== undefined) {
  const store = s3 === undefined || 'absent' in s3 ? {} : { TEST_STORE: 's3' }
  console.log(`# the same on PostgreSQL${'TEST_STORE' in store ? ' and S3' : ''}`)
  const files = inGroups(all.filter(opensExchange), 'second')
  const again = await runTap(['--disable-coverage', ...files], {
    TEST_DATABASE: 'postgres',
    ...store
  })
  code ||= again
}
await postgres?.remove()
if (s3 !== undefined && 'stop' in s3) await s3.stop()

for (const why of new Set(skipped)) console.log(`skipped: ${why}`)
if (covered !== undefined) console.log(`lines covered: ${covered} %`)
const enough = covered === undefined || covered >= LINES_COVERED_PERCENT_MIN
if (!enough) console.log(`FAILED: at least ${LINES_COVERED_PERCENT_MIN} % of lines must be covered`)
if (code !== 0 && counts.failed === 0) counts.failed += 1
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = code === 0 && counts.failed === 0 && enough ? 0 : 1

/** What cannot be had is skipped, and fails where it must be there. */
function tellAbsent(what: string): void {
  const isRequired = process.env.CI_SERVICES === 'required'
  console.log(`${isRequired ? 'not ok' : 'skipped'} - ${what}`)
  if (isRequired) counts.failed += 1
  else counts.skipped += 1
}

async function runTap(options: string[], more: Record<string, string>): Promise<number> {
  const url = postgres === undefined ? {} : { TEST_POSTGRES_URL: postgres.url }
  const pictures = isWhole ? { TEST_PICTURES: 'no' } : {}
  const isOnS3 = (more['TEST_STORE'] ?? process.env.TEST_STORE) === 's3'
  const store =
    isOnS3 && s3 !== undefined && 'endpoint' in s3
      ? { TEST_S3_URL: s3.endpoint, ...onlyCredentials(s3) }
      : {}
  const tap = spawn('tap', ['run', '--reporter=tap', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...pictures, ...process.env, ...url, ...store, ...more }
  })
  const exited = once(tap, 'exit')
  for await (const line of createInterface({ input: tap.stdout })) report(line)
  const [exit] = await exited
  return Number(exit ?? 1)
}

function slowFirst(files: string[]): string[] {
  const [slow, others] = [true, false].map(isSlow => files.filter(f => SLOW.test(f) === isSlow))
  return [...(slow ?? []).sort(), ...(others ?? []).sort()]
}

/** The same files, those that can together in one: each is imported after the one before has begun. */
function inGroups(files: string[], run: string): string[] {
  const isAlone = (file: string) =>
    ALONE.test(file) || HOLDS_SOMETHING.test(readFileSync(file, 'utf8'))
  const together = files.filter(file => !isAlone(file))
  mkdirSync(GROUPS, { recursive: true })
  const groups: string[] = []
  for (let at = 0; at < together.length; at += FILES_PER_PROCESS) {
    const group = `${GROUPS}/${run}-${groups.length + 1}.test.ts`
    const lines = together
      .slice(at, at + FILES_PER_PROCESS)
      .map(file => `t.comment('${file}')\nawait import('../../${file}')`)
    writeFileSync(group, ["import t from 'tap'", ...lines, ''].join('\n'))
    groups.push(group)
  }
  return [...files.filter(isAlone), ...groups]
}

/**
 * Those of test/database and test/processes run on both in any case; one that opens the SQLite file by
 * itself could only skip.
 */
function opensExchange(file: string): boolean {
  if (/^test\/(database|processes)\//.test(file) || SAME_ON_BOTH.test(file)) return false
  const text = readFileSync(file, 'utf8')
  return OPENS_EXCHANGE.test(text) && !text.includes("from 'better-sqlite3'")
}

/** Shows files as they end, and whatever fails and how; counts single assertions, which have no children. */
function report(line: string): void {
  if (telling === 'next') telling = line.trim() === '---' ? 'yes' : 'no'
  if (telling === 'yes') console.log(line)
  if (line.trim() === '...') telling = 'no'
  const [, file] = /^\s*# (test\/\S+\.test\.ts)$/.exec(line) ?? []
  if (file !== undefined) console.log(`# ${file}`)
  const point = /^(\s*)(not )?ok \d+(?: - (.*))?$/.exec(line)
  if (point === null) return
  const [, indent = '', not, text = ''] = point
  const isSkip = / # (SKIP|TODO)/.test(text)
  if (isSkip) skipped.push(text)
  if (indent === '' || not !== undefined) console.log(line)
  if (not !== undefined && !/ # time=/.test(text)) telling = 'next'
  if (/ # time=/.test(text) && !isSkip) return
  if (isSkip) counts.skipped += 1
  else if (not === undefined) counts.passed += 1
  else counts.failed += 1
}

function linesCovered(): number {
  if (!existsSync(SUMMARY)) return 0
  return JSON.parse(readFileSync(SUMMARY, 'utf8')).total.lines.pct
}
