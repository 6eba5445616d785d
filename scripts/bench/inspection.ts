import { type Figure, inTurn, type Run } from './figure.ts'
import type { Inspected } from './inspection-child.ts'
import { nextMessage, start } from './processes.ts'

/** One file costs little beside its 512 KiB on their way to the disk. */
const MILLISECONDS_EACH_MAX = 2
const GROWN_MIB_MAX = 100

/** Looking into one small DICOM file. The baseline is the same without a thread of its own. */
export const inspection: Figure = {
  name: 'inspection',
  unit: 'ms/file',
  goal: { valueMax: MILLISECONDS_EACH_MAX },
  diskBytes: () => 0,
  run: bench =>
    inTurn(bench, 'inspection', {
      baseline: () => measure('here', 'millisecondsEach'),
      ours: () => measure('pool', 'millisecondsEach')
    })
}

/** What it adds to the memory of a process. */
export const inspectionMemory: Figure = {
  name: 'inspection-memory',
  unit: 'MiB',
  goal: { valueMax: GROWN_MIB_MAX },
  diskBytes: () => 0,
  run: bench =>
    inTurn(bench, 'inspection-memory', {
      baseline: () => measure('here', 'grownMib'),
      ours: () => measure('pool', 'grownMib')
    })
}

async function measure(where: 'here' | 'pool', what: keyof Inspected): Promise<Run> {
  const measured = await nextMessage<Inspected>(start('inspection-child.ts', [where]))
  return { value: measured[what] }
}
