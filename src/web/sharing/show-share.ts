import type { ShareView } from '../../../schemas/share.ts'
import { countryName } from '../../audit/report/wording.ts'
import type { Texts } from '../texts.ts'

/** A share as pages show it. */
export interface ShownShare extends ShareView {
  name: string
  place: string
  isLive: boolean
  flags: string[]
}

export function showShare(t: Texts, share: ShareView, now: number): ShownShare {
  const { specialistName, country, specialist, state } = share
  return {
    ...share,
    name: specialistName ?? specialist,
    place: countryName(country),
    isLive: state === 'live' || state === 'not-yet-valid',
    flags: flagsOf(t, share, now)
  }
}

/** What somebody should look at. */
function flagsOf(t: Texts, share: ShareView, now: number): string[] {
  const { accessesElsewhere = [], moreTimeAsked, turnaround, openings, expiresAt, state } = share
  const left = Date.parse(expiresAt) - now
  const isLive = state === 'live'
  return [
    ...accessesElsewhere.map(({ country }) =>
      t('sharing.flag-elsewhere', { country: countryName(country) })
    ),
    ...(moreTimeAsked === true ? [t('common.more-time-asked')] : []),
    ...(turnaround.overdue && turnaround.answeredAt === undefined
      ? [t('sharing.flag-overdue')]
      : []),
    ...(turnaround.answeredAt === undefined ? [] : [t('sharing.flag-answered')]),
    ...(isLive && openings === 0 && left < DAY_MILLISECONDS ? [t('sharing.flag-unopened')] : [])
  ]
}

const DAY_MILLISECONDS = 86_400_000
