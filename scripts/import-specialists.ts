import { createReadStream } from 'node:fs'
import { parseArgs } from 'node:util'
import { OPERATOR } from '../src/register/entry.ts'
import { importSpecialists } from '../src/register/import.ts'
import { asUsage, runAsked, UsageError, withData } from './command.ts'

const usage = `Enters and changes specialists in the register from a CSV file, and prints what became of each row.
Nobody is verified by it. The same file again changes nothing.

  npm run import-specialists -- FILE [--dry-run]

  --dry-run   says what would be done, and does nothing

Columns and what may stand in them: docs/operating.md, "The register of specialists".`

await runAsked(usage, async () => {
  const { values, positionals } = asUsage(() =>
    parseArgs({
      options: { 'dry-run': { type: 'boolean' } },
      strict: true,
      allowPositionals: true
    })
  )
  const [file] = positionals
  if (file === undefined || positionals.length > 1) throw new UsageError('Name one file.')
  const dryRun = values['dry-run'] === true
  const done = await withData(data =>
    importSpecialists(
      data,
      more => ({ details: { by: OPERATOR, ...more } }),
      createReadStream(file),
      dryRun
    )
  )
  for (const { row, line, result, id = '', problems = [] } of done.rows) {
    const why = problems.map(({ column = 'row', code }) => `${column}: ${code}`).join(', ')
    console.log([`row ${row}`, `line ${line}`, result, id, why].filter(Boolean).join('  '))
  }
  const { created, updated, unchanged, refused } = done
  console.error(
    `${dryRun ? 'It would be: ' : ''}${created} created, ${updated} updated, ${unchanged} unchanged, ${refused} refused.`
  )
  if (refused > 0) process.exitCode = 1
})
