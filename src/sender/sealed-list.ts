import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'

/** How the list of a sealed record is called. It is the last of its files and sealed as they are. */
export const LIST_NAME = 'list.json.age'
export const LIST_BYTES_MAX = 64 * 1024 ** 2

/**
 * What the files of a sealed record are: their own names are in here, because the service that
 * carries them is to learn nothing of them. Readable with the age program alone.
 */
export const SealedList = Type.Object({
  consiliumSealed: Type.Literal(1),
  files: Type.Array(
    Type.Object({
      /** The name it is carried under. */
      carried: Type.String({ pattern: '^\\d{4,7}\\.age$' }),
      name: Type.String({ maxLength: 4000 }),
      bytes: Type.Integer({ minimum: 0 }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' })
    })
  )
})
export type SealedList = Static<typeof SealedList>

export function readSealedList(text: string): SealedList | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(SealedList, value) ? value : undefined
  } catch {
    return undefined
  }
}

export const carriedName = (place: number): string => `${String(place).padStart(4, '0')}.age`
