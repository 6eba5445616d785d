import { type FileHandle, open } from 'node:fs/promises'
import { isDicom } from '../records/inspect/dicom-head.ts'
import { summariseDicom } from '../records/inspect/dicom-summary.ts'
import { bounded } from '../records/inspect/source.ts'
import type { FoundFile } from './walk.ts'

/** What the header of a DICOM file says of where it belongs. Nothing of the patient. */
export interface DicomPlace {
  study?: string
  series?: string
  seriesNumber?: number
  instance?: string
  instanceNumber?: number
  modality?: string
  bodyPart?: string
  /** As in 2026-11-02. */
  date?: string
}

const HEAD_BYTES = 132
/** Files whose headers are read at once. */
const LOOKS_AT_ONCE = 8

/**
 * Looks into each file, a bounded piece of each: what DICOM files say of their place; an empty place
 * for one whose header cannot be read, which the service is to judge; nothing for other files.
 */
export async function lookIntoFiles(
  files: FoundFile[],
  looked: () => void
): Promise<Map<FoundFile, DicomPlace>> {
  const places = new Map<FoundFile, DicomPlace>()
  const queue = files.values()
  const worker = async () => {
    for (const file of queue) {
      const place = await lookInto(file).catch(() => undefined)
      if (place !== undefined) places.set(file, place)
      looked()
    }
  }
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, worker))
  return places
}

async function lookInto(found: FoundFile): Promise<DicomPlace | undefined> {
  const file = await open(found.path, 'r')
  try {
    const head = await readAt(file, 0, HEAD_BYTES)
    if (!isDicom(head)) return undefined
    const source = { bytes: found.bytes, read: (at: number, n: number) => readAt(file, at, n) }
    return await placeIn(bounded(source)).catch(() => ({}))
  } finally {
    await file.close()
  }
}

async function placeIn(source: ReturnType<typeof bounded>): Promise<DicomPlace> {
  const { dicom = {} } = await summariseDicom(source)
  const { study, series, seriesNumber, sopInstance, instanceNumber } = dicom
  const { modality, bodyPart, studyDate } = dicom
  return {
    ...(study && { study }),
    ...(series && { series }),
    ...(seriesNumber !== undefined && { seriesNumber }),
    ...(sopInstance && { instance: sopInstance }),
    ...(instanceNumber !== undefined && { instanceNumber }),
    ...(modality && { modality }),
    ...(bodyPart && { bodyPart }),
    ...(studyDate && { date: studyDate })
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}
