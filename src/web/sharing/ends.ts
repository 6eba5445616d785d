import type { ShareView } from '../../../schemas/share.ts'
import type { TransferBasis } from '../../../schemas/transfer.ts'
import type { Texts } from '../texts.ts'

/** What a share rests on, and what may end it before its time. */
export interface RestsOn {
  hasConsent: boolean
  transfer: TransferBasis | undefined
}

/** Everything that ends a share at once, whatever its time: said before it is made, and while it lives. */
export function earlyEnds(t: Texts, { hasConsent, transfer }: RestsOn): string[] {
  const safeguard = transfer?.safeguard
  const isConsent = safeguard?.type === 'explicit-consent'
  return [
    ...(hasConsent || isConsent ? [t('sharing.early-consent')] : []),
    ...(safeguard === undefined || isConsent ? [] : [t('sharing.early-safeguard')]),
    t('sharing.early-specialist'),
    t('sharing.early-you')
  ]
}

/** The nearest end of a live share, and why it is that one. */
export function nearestEnd(
  t: Texts,
  { expiresAt, endsWith, verifiedUntil }: ShareView
): { at: string; why: string } {
  // The share is never longer than its consent and its safeguard, but its specialist may be verified for less.
  if (verifiedUntil !== undefined) return { at: verifiedUntil, why: t('sharing.end-verification') }
  return { at: expiresAt, why: t(`sharing.end-${endsWith ?? 'time'}`) }
}
