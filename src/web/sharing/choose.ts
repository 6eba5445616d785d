import type { FastifyReply, FastifyRequest } from 'fastify'
import { readCase } from '../../cases/read.ts'
import { callerOf } from '../../http/area.ts'
import { listSpecialists } from '../../register/search.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { countryItems, languageItems, queryOf, searchOf, showSpecialist } from './people.ts'

export type OfCase = { case: string }

/** The first step of sharing: who should look at it. Words of a search are in a form, never in a URL. */
export async function choosePage(
  { exchange, pages }: Web,
  request: FastifyRequest<{ Params: OfCase }>,
  reply: FastifyReply
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const { id, state } = await readCase(exchange, caller, request.params.case)
  const form = formOf(request)
  const search = searchOf(form)
  const query = queryOf(search, form.text('cursor'))
  const { specialists, next } = await listSpecialists(exchange, caller, {
    ...query,
    available: 'true'
  })
  const now = exchange.clock()
  const { texts: t } = pages
  return pages.show(request, reply, 'sharing/choose', {
    caseId: id,
    isClosed: state === 'closed',
    search,
    next,
    isFurther: form.text('cursor') !== '',
    specialists: specialists.map(view => showSpecialist(t, view, now)),
    countries: countryItems(t('sharing.any-country')),
    languages: languageItems(t('sharing.any-language'))
  })
}
