import dictionary from './dictionary.json' with { type: 'json' }

/** A tag as one number: the group in the upper 16 bits, the element in the lower. */
export type Tag = number

export const groupOf = (tag: Tag): number => Math.floor(tag / 0x10000)

/** "0010,0020" as a tag. */
export function tagOf(text: string): Tag {
  const [group = '', element = ''] = text.split(',')
  return Number.parseInt(group, 16) * 0x10000 + Number.parseInt(element, 16)
}

/** Value representations by DICOM PS3.5, section 6.2, in those kinds that are treated alike. */
const kinds = {
  text: 'AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT',
  binary: 'AT FD FL OB OD OF OL OV OW SL SS SV UL US UV',
  sequence: 'SQ',
  unknown: 'UN'
} as const
export type Kind = keyof typeof kinds

const kindByName = new Map<string, Kind>(
  Object.entries(kinds).flatMap(([kind, names]) =>
    names.split(' ').map(name => [name, kind as Kind] as const)
  )
)

/** Undefined when it is no value representation. */
export const kindOf = (representation: string): Kind | undefined => kindByName.get(representation)

/** Those whose length is 32 bits in explicit syntaxes: DICOM PS3.5, section 7.1.2. */
const long = new Set('OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' '))
export const hasLongLength = (representation: string): boolean => long.has(representation)

type Listed = Record<string, Record<string, string | undefined>>

/**
 * Each tag with the names under which it is listed. Worked out when it is first asked for: there are
 * five thousand, and most processes never look at one.
 */
function tagsOf(listed: Listed): (tag: Tag) => string[] {
  let found: Map<Tag, string[]> | undefined
  return tag => {
    found ??= namesByTag(listed)
    return found.get(tag) ?? []
  }
}

function namesByTag(listed: Listed): Map<Tag, string[]> {
  const found = new Map<Tag, string[]>()
  for (const [name, groups] of Object.entries(listed)) {
    for (const [group, elements] of Object.entries(groups)) {
      for (const element of (elements ?? '').split(' ')) {
        const tag = tagOf(`${group},${element}`)
        found.set(tag, [...(found.get(tag) ?? []), name])
      }
    }
  }
  return found
}

const known = tagsOf(dictionary.representations)
const alternatives = tagsOf(dictionary.alternatives)
const multiplicities = tagsOf(dictionary.multiplicities)

/** The value representation that the standard gives to a tag, the first where it gives several. */
export const representationOf = (tag: Tag): string | undefined => known(tag)[0]

/**
 * The representation of a value on which file and standard agree; undefined where they do not: nobody
 * can say what such a value is. Unknown to the file (UN) is what the standard says.
 */
export function agreedRepresentation(tag: Tag, representation: string): string | undefined {
  const standard = representationOf(tag)
  if (representation === standard || representation === 'UN') return standard
  return alternatives(tag).includes(representation) ? representation : undefined
}

/** How many bytes one number takes: DICOM PS3.5, table 6.2-1. */
const numberBytes: Record<string, number> = {
  AT: 4,
  FD: 8,
  FL: 4,
  SL: 4,
  SS: 2,
  SV: 8,
  UL: 4,
  US: 2,
  UV: 8
}
/** Where the standard sets no end: a table of numbers has at most this many. */
const NUMBERS_MAX = 65_536

/** Undefined when values of this representation are no numbers of one length. */
export const bytesOfNumber = (representation: string): number | undefined =>
  numberBytes[representation]

/** Whether so many bytes are as many numbers as the standard allows for this tag, or none. */
export function isLengthOfNumbers(tag: Tag, representation: string, bytes: number): boolean {
  const count = bytes / (numberBytes[representation] ?? Number.NaN)
  if (!Number.isInteger(count)) return false
  const [, from = '1', to = from] =
    /^(\d+)(?:-(\d*n|\d+))?$/.exec(multiplicities(tag)[0] ?? '1') ?? []
  const [least, step] = [Number(from), to.endsWith('n') ? Number.parseInt(to, 10) || 1 : 1]
  const most = to.endsWith('n') ? NUMBERS_MAX : Number(to)
  return count === 0 || (count >= least && count <= most && (count - least) % step === 0)
}
