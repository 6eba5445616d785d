import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import type { AccountInput } from '../../identity/enrolment-rules.ts'
import { addStaff, disableStaff, listStaff, newStaffCode } from '../../identity/staff.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { countryItems } from '../signing/countries.ts'

const LIST = '/administration/people'
const FORM = 'people/add'

interface Person {
  Params: { account: string }
}

/** The people of an organisation: who they are, and how they get in. Nothing clinical. */
export function peopleRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  return async app => {
    app.get(LIST, guarded('account.list', 'administrator'), async (request, reply) => {
      const { cursor, done } = Object(request.query)
      const page = typeof cursor === 'string' ? { cursor } : {}
      const listed = await listStaff(exchange, callerOf(request), page)
      return pages.show(request, reply, 'people/list', {
        ...listed,
        isLater: typeof cursor === 'string',
        self: callerOf(request).accountId,
        done: done === 'disabled' ? done : undefined
      })
    })

    // Whoever makes codes could become anybody here, so the passkey is asked for again.
    const adding = guarded.proven('account.create', 'administrator')
    app.get(`${LIST}/add`, adding, async (request, reply) =>
      pages.show(request, reply, FORM, { person: {}, countries: countryItems('GB') })
    )
    app.post(LIST, adding, async (request, reply) => {
      const person = personOf(request)
      const countries = countryItems(person.country ?? '')
      pages.onRefusal(request, problems =>
        pages.show(request, reply, FORM, { person, countries, problems })
      )
      const { name, ...enrolment } = await addStaff(exchange, callerOf(request), person)
      const isSpecialist = person.role === 'specialist'
      const model = { ...shown(enrolment), name, isSpecialist }
      return pages.show(request, reply, 'people/enrolment', model)
    })

    app.post<Person>(
      `${LIST}/:account/code`,
      guarded.proven('enrolment.create', 'administrator'),
      async (request, reply) => {
        const { account } = request.params
        const enrolment = await newStaffCode(exchange, callerOf(request), account)
        return pages.show(request, reply, 'people/enrolment', shown(enrolment))
      }
    )
    app.post<Person>(
      `${LIST}/:account/disable`,
      guarded.proven('account.disable', 'administrator'),
      async (request, reply) => {
        await disableStaff(exchange, callerOf(request), request.params.account)
        return reply.redirect(`${LIST}?done=disabled`, 303)
      }
    )
  }

  function shown({ id, code, expiresAt }: { id: string; code: string; expiresAt: number }) {
    return { link: `${exchange.publicUrl}/enrol/${id}`, code, expiresAt }
  }
}

function personOf(request: FastifyRequest): AccountInput {
  const field = (name: string) => formOf(request).text(name)
  return {
    role: field('role'),
    name: field('name'),
    professionalBody: field('professionalBody'),
    registrationNumber: field('registrationNumber'),
    country: field('country'),
    email: field('email')
  }
}
