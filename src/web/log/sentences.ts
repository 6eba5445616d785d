import type { AuditEventView } from '../../../schemas/audit-event.ts'
import { countryName } from '../../audit/report/wording.ts'
import { publicFace, type RefusalCode, refusalCodes } from '../../errors.ts'
import type { Texts } from '../texts.ts'

/** What a recipient does, and nobody else: there the country says where they work. */
const ofRecipients = new Set(['link.open', 'share.read', 'content.read'])

/** What an event says in one plain sentence. `kind` is that of the record it is about, if any. */
export function sentenceOf(t: Texts, event: AuditEventView, kind: string | undefined): string {
  const { action, outcome, code } = event
  const who = whoIn(t, event)
  const what = t(`actions.what.${kind ?? 'none'}`)
  const did = t(`actions.did.${action}`, { who, what })
  const act = t(`actions.try.${action}`, { what })
  if (outcome !== 'refused') return t(`actions.outcome.${outcome}`, { who, did, act })
  const why = reasonOf(code)
  if (why === undefined) return t('actions.outcome.refused-quietly', { who, act })
  return t('actions.outcome.refused', { who, act, why: lowerFirst(why) })
}

function whoIn(t: Texts, { actor, details, outcome, action, share, ...event }: AuditEventView) {
  if (actor === undefined) {
    const { by } = details
    if (typeof by === 'string') return t('actions.who.operator')
    return t(outcome === 'refused' ? 'actions.who.nobody' : 'actions.who.service')
  }
  const { name = t('actions.who.unnamed') } = actor
  const { recipientCountry } = event
  if (share === undefined || recipientCountry === undefined || !ofRecipients.has(action))
    return name
  return t('actions.who.abroad', { name, country: countryName(recipientCountry) })
}

/** Why something was refused, in the words that the caller was told; undefined for an unknown code. */
export function reasonOf(code: string | undefined): string | undefined {
  const known = refusalCodes.find(name => name === code)
  return known && publicFace(known satisfies RefusalCode).title
}

/** Within a sentence; what begins with an abbreviation stays as it is. */
const lowerFirst = (text: string): string =>
  /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text
