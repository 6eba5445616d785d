import policyFile from './policy.json' with { type: 'json' }

/** How long things stay. Data, with its version, its owner and its sources. */
export interface RetentionPolicy {
  version: string
  copies: {
    /** Whole days after the day on which the case was closed. */
    daysAfterClosing: number
    /** Kinds of records that are no copies, and stay as long as an opinion. */
    keptKinds: readonly string[]
    why: string
  }
  classes: {
    adult: { years: number; why: string }
    cancer: { years: number; why: string }
    child: { under: number; birthday: number; birthdayIfSeventeen: number; why: string }
  }
  /** Condition groups whose records are of another class than those of adults. */
  groups: Readonly<Record<string, string>>
}

/** The policy of this release, with the operator's own time for copies, which its version then tells. */
export function policyOf({ copyDays }: { copyDays: number }): RetentionPolicy {
  const { version, copies, classes, groups } = policyFile
  const isOwn = copyDays !== copies.daysAfterClosing
  return {
    version: isOwn ? `${version}, copies ${copyDays} days` : version,
    copies: { ...copies, daysAfterClosing: copyDays },
    classes,
    groups
  }
}

export const COPY_DAYS_DEFAULT = policyFile.copies.daysAfterClosing
