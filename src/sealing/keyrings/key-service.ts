import { createHash } from 'node:crypto'

// What the key rings have in common that keep their keys in a service.

/** A KEK in a key service: the id that stands in wrapped keys, and what the service calls it. */
export interface NamedKek {
  id: string
  name: string
}

/** How long a key service may take and how often it is asked. */
export interface KeyServicePatience {
  connectMilliseconds: number
  /** One attempt. */
  answerMilliseconds: number
  /** All attempts together. */
  totalMilliseconds: number
  attemptsMax: number
}

export const keyServicePatience: KeyServicePatience = {
  connectMilliseconds: 2000,
  answerMilliseconds: 3000,
  totalMilliseconds: 10_000,
  attemptsMax: 3
}

/** What a key service is told of a context: enough to bind a key to it, and nothing else. */
export function contextDigest(context: Buffer): Buffer {
  return createHash('sha256').update(context).digest()
}
