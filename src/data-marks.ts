import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from './config.ts'

/** Files that keep every service and script from the data directory they are in. */
const MARKS = {
  /** What a restore has begun and not ended. */
  restoring: 'restoring.json',
  /** The same of a move into it. */
  moving: 'moving.json',
  /** Its log goes on elsewhere, or is about to: two services would fork it. */
  moved: 'moved.json'
}

type Mark = keyof typeof MARKS

const advice: Record<Mark, string> = {
  restoring: 'A restore into the data directory was cut short. Begin it again.',
  moving:
    'A move into the data directory has not ended. Run npm run migrate-store again, which goes on with it.',
  moved:
    'These data were moved elsewhere, or a move of them was cut short: moved.json says where to. A service on them would fork the access log. See docs/operating.md, "From one machine to many".'
}

export const markPath = (directory: string, mark: Mark): string => join(directory, MARKS[mark])

/** Throws ConfigError, which says what to do, where such a file is. */
export function requireUnmarked(directory: string): void {
  for (const mark of ['restoring', 'moving', 'moved'] as const) {
    if (existsSync(markPath(directory, mark))) throw new ConfigError([advice[mark]])
  }
}
