import type { FastifyReply, FastifyRequest } from 'fastify'
import { type SpecialistView, specialistStates } from '../../../schemas/specialist.ts'
import { countryName } from '../../audit/report/wording.ts'
import { Refusal } from '../../errors.ts'
import { callerOf } from '../../http/area.ts'
import { requireOperator } from '../../identity/operator.ts'
import { importAs } from '../../register/import.ts'
import { expireSpecialist, verifySpecialist } from '../../register/keep.ts'
import { listSpecialists, readSpecialist } from '../../register/search.ts'
import { addressOf, formOf } from '../form.ts'
import { readDate } from '../log/question.ts'
import type { Web } from '../routes.ts'
import type { Texts } from '../texts.ts'

export type OfSpecialist = FastifyRequest<{ Params: { specialist: string } }>

const SOON_MILLISECONDS = 30 * 86_400_000
const NAME_CHARACTERS_MAX = 100
const TEXT_CHARACTERS_MAX = 1000

/** The register, newest entry first; by name only from a form, because a name is in no address. */
export async function registerPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  await requireOperator(exchange.database.read, callerOf(request))
  const q = formOf(request).text('q').slice(0, NAME_CHARACTERS_MAX)
  const isForm = request.method === 'POST'
  const given = (name: string) =>
    isForm ? formOf(request).text(name) : addressOf(request).text(name)
  const state = specialistStates.find(name => name === given('state'))
  const cursor = given('cursor')
  const { specialists, next } = await listSpecialists(exchange, callerOf(request), {
    ...(q !== '' && { q }),
    ...(state !== undefined && { state }),
    ...(cursor !== '' && { cursor })
  })
  const soon = exchange.clock() + SOON_MILLISECONDS
  return pages.show(request, reply, 'administration/register', {
    q,
    state: state ?? '',
    states: specialistStates,
    next,
    entries: specialists.map(entry => ({
      id: entry.id,
      name: entry.name,
      organisation: entry.organisation,
      country: countryName(entry.country),
      state: entry.state,
      until: entry.verification?.until,
      isSoon: entry.state === 'verified' && Date.parse(entry.verification?.until ?? '') < soon
    }))
  })
}

/** One entry, and the forms that verify it or end that. `version` guards against two at once. */
export async function entryPage(
  { exchange, pages }: Web,
  request: OfSpecialist,
  reply: FastifyReply,
  again: { problems: { text: string }[]; evidence?: string; until?: string; reason?: string } = {
    problems: []
  }
) {
  const { specialist } = request.params
  await requireOperator(exchange.database.read, callerOf(request))
  const { view, version } = await readSpecialist(exchange, callerOf(request), specialist)
  const { texts: t } = pages
  return pages.show(request, reply, 'administration/entry', {
    ...again,
    entry: view,
    version,
    rows: rowsOf(t, view).map(([key, value]) => ({
      key: t(`administration.entry-${key}`),
      value
    })),
    isVerified: view.state === 'verified'
  })
}

function rowsOf(t: Texts, view: SpecialistView): [key: string, value: string][] {
  const { professionalBody, registrationNumber, verification, unverifiedReason } = view
  const rows: [string, string | undefined][] = [
    ['organisation', view.organisation],
    ['country', countryName(view.country)],
    ['specialty', view.specialty],
    ['registration', professionalBody && `${professionalBody} ${registrationNumber ?? ''}`],
    ['email', view.email],
    ['languages', view.languages.join(', ')],
    ['evidence', verification?.evidence],
    ['why', unverifiedReason && t(`administration.unverified-${unverifiedReason}`)]
  ]
  return rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '')
}

/** Puts on record that somebody looked the specialist up, and where. */
export async function verifyEntry(web: Web, request: OfSpecialist, reply: FastifyReply) {
  const { texts: t } = web.pages
  const [evidence, until] = [formOf(request).text('evidence'), formOf(request).text('until')]
  web.pages.onRefusal(request, problems =>
    entryPage(web, request, reply, { problems, evidence, until })
  )
  const day = readDate(until)
  const problems = [
    ...missingText(evidence, t('administration.evidence-missing')),
    ...(until !== '' && day === undefined ? [t('log.wrong-date')] : [])
  ]
  if (problems.length > 0) throw new Refusal('request-invalid', 'verify', { problems })
  const wanted = { evidence, ...(day !== undefined && { until: day }) }
  await verifySpecialist(web.exchange, callerOf(request), at(request), wanted)
  return reply.redirect(`/administration/register/${request.params.specialist}`, 303)
}

/** Ends a verification at once, with the reason. */
export async function endVerification(web: Web, request: OfSpecialist, reply: FastifyReply) {
  const reason = formOf(request).text('reason')
  web.pages.onRefusal(request, problems => entryPage(web, request, reply, { problems, reason }))
  const problems = missingText(reason, web.pages.texts('common.reason-missing'))
  if (problems.length > 0) throw new Refusal('request-invalid', 'reason', { problems })
  await expireSpecialist(web.exchange, callerOf(request), at(request), reason)
  return reply.redirect(`/administration/register/${request.params.specialist}`, 303)
}

const missingText = (text: string, problem: string): string[] =>
  text === '' || text.length > TEXT_CHARACTERS_MAX ? [problem] : []

const at = (request: OfSpecialist) => ({
  id: request.params.specialist,
  version: Number(formOf(request).text('version')) || 0
})

/** Takes a CSV file, for trial or in earnest, and tells of each row. */
export async function importPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply
) {
  pages.onRefusal(request, problems =>
    pages.show(request, reply, 'administration/import', { problems })
  )
  if (!request.isMultipart()) throw new Refusal('media-type-refused', 'no form')
  const file = await request.file()
  if (file === undefined)
    throw new Refusal('request-invalid', 'file', {
      problems: [pages.texts('administration.file-missing')]
    })
  const { mode } = file.fields
  const isTrial = !(mode !== undefined && 'value' in mode && mode.value === 'import')
  // Read to its end whatever is wrong with it: a browser looks for no answer before it has sent all.
  const bytes = file.file.iterator({ destroyOnReturn: false })
  const done = await importAs(exchange, callerOf(request), bytes, isTrial).finally(() =>
    file.file.resume()
  )
  return pages.show(request, reply, 'administration/import', { done })
}
