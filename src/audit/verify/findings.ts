/** Faults told one by one; those after it are only counted. */
export const FAULTS_TOLD_MAX = 1000
/** Notices told one by one. */
export const NOTICES_TOLD_MAX = 100

/** What a verification has found, told as it is found. */
export interface Findings {
  /** Something is not as it was written and signed. One whole sentence, without anything personal. */
  fault(sentence: string): void
  /** Something to know that proves nothing wrong. */
  notice(sentence: string): void
  faults(): number
  notices(): number
}

/** Keeps count, and passes on what is not too much to read. */
export function tellFindings(tell: {
  fault(sentence: string): void
  notice(sentence: string): void
}): Findings {
  let faults = 0
  let notices = 0
  return {
    fault(sentence) {
      faults += 1
      if (faults <= FAULTS_TOLD_MAX) tell.fault(sentence)
    },
    notice(sentence) {
      notices += 1
      if (notices <= NOTICES_TOLD_MAX) tell.notice(sentence)
    },
    faults: () => faults,
    notices: () => notices
  }
}

/** Told now and then how many events have been looked at, of how many. */
export type Progress = (events: number, of: number) => void

/** What a verification has looked at, for its last lines. */
export interface Summary {
  /** The name of the log, when a checkpoint could be read. */
  origin?: string | undefined
  /** Events that were looked at. */
  events: number
  /** The size and root of the largest tree that a key of the log has signed, and those keys' ids. */
  signed?: { size: number; root: string; keyIds: string[] } | undefined
  /** Events that no checkpoint covers yet. */
  unsigned: number
  /** Events whose details were compared with their commitments. */
  details: number
  /** Events whose details have been erased. */
  erased: number
}

/** Something stands in the way of looking at all: a file, an address, a key, a way of asking. */
export class Unverifiable extends Error {
  override readonly name = 'Unverifiable'
}
