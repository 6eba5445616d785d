import type { FastifyReply, FastifyRequest } from 'fastify'
import { countryName } from '../../audit/report/wording.ts'
import { callerOf } from '../../http/area.ts'
import { addOrganisation } from '../../identity/enrol.ts'
import { listOrganisations } from '../../identity/organisations.ts'
import { addressOf, formOf } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'

const fields = ['name', 'odsCode', 'country', 'timeZone'] as const

/** The organisations of this exchange, and the form that adds one. */
export async function organisationsPage(
  { exchange, pages }: Web,
  request: FastifyRequest,
  reply: FastifyReply,
  more: Model = {}
) {
  const cursor = addressOf(request).text('cursor')
  const page = cursor === '' ? {} : { cursor }
  const { organisations, next } = await listOrganisations(exchange, callerOf(request), page)
  return pages.show(request, reply, 'administration/organisations', {
    given: {},
    ...more,
    next,
    own: callerOf(request).organisationId,
    done: addressOf(request).text('done') === 'added',
    organisations: organisations.map(row => ({ ...row, country: countryName(row.country) }))
  })
}

/** Adds an organisation by the rules of enrolment, which tell every problem at once. */
export async function addOrganisationPage(web: Web, request: FastifyRequest, reply: FastifyReply) {
  const given = Object.fromEntries(fields.map(name => [name, formOf(request).text(name)]))
  web.pages.onRefusal(request, problems =>
    organisationsPage(web, request, reply, { problems, given })
  )
  const { name = '', odsCode, country = '', timeZone } = given
  await addOrganisation(web.exchange, { name, odsCode, country, timeZone }, callerOf(request))
  return reply.redirect('/administration/organisations?done=added', 303)
}
