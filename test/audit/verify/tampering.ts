import type { Known } from '../../../src/audit/verify/directory.ts'
import type { LivelyLog, LogCopy } from './stage.ts'

export interface Tampering {
  spoil(copy: LogCopy, log: LivelyLog): Promise<void> | void
  /** Every fault that is told, and nothing else. */
  faults(log: LivelyLog): string[]
  /** Whether the service, which looks at the newest events alone, refuses to start. */
  refuses: boolean
  /** What the auditor knows. */
  known?(log: LivelyLog): Partial<Known>
}

export const ROW = 'The checkpoint of the database'
export const COPY = 'The copy of the checkpoint'
export const bothHeads = (told: string) => [`${ROW}${told}`, `${COPY}${told}`]
export const changedSince = bothHeads(
  ': the first 357 events are not those that were signed; the tiles are those signed'
)
export const notSigned = bothHeads(
  ': the first 357 events are not those that were signed; events or tiles'
)

export const sql =
  (text: string) =>
  ({ database }: LogCopy): void =>
    void database.exec(text)

/** Events of the scene: quiet ones to 335, then the lively ones of two shares. */
export const QUIET = 100
export const OPENED = 341
export const GRANTED = 342
export const COMPLETED = 343
/** A stranger tried the link. */
export const TRIED = 345
export const LAST = 356
export const SIZE = 357
export const NO_ID = '01a00000-0000-7000-8000-000000000000'
