import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

// Runs the tests and holds the coverage gate. Arguments go to tap, so `npm test -- test/x.test.ts`
// runs one file; then coverage is not judged. Ends with one line: N passed, N failed, N skipped.

/** Of lines in src and schemas. It only ever rises. */
const LINES_COVERED_PERCENT_MIN = 97
const SUMMARY = '.tap/report/coverage-summary.json'

const args = process.argv.slice(2)
const isWhole = args.length === 0
const coverage = isWhole ? ['--coverage-report=json-summary'] : ['--disable-coverage']
rmSync(SUMMARY, { force: true })

const tap = spawn('tap', ['run', '--reporter=tap', ...coverage, ...args], {
  stdio: ['ignore', 'pipe', 'inherit']
})
const counts = { passed: 0, failed: 0, skipped: 0 }
const skipped: string[] = []
const exited = once(tap, 'exit')
for await (const line of createInterface({ input: tap.stdout })) report(line)
const [code] = await exited

for (const why of new Set(skipped)) console.log(`skipped: ${why}`)
const covered = isWhole ? linesCovered() : undefined
if (covered !== undefined) console.log(`lines covered: ${covered} %`)
const enough = covered === undefined || covered >= LINES_COVERED_PERCENT_MIN
if (!enough) console.log(`FAILED: at least ${LINES_COVERED_PERCENT_MIN} % of lines must be covered`)
if (code !== 0 && counts.failed === 0) counts.failed += 1
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = code === 0 && enough ? 0 : 1

/** Shows files as they end and whatever fails; counts single assertions, which have no children. */
function report(line: string): void {
  const point = /^(\s*)(not )?ok \d+(?: - (.*))?$/.exec(line)
  if (point === null) return
  const [, indent = '', not, text = ''] = point
  const isSkip = / # (SKIP|TODO)/.test(text)
  if (isSkip) skipped.push(text)
  if (indent === '' || not !== undefined) console.log(line)
  if (/ # time=/.test(text) && !isSkip) return
  if (isSkip) counts.skipped += 1
  else if (not === undefined) counts.passed += 1
  else counts.failed += 1
}

function linesCovered(): number {
  if (!existsSync(SUMMARY)) return 0
  return JSON.parse(readFileSync(SUMMARY, 'utf8')).total.lines.pct
}
