import type { FastifyReply, FastifyRequest } from 'fastify'
import { Value } from 'typebox/value'
import { type ConsentKind, ConsentRecord } from '../../../schemas/consent.ts'
import { type RecordKind, recordKinds } from '../../../schemas/record.ts'
import type { SpecialistView } from '../../../schemas/specialist.ts'
import { dayEnds, dayIn } from '../../calendar.ts'
import { recordConsent } from '../../consents/record.ts'
import { consentTexts } from '../../consents/texts.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { describeAccount, homeOf } from '../../identity/accounts.ts'
import { dayOf, type Form, filled, formOf, isDay, requireNoProblem } from '../form.ts'
import type { Web } from '../routes.ts'
import { isReadyWithConsent, type OfChoice, readChoice } from './grounds.ts'
import { showSpecialist } from './people.ts'

const NOON_MILLISECONDS = 12 * 3_600_000

type Params = OfChoice & { kind: string }
type Page = FastifyRequest<{ Params: Params }>

/** Where a clinician writes down what the patient has agreed to, with the text that they were shown. */
export async function consentPage(web: Web, request: Page, reply: FastifyReply) {
  const { exchange } = web
  const caller = callerOf(request)
  const { name } = await describeAccount(exchange, caller.accountId)
  const { timeZone } = await homeOf(exchange.database.read, caller.organisationId)
  const today = dayIn(timeZone, exchange.clock())
  return show(web, request, reply, { typed: { takenBy: name, who: 'patient', given: today } })
}

/** Records it, and goes back to what has to be in place, or on to the records when that is all. */
export async function saveConsent(web: Web, request: Page, reply: FastifyReply) {
  const { exchange, pages } = web
  const caller = callerOf(request)
  const { case: caseId, specialist } = request.params
  const form = formOf(request)
  pages.onRefusal(request, problems =>
    show(web, request, reply, { typed: typedOf(form), problems })
  )
  const { view } = await readChoice(exchange, caller, request.params)
  const { timeZone } = await homeOf(exchange.database.read, caller.organisationId)
  const now = exchange.clock()
  const at = { now, timeZone }
  const consent = consentOf(web, kindOf(request), form, view, at)
  await recordConsent(exchange, caller, caseId, consent)
  const isAll = consent.kind === 'second-opinion' && isReadyWithConsent(web, view)
  return reply.redirect(`/cases/${caseId}/share/${specialist}${isAll ? '/records' : ''}`, 303)
}

async function show(web: Web, request: Page, reply: FastifyReply, model: object) {
  const { exchange, pages } = web
  const { view } = await readChoice(exchange, callerOf(request), request.params)
  const kind = kindOf(request)
  return pages.show(request, reply, 'sharing/consent', {
    caseId: request.params.case,
    kind,
    text: shownText(kind),
    specialist: showSpecialist(pages.texts, view, exchange.clock()),
    recordKinds,
    ...model
  })
}

function kindOf({ params }: Page): ConsentKind {
  if (params.kind === 'second-opinion' || params.kind === 'transfer') return params.kind
  throw new Refusal('route-not-found')
}

function shownText(kind: ConsentKind) {
  const text = consentTexts.findLast(text => text.kind === kind)
  if (text === undefined) throw new Error(`There is no text for patients: ${kind}.`)
  return text
}

/** What was typed, to be shown again. */
const typedOf = (form: Form) => ({
  who: form.text('who'),
  name: form.text('name'),
  capacity: form.text('capacity'),
  takenBy: form.text('takenBy'),
  how: form.text('how'),
  given: dayOf(form, 'given'),
  evidence: form.text('evidence'),
  recipient: form.text('recipient'),
  why: form.text('why'),
  risks: form.text('risks'),
  dataTypes: [...new Set(form.list('dataTypes'))],
  told: form.text('told')
})

/** What was said at noon of an earlier day, where the organisation is, or now if it was today. */
function consentOf(
  { pages: { texts: t } }: Web,
  kind: ConsentKind,
  form: Form,
  specialist: SpecialistView,
  { now, timeZone }: { now: number; timeZone: string }
): ConsentRecord {
  const typed = typedOf(form)
  const { who, given, takenBy, evidence } = typed
  const isTransfer = kind === 'transfer'
  const isWhole = typed.recipient !== '' && typed.why !== '' && typed.risks !== ''
  const missing: [boolean, string][] = [
    [who === '', t('sharing.consent-needs-who')],
    [takenBy === '', t('sharing.consent-needs-taken-by')],
    [typed.how === '', t('sharing.consent-needs-how')],
    [!isDay(given), t('sharing.consent-needs-day')],
    [isTransfer && !isWhole, t('sharing.consent-needs-disclosures')],
    [isTransfer && typed.dataTypes.length === 0, t('sharing.consent-needs-kinds')],
    [isTransfer && typed.told === '', t('sharing.consent-needs-told')]
  ]
  requireNoProblem(missing.filter(([isMissing]) => isMissing).map(([, text]) => text))
  const isOther = who === 'representative'
  const { version, sha256 } = shownText(kind)
  const givenAt =
    given === dayIn(timeZone, now) ? now : dayEnds(timeZone, given) - NOON_MILLISECONDS
  const consent = {
    kind,
    text: {
      version: Number(form.text('version') || version),
      sha256: form.text('sha256') || sha256
    },
    givenBy: {
      who,
      ...(isOther && filled({ name: typed.name, capacity: typed.capacity }))
    },
    takenBy,
    how: typed.how,
    givenAt: new Date(givenAt).toISOString(),
    ...filled({ evidence }),
    ...(isTransfer && {
      transfer: {
        recipient: typed.recipient,
        ...(specialist.account !== undefined && { specialist: specialist.account }),
        country: specialist.country,
        why: typed.why,
        dataTypes: typed.dataTypes as RecordKind[],
        rightToWithdraw: true,
        risks: typed.risks
      }
    })
  }
  if (!Value.Check(ConsentRecord, consent)) {
    requireNoProblem([t('sharing.too-long')])
    throw new Error('A form that is not right had no problem.')
  }
  return consent
}
