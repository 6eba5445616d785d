import type { FastifyReply, FastifyRequest } from 'fastify'
import { Value } from 'typebox/value'
import { ShareCreate } from '../../../schemas/share.ts'
import type { SpecialistView } from '../../../schemas/specialist.ts'
import { listConsents } from '../../consents/read.ts'
import type { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { homeOf } from '../../identity/accounts.ts'
import { listRecords } from '../../records/read.ts'
import { type Form, filled, formOf, requireNoProblem, wholeNumber } from '../form.ts'
import type { Web } from '../routes.ts'
import { fittingConsents, type OfChoice, readChoice } from './grounds.ts'
import { lawOf } from './law.ts'
import { showSpecialist } from './people.ts'
import { recordsPage } from './records.ts'
import { basesFor, safeguardFields, safeguardOf, typedSafeguard } from './safeguard-form.ts'
import { inPlainWords } from './words.ts'

export type OfChoicePage = FastifyRequest<{ Params: OfChoice }>

/** Lives of a share that are offered, as far as the service allows them. */
const LIFE_HOURS = [24, 72, 168, 336, 720]
const OPENINGS_MAX = 1000

const ownFields = ['purpose', 'hours', 'openings', 'pseudonymise', 'question', 'as-is', 'held']
/** Everything that goes from step to step in hidden fields. */
export const carriedFields = ['records', ...ownFields, 'override', ...safeguardFields]

/** All that was typed so far, as hidden fields. */
export const carried = (form: Form): { name: string; value: string }[] =>
  carriedFields.flatMap(name => form.list(name).map(value => ({ name, value })))

/** The fourth step: how long, for what, on what grounds. */
export async function termsPage(web: Web, request: OfChoicePage, reply: FastifyReply) {
  const form = formOf(request)
  web.pages.onRefusal(request, problems => recordsPage(web, request, reply, { problems }))
  const records = [...new Set(form.list('records'))]
  const { texts: t } = web.pages
  const most = web.exchange.limits.recordsPerShareMax
  requireNoProblem(records.length === 0 ? [t('sharing.no-records')] : [])
  requireNoProblem(records.length > most ? [t('sharing.too-many-records', { most })] : [])
  return showTerms(web, request, reply)
}

/** The same with what was typed, and what is wrong with it. */
export async function showTerms(
  web: Web,
  request: OfChoicePage,
  reply: FastifyReply,
  told: { problems: { text: string }[]; refusal?: Refusal } = { problems: [] }
) {
  const { exchange, pages } = web
  const { texts: t } = pages
  const caller = callerOf(request)
  const { view } = await readChoice(exchange, caller, request.params)
  const { consents } = await listConsents(exchange, caller, request.params.case)
  const { records } = await listRecords(exchange, caller, request.params.case)
  const { publicAuthority } = await homeOf(exchange.database.read, caller.organisationId)
  const form = formOf(request)
  const chosen = [...new Set(form.list('records'))]
  const specialist = showSpecialist(t, view, exchange.clock())
  const { shareHoursDefault, shareHoursMax } = exchange.limits
  const hours = [...new Set([...LIFE_HOURS, shareHoursDefault])].filter(n => n <= shareHoursMax)
  return pages.show(request, reply, 'sharing/terms', {
    caseId: request.params.case,
    specialist,
    records: records.filter(({ id }) => chosen.includes(id)),
    hours: hours.sort((a, b) => a - b).map(n => ({ value: String(n), text: lifeText(web, n) })),
    typed: {
      purpose: form.text('purpose') || t('sharing.purpose-usual'),
      hours: form.text('hours') || String(shareHoursDefault),
      openings: form.text('openings'),
      pseudonymise: form.text('pseudonymise') || 'no',
      question: form.text('question'),
      asIs: form.text('as-is'),
      held: form.text('held'),
      override: form.text('override')
    },
    asksNameless: asksNameless(form, told.refusal),
    asksOverride: told.refusal?.code === 'case-incomplete' || form.text('override') !== '',
    bases: basesFor(specialist.law),
    safeguard: typedSafeguard(form),
    consents: fittingConsents(consents, view),
    publicAuthority,
    problems: inPlainWords(t, told)
  })
}

/** What a copy without names needs beside is asked for when it turns out to be needed. */
function asksNameless(form: Form, refusal: Refusal | undefined): boolean {
  const typed = ['question', 'as-is', 'held'].some(name => form.text(name) !== '')
  return typed || refusal?.code.startsWith('pseudonymise-') === true
}

/** 72 hours are 3 days. */
export const lifeText = ({ pages: { texts: t } }: Pick<Web, 'pages'>, hours: number): string =>
  hours % 24 === 0 ? t('common.days', { count: hours / 24 }) : t('common.hours', { count: hours })

/** The share that was described in the form. Refusal `request-invalid` with everything that is wrong. */
export function wantedOf({ exchange, pages }: Web, form: Form, specialist: SpecialistView) {
  const { texts: t } = pages
  const problems: string[] = []
  const purpose = form.text('purpose')
  const records = [...new Set(form.list('records'))]
  if (purpose === '') problems.push(t('sharing.purpose-missing'))
  if (records.length === 0) problems.push(t('sharing.no-records'))
  const hours = wholeNumber(form.text('hours'), exchange.limits.shareHoursMax)
  if (hours === undefined) problems.push(t('sharing.hours-missing'))
  const openings = form.text('openings')
  const openingsMax = openings === '' ? undefined : wholeNumber(openings, OPENINGS_MAX)
  if (openings !== '' && openingsMax === undefined) {
    problems.push(t('sharing.openings-wrong', { most: OPENINGS_MAX }))
  }
  const law = lawOf(t, specialist.country, exchange.clock())
  const safeguard = safeguardOf(t, form, law, problems)
  requireNoProblem(problems)
  const wanted = {
    specialist: specialist.account ?? '',
    records,
    purpose,
    lifeHours: hours,
    ...(openingsMax !== undefined && { openingsMax }),
    ...(safeguard && { safeguard }),
    ...(form.text('pseudonymise') === 'yes' && pseudonymising(form, records)),
    ...filled({ overrideReason: form.text('override'), attempt: form.text('attempt') })
  }
  if (!Value.Check(ShareCreate, wanted)) {
    requireNoProblem([t('sharing.too-long')])
    throw new Error('A form that is not right had no problem.')
  }
  return wanted
}

function pseudonymising(form: Form, records: string[]) {
  const asIs = form.text('as-is')
  const held = form.text('held')
  return {
    pseudonymise: true,
    ...filled({ question: form.text('question') }),
    ...(asIs !== '' && { allowAsIs: { records, reason: asIs } }),
    ...(held !== '' && { allowHeld: { records, reason: held } })
  }
}
