import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { roles } from '../../../schemas/account.ts'
import { callerOf } from '../../http/area.ts'
import {
  addStaff,
  changeRole,
  disableStaff,
  enableStaff,
  listStaff,
  newStaffCode,
  readStaff,
  requireStaff
} from '../../identity/staff.ts'
import { withdrawStaffCode } from '../../identity/staff-codes.ts'
import { addressOf, filled, formOf } from '../form.ts'
import type { Model } from '../pages.ts'
import type { Web } from '../routes.ts'
import { countryItems } from '../signing/countries.ts'
import { codesPage, withdrawInvited } from './codes.ts'

const LIST = '/administration/people'
const PERSON = `${LIST}/:account`
const FORM = 'people/add'
/** What was just done, of which a page says so. */
const DONE = ['disabled', 'enabled', 'role', 'withdrawn']

type OfPerson = FastifyRequest<{ Params: { account: string } }>

/** The people of an organisation: who they are, and how they get in. Nothing clinical. */
export function peopleRoutes(web: Web): FastifyPluginAsync {
  const { guarded } = web
  return async app => {
    app.get(LIST, guarded('account.list', 'administrator'), (request, reply) =>
      listPage(web, request, reply)
    )
    await app.register(addRoutes(web))
    app.get(`${LIST}/codes`, guarded('enrolment.list', 'administrator'), (request, reply) =>
      codesPage(web, request, reply)
    )
    app.post<{ Params: { invitation: string } }>(
      `${LIST}/invitations/:invitation/withdraw`,
      guarded('invitation.withdraw', 'administrator'),
      (request, reply) => withdrawInvited(web, request, reply)
    )
    app.get(PERSON, guarded('account.read', 'administrator'), (request: OfPerson, reply) =>
      personPage(web, request, reply)
    )
    await app.register(changeRoutes(web))
  }
}

async function listPage({ exchange, pages }: Web, request: FastifyRequest, reply: FastifyReply) {
  const cursor = addressOf(request).text('cursor')
  const page = cursor === '' ? {} : { cursor }
  const { accounts, next } = await listStaff(exchange, callerOf(request), page)
  return pages.show(request, reply, 'people/list', {
    people: accounts,
    next,
    isLater: cursor !== '',
    self: callerOf(request).accountId
  })
}

/** Adding somebody. Whoever makes codes could become anybody here, so the passkey is asked for again. */
function addRoutes({ exchange, pages, guarded }: Web): FastifyPluginAsync {
  const adding = guarded.proven('account.create', 'administrator')
  return async app => {
    app.get(`${LIST}/add`, adding, async (request, reply) => {
      const organisation = addressOf(request).text('organisation')
      const person = organisation === '' ? {} : { organisation, role: 'administrator' }
      return pages.show(request, reply, FORM, { person, countries: countryItems('GB') })
    })
    app.post(LIST, adding, async (request, reply) => {
      const person = personOf(request)
      const countries = countryItems(person.country)
      pages.onRefusal(request, problems =>
        pages.show(request, reply, FORM, { person, countries, problems })
      )
      const { role, name, ...rest } = person
      const input = { role, name, ...filled(rest) }
      const made = await addStaff(exchange, callerOf(request), input)
      return pages.show(request, reply, 'people/enrolment', {
        ...shownCode(exchange.publicUrl, made),
        name: made.name,
        isSpecialist: role === 'specialist'
      })
    })
  }
}

async function personPage(
  { exchange, pages }: Web,
  request: OfPerson,
  reply: FastifyReply,
  more: Model = {}
) {
  const caller = callerOf(request)
  const person = await readStaff(exchange, caller, request.params.account)
  const done = addressOf(request).text('done')
  return pages.show(request, reply, 'people/person', {
    person,
    isSelf: person.id === caller.accountId,
    roles: roles.filter(role => role !== 'specialist' && role !== person.role),
    typed: {},
    done: DONE.includes(done) ? done : undefined,
    ...more
  })
}

/** What is changed of somebody. */
function changeRoutes(web: Web): FastifyPluginAsync {
  const { exchange, pages, guarded } = web
  const back = ({ params }: OfPerson, reply: FastifyReply, done: string) =>
    reply.redirect(`${LIST}/${params.account}?done=${done}`, 303)
  return async app => {
    app.post(
      `${PERSON}/code`,
      guarded.proven('enrolment.create', 'administrator'),
      async (request: OfPerson, reply) => {
        const made = await newStaffCode(exchange, callerOf(request), request.params.account)
        return pages.show(request, reply, 'people/enrolment', shownCode(exchange.publicUrl, made))
      }
    )
    app.post(
      `${PERSON}/code/withdraw`,
      guarded('enrolment.withdraw', 'administrator'),
      async (request: OfPerson, reply) => {
        await withdrawStaffCode(exchange, callerOf(request), request.params.account)
        return back(request, reply, 'withdrawn')
      }
    )
    app.post(
      `${PERSON}/role`,
      guarded.proven('account.role', 'administrator'),
      async (request: OfPerson, reply) => {
        const { text } = formOf(request)
        const [professionalBody, registrationNumber] = [
          text('professionalBody'),
          text('registrationNumber')
        ]
        const typed = { role: text('role'), professionalBody, registrationNumber }
        // Of somebody else's people there is no page to show again.
        await requireStaff(exchange, callerOf(request), request.params.account)
        pages.onRefusal(request, problems => personPage(web, request, reply, { typed, problems }))
        const wanted = { role: typed.role, ...filled({ professionalBody, registrationNumber }) }
        await changeRole(exchange, callerOf(request), request.params.account, wanted)
        return back(request, reply, 'role')
      }
    )
    app.post(
      `${PERSON}/disable`,
      guarded.proven('account.disable', 'administrator'),
      async (request: OfPerson, reply) => {
        await disableStaff(exchange, callerOf(request), request.params.account)
        return back(request, reply, 'disabled')
      }
    )
    app.post(
      `${PERSON}/enable`,
      guarded.proven('account.enable', 'administrator'),
      async (request: OfPerson, reply) => {
        await enableStaff(exchange, callerOf(request), request.params.account)
        return back(request, reply, 'enabled')
      }
    )
  }
}

function shownCode(
  publicUrl: string,
  { id, code, expiresAt }: { id: string; code: string; expiresAt: number }
) {
  return { link: `${publicUrl}/enrol/${id}`, code, expiresAt }
}

function personOf(request: FastifyRequest) {
  const { text } = formOf(request)
  return {
    role: text('role'),
    name: text('name'),
    professionalBody: text('professionalBody'),
    registrationNumber: text('registrationNumber'),
    country: text('country'),
    email: text('email'),
    organisation: text('organisation')
  }
}
