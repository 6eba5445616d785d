import type { Signature } from './signatures.ts'

/** Whether `bytes` stand at `position` of `head`. */
export function startsAt(head: Buffer, bytes: Buffer, position: number): boolean {
  return head.subarray(position, position + bytes.length).equals(bytes)
}

/** The first format among `signatures` whose bytes stand where that format has them, if any. */
export function startingFormat(
  head: Buffer,
  signatures: readonly Signature[]
): Signature | undefined {
  return signatures.find(({ bytes, at = 0 }) => startsAt(head, bytes, at))
}

/** The first format among `signatures` whose bytes stand anywhere in `head`, if any. */
export function embeddedFormat(
  head: Buffer,
  signatures: readonly Signature[]
): Signature | undefined {
  return signatures.find(({ bytes }) => head.includes(bytes))
}
