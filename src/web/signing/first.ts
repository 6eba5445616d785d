import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { traceOf } from '../../http/area.ts'
import { beginFirst, type FirstForm, finishFirst } from '../../sessions/first-administrator.ts'
import { formOf } from '../form.ts'
import { homeOfRole, type Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { countryItems, timeZoneItems } from './countries.ts'
import { welcome } from './welcome.ts'

const PAGE = 'signing/first'
const EMPTY = { organisation: '', odsCode: '', country: 'GB', timeZone: 'Europe/London', name: '' }

/** The first administrator: the code of the console, who they are, and a passkey. */
export function firstPages({ exchange, pages, greeted, submitted }: Web): FastifyPluginAsync {
  const modelOf = (form: FirstForm): Model => ({
    ...form,
    countries: countryItems(form.country),
    timeZones: timeZoneItems(form.timeZone)
  })

  return async app => {
    app.get('/enrol/first', greeted, async (request, reply) =>
      pages.show(request, reply, PAGE, modelOf(EMPTY))
    )

    app.post('/enrol/first', submitted('enrolment.use'), async (request, reply) => {
      const form = typedForm(request)
      pages.onRefusal(request, problems =>
        pages.show(request, reply, PAGE, { ...modelOf(form), problems })
      )
      const options = await beginFirst(exchange, form, formOf(request).text('code'))
      return pages.show(request, reply, 'signing/make-passkey', {
        action: '/enrol/first/passkey',
        back: '/enrol/first',
        name: form.name,
        options
      })
    })

    app.post('/enrol/first/passkey', submitted('enrolment.use'), async (request, reply) => {
      pages.onRefusal(request, problems =>
        pages.show(request, reply, PAGE, { ...modelOf(EMPTY), problems })
      )
      const arrived = await finishFirst(exchange, traceOf(request), formOf(request).text('answer'))
      await welcome({ exchange }, request, reply, arrived.cookie)
      const next = homeOfRole('administrator')
      return pages.show(request, reply, 'signing/codes', { codes: arrived.recoveryCodes, next })
    })
  }
}

function typedForm(request: FastifyRequest): FirstForm {
  const { text: field } = formOf(request)
  return {
    organisation: field('organisation'),
    odsCode: field('odsCode'),
    country: field('country'),
    timeZone: field('timeZone'),
    name: field('name')
  }
}
