import type { PartOfCase } from '../../schemas/retention.ts'
import { dayEnds, dayIn } from '../calendar.ts'
import type { RetentionPolicy } from './policy.ts'

/** What decides how long a case stays. */
export interface CaseFacts {
  /** Of its organisation: where its days begin and end. */
  zone: string
  /** Milliseconds UTC; null while it is open. */
  closedAt: number | null
  conditionGroup: string
  /** YYYY-MM-DD. */
  birthDate: string
  hasOpinion: boolean
  hasConsent: boolean
}

/** One part of a case, and when it goes. */
export interface Due {
  what: PartOfCase
  /** The last day it stays; undefined while the case is open. */
  lastDay?: string
  /** The first moment (milliseconds UTC) at which it may go. */
  at?: number
  isDue: boolean
  /** In words. */
  why: string
}

/** What is due when, by the policy, with the reason in words. */
export function retentionOf(facts: CaseFacts, policy: RetentionPolicy, now: number): Due[] {
  const parts: PartOfCase[] = [
    'copies',
    ...(facts.hasOpinion ? (['opinion'] as const) : []),
    ...(facts.hasConsent ? (['consent'] as const) : []),
    'request',
    'audit'
  ]
  const { closedAt, zone } = facts
  if (closedAt === null) {
    const why = 'The case is open: its time has not begun.'
    return parts.map(what => ({ what, isDue: false, why }))
  }
  const closed = dayIn(zone, closedAt)
  const ofClass = classEnd(facts, closed, policy)
  const { daysAfterClosing, why } = policy.copies
  const ofCopies = {
    lastDay: plusDays(closed, daysAfterClosing),
    why: `${why} Copies stay for ${daysAfterClosing} days after the case was closed.`
  }
  return parts.map(what => {
    const end = what === 'copies' ? ofCopies : ofClass
    const at = dayEnds(zone, end.lastDay)
    return { what, ...end, at, isDue: now >= at }
  })
}

/** The last day of whatever stays for the time of its class. Of two classes the longer one holds. */
function classEnd(
  { birthDate, conditionGroup }: CaseFacts,
  closed: string,
  { classes, groups }: RetentionPolicy
): { lastDay: string; why: string } {
  const { adult, cancer, child } = classes
  const ends: { lastDay: string; why: string }[] = []
  if (groups[conditionGroup] === 'cancer') {
    ends.push({ lastDay: plusYears(closed, cancer.years), why: cancer.why })
  }
  if (closed < plusYears(birthDate, child.under)) {
    const isLastYear = closed >= plusYears(birthDate, child.under - 1)
    const birthday = isLastYear ? child.birthdayIfSeventeen : child.birthday
    ends.push({ lastDay: plusYears(birthDate, birthday), why: child.why })
  }
  if (ends.length === 0) ends.push({ lastDay: plusYears(closed, adult.years), why: adult.why })
  return ends.reduce((longest, end) => (end.lastDay > longest.lastDay ? end : longest))
}

/** What was born, or began, on a 29th of February has its day on the 1st of March of other years. */
function plusYears(date: string, years: number): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number)
  return dateOf(Date.UTC(year + years, month - 1, day))
}

function plusDays(date: string, days: number): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number)
  return dateOf(Date.UTC(year, month - 1, day + days))
}

const dateOf = (utc: number): string => new Date(utc).toISOString().slice(0, 10)
