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

const known: ReadonlyMap<Tag, string> = new Map(
  Object.entries(dictionary.representations).flatMap(([representation, groups]) =>
    Object.entries(groups).flatMap(([group, elements]) =>
      (elements ?? '')
        .split(' ')
        .map(element => [tagOf(`${group},${element}`), representation] as const)
    )
  )
)

/** The value representation that the standard gives to a tag, the first where it gives several. */
export const representationOf = (tag: Tag): string | undefined => known.get(tag)
