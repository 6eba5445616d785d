import type { RecordAnswer, ShareAnswer } from './answers.ts'

/** One file of a share and where it goes. */
export interface Placed {
  record: RecordAnswer
  object: RecordAnswer['objects'][number]
  /** The folder of its record, below that of the share. */
  folder: string
  /** Without an extension, which may depend on what is in a sealed file. */
  stem: string
}

/** Extensions by what the bytes are; the service tells it, and of this list alone is one taken. */
const extensions: Record<string, string> = {
  'application/dicom': '.dcm',
  'application/pdf': '.pdf',
  'image/png': '.png',
  'image/jpeg': '.jpg',
  'image/tiff': '.tif',
  'text/plain': '.txt',
  'application/age': '.age'
}

const kept = new Set([...Object.values(extensions), '.jpeg', '.tiff', '.svs', '.dicom'])

/**
 * Names for everything in a share that hold nothing of what a sender, or a service that was taken
 * over, can choose: numbers, the kind of the record and a known extension. So none is a path, a
 * device or another's file, none says whose it is, and each run gives the same ones.
 */
export function placeFiles({ records }: ShareAnswer): Placed[] {
  const digits = Math.max(2, String(records.length).length)
  return records.flatMap((record, i) => {
    const folder = `${String(i + 1).padStart(digits, '0')}-${kindOf(record.kind)}`
    const width = Math.max(4, String(record.objects.length).length)
    return record.objects.map((object, j) => ({
      record,
      object,
      folder,
      stem: String(j + 1).padStart(width, '0')
    }))
  })
}

/** `answers.ts` lets letters and hyphens through, and "con" would still be a device on Windows. */
const kindOf = (kind: string): string =>
  /^(scan|pathology-report|pathology-slide|letter|referral|lab-result|treatment-plan)$/.test(kind)
    ? kind
    : 'other'

export const extensionOf = (type: string): string => extensions[type] ?? '.bin'

/** Of a file that was sealed, by the name its sender gave it. */
export function extensionOfName(name: string): string {
  const found = /\.[a-z0-9]{1,8}$/.exec(name.toLowerCase())?.[0] ?? ''
  return kept.has(found) ? found : '.bin'
}
