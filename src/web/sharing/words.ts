import type { Refusal } from '../../errors.ts'
import type { Texts } from '../texts.ts'

/**
 * Refusals that a page says in other words than the API does: there is no member to add here, but a
 * question to answer. Their texts are called `sharing.refused-<code>`.
 */
const said = new Set([
  'case-incomplete',
  'consent-missing',
  'consent-withdrawn',
  'consent-expired',
  'patient-mismatch',
  'pseudonymise-not-dicom',
  'pseudonymise-held',
  'pseudonymise-names-patient',
  'transfer-public-authority',
  'invitation-same-channel',
  'more-time-shorter',
  'share-ended',
  'version-changed',
  'proof-needed'
])

/** A sentence, and where it leads, if it does. */
interface Told {
  text: string
  href?: string
  attributes?: Record<string, string>
}

/** To a window of its own: the form stays as it is, and the proof is one of the whole browser. */
const PROOF = { href: '/prove', attributes: { target: '_blank' } }

/** What was wrong, with a sentence of this page's own before it. */
export function inPlainWords(
  t: Texts,
  { problems, refusal }: { problems: { text: string }[]; refusal?: Refusal | undefined }
): Told[] {
  if (refusal === undefined || !said.has(refusal.code)) return problems
  const own = {
    text: t(`sharing.refused-${refusal.code}`),
    ...(refusal.code === 'proof-needed' && PROOF)
  }
  return refusal.extra.problems === undefined ? [own] : [own, ...problems]
}
