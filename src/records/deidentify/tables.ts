import type { Syntax } from './elements.ts'
import { numbersIn } from './numbers.ts'
import { type Tag, tagOf } from './representations.ts'

// Long binary values that may stay though they are neither pixels nor single numbers: those of which
// the data set itself says before how long they must be.

const tags = {
  frames: '0028,0008',
  rows: '0028,0010',
  columns: '0028,0011',
  redDescriptor: '0028,1101',
  greenDescriptor: '0028,1102',
  blueDescriptor: '0028,1103',
  lutDescriptor: '0028,3002',
  pointRows: '0028,9001',
  pointColumns: '0028,9002',
  channels: '003A,0005',
  samples: '003A,0010',
  waveformBits: '5400,1004'
} as const
type Said = Partial<Record<keyof typeof tags, number[]>>

const saying = new Map<Tag, keyof typeof tags>(
  Object.entries(tags).map(([name, tag]) => [tagOf(tag), name as keyof typeof tags])
)

const even = (bytes: number): number => bytes + (bytes % 2)

/** A table of as many entries as its descriptor says: PS3.3, section C.7.6.3.1.5. */
function ofDescriptor(descriptor: number[] | undefined): number[] {
  const [entries, , bits] = descriptor ?? []
  if (entries === undefined || bits === undefined) return []
  const count = entries === 0 ? 65_536 : entries
  return bits <= 8 ? [even(count), 2 * count] : [2 * count]
}

const product = (...all: (number | undefined)[]): number =>
  all.reduce<number>((total, each) => total * (each ?? Number.NaN), 1)

const lengths = new Map<Tag, (said: Said) => number[]>([
  [tagOf('0028,1201'), said => ofDescriptor(said.redDescriptor)],
  [tagOf('0028,1202'), said => ofDescriptor(said.greenDescriptor)],
  [tagOf('0028,1203'), said => ofDescriptor(said.blueDescriptor)],
  [tagOf('0028,3006'), said => ofDescriptor(said.lutDescriptor)],
  [tagOf('5400,100A'), ({ waveformBits: [bits = 0] = [] }) => [even(bits / 8)]],
  [
    // Waveform data: PS3.3, section C.10.9.1.
    tagOf('5400,1010'),
    ({ channels, samples, waveformBits }) => [
      even(product(channels?.[0], samples?.[0], waveformBits?.[0], 1 / 8))
    ]
  ],
  [
    // Spectroscopy data, real or complex: PS3.3, section C.8.14.4.1.
    tagOf('5600,0020'),
    ({ rows, columns, frames, pointRows, pointColumns }) => {
      const points = [rows, columns, pointRows, pointColumns].map(found => found?.[0])
      const bytes = product(4, frames?.[0] ?? 1, ...points)
      return [bytes, 2 * bytes]
    }
  ]
])

/** What one data set after another, at each depth, says of the tables in it. */
export interface TableLengths {
  /** Another data set begins at this depth. */
  begin(depth: number): void
  /** Takes note of a value that stays. */
  note(tag: Tag, value: Buffer, representation: string, depth: number, syntax: Syntax): void
  /** Whether a table has the length it must have; undefined when the tag is not of a table. */
  fits(tag: Tag, bytes: number | undefined, depth: number): boolean | undefined
}

export function tableLengths(): TableLengths {
  const saidAt: Said[] = []
  return {
    begin(depth) {
      saidAt[depth] = {}
    },
    note(tag, value, representation, depth, syntax) {
      const name = saying.get(tag)
      if (name === undefined) return
      const numbers =
        representation === 'IS'
          ? value.toString('latin1').split('\\').map(Number)
          : numbersIn(value, representation, syntax)
      saidAt[depth] = { ...saidAt[depth], [name]: numbers }
    },
    fits(tag, bytes, depth) {
      const allowed = lengths.get(tag)?.(saidAt[depth] ?? {})
      return allowed && bytes !== undefined && allowed.includes(bytes)
    }
  }
}
