import type { Disclosure } from '../../../schemas/disclosure-report.ts'
import type { MoreTimeView } from '../../../schemas/more-time.ts'
import type { ShareView } from '../../../schemas/share.ts'
import { endingText, readerText, whatText } from '../../audit/report/wording.ts'
import type { Texts } from '../texts.ts'

/** One line of what happened: when, and what in a sentence. */
export interface Happened {
  at: string
  says: string
}

/** Everything that happened to a share, the newest first. */
export function historyOf(
  t: Texts,
  share: ShareView,
  asks: MoreTimeView[],
  uses: Disclosure[]
): Happened[] {
  const name = share.specialistName ?? share.specialist
  const { turnaround, revokedAt, replacedBy } = share
  const lines: Happened[] = [{ at: share.createdAt, says: t('sharing.was-shared', { name }) }]
  for (const use of uses) lines.push({ at: use.at, says: usedText(use) })
  for (const ask of asks) lines.push(...asked(t, name, ask))
  if (turnaround.answeredAt !== undefined) {
    lines.push({ at: turnaround.answeredAt, says: t('sharing.was-answered', { name }) })
  }
  if (revokedAt !== undefined) {
    const says = t(replacedBy === undefined ? 'sharing.was-ended' : 'sharing.was-replaced')
    lines.push({ at: revokedAt, says })
  } else if (share.state === 'expired') {
    lines.push({ at: share.expiresAt, says: t('sharing.has-expired') })
  }
  return lines.sort((a, b) => (a.at < b.at ? 1 : -1))
}

/** As the disclosure report says it. */
export const usedText = ({ reader, what, ending }: Disclosure): string =>
  [
    `${readerText(reader)}: ${whatText(what)}.`,
    ending.bytes === undefined ? '' : endingText(ending)
  ]
    .filter(text => text !== '')
    .join(' ')

function asked(t: Texts, name: string, ask: MoreTimeView): Happened[] {
  const { askedAt, answeredAt, words, reason, state } = ask
  const says =
    words === undefined
      ? t('sharing.asked-more-time', { name })
      : t('sharing.asked-more-time-because', { name, words })
  const lines = [{ at: askedAt, says }]
  if (answeredAt === undefined) return lines
  const answer =
    state === 'given'
      ? t('sharing.gave-more-time')
      : t('sharing.declined-more-time', { reason: reason ?? '' })
  return [...lines, { at: answeredAt, says: answer }]
}
