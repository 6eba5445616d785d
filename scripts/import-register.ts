import { createReadStream } from 'node:fs'
import { parseArgs } from 'node:util'
import { gmcRegister } from '../src/register/gmc.ts'
import { importRegister } from '../src/register/import-register.ts'
import { asUsage, runAsked, UsageError, withData } from './command.ts'

const usage = `Reads the GMC's download of the List of Registered Medical Practitioners (one whole file, CSV), and
compares the register of specialists with it: who is suspended, erased or without a licence may be
sent nothing from then on, and their shares are shut.

  npm run import-register -- FILE --as-of DATE [--may-shrink]

  --as-of       the day of the file, 2026-11-20
  --may-shrink  takes a file that has more than a tenth fewer rows than the last one`

await runAsked(usage, async () => {
  const { values, positionals } = asUsage(() =>
    parseArgs({
      options: { 'as-of': { type: 'string' }, 'may-shrink': { type: 'boolean' } },
      strict: true,
      allowPositionals: true
    })
  )
  const [file] = positionals
  const asOf = values['as-of']
  if (file === undefined || positionals.length > 1) throw new UsageError('Name one file.')
  if (asOf === undefined || !/^\d{4}-\d\d-\d\d$/.test(asOf) || Number.isNaN(Date.parse(asOf))) {
    throw new UsageError('Missing: --as-of, the day of the file.')
  }
  const mayShrink = values['may-shrink'] === true
  const { rows, verified, unverified } = await withData(data =>
    importRegister(data, gmcRegister, createReadStream(file), { asOf, mayShrink })
  )
  console.log(`${rows} rows. ${verified} specialists verified by it, ${unverified} no longer.`)
})
