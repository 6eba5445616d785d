import { summariseDicom } from './dicom-summary.ts'
import { summariseJpeg, summarisePng } from './image-size.ts'
import { summarisePdf } from './pdf-flags.ts'
import type { FileType } from './signatures.ts'
import { bounded, type InspectionSource, LooksSpent } from './source.ts'
import { note, type ObjectSummary } from './summary.ts'
import { summariseTiff } from './tiff-slide.ts'

const looks: Partial<Record<FileType, (source: InspectionSource) => Promise<ObjectSummary>>> = {
  'application/dicom': summariseDicom,
  'application/pdf': summarisePdf,
  'image/png': summarisePng,
  'image/jpeg': summariseJpeg,
  'image/tiff': summariseTiff
}

/** Whether there is anything to find in files of this type. A text and an age file have no header. */
export function hasInside(type: FileType): boolean {
  return looks[type] !== undefined
}

/**
 * What is in a file of this type, by its structure. Throws a `Refusal` when that proves false; see
 * the readers of each format. Bounded in what it reads, not in the time it takes: it is run where it
 * can be killed (`inspect-pool.ts`).
 */
export async function lookInside(type: FileType, source: InspectionSource): Promise<ObjectSummary> {
  try {
    return (await looks[type]?.(bounded(source))) ?? { notes: [] }
  } catch (err) {
    if (err instanceof LooksSpent) return { notes: [note('structure-not-fully-read')] }
    throw err
  }
}
