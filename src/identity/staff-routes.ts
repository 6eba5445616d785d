import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, PageQuery, timestamp } from '../../schemas/common.ts'
import {
  EnrolmentList,
  EnrolmentMade,
  OrganisationAdd,
  OrganisationList,
  RoleChange,
  StaffAdd,
  StaffList,
  StaffView
} from '../../schemas/staff.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { addOrganisation } from './enrol.ts'
import { listOrganisations } from './organisations.ts'
import {
  addStaff,
  changeRole,
  disableStaff,
  enableStaff,
  listStaff,
  newStaffCode,
  readStaff
} from './staff.ts'
import { listStaffCodes, withdrawStaffCode } from './staff-codes.ts'

const params = Type.Object({ account: Id })
const querystring = Type.Object(PageQuery, { additionalProperties: false })
const tags = ['accounts']
const none = { 204: Type.Null() }

/** What administrators do for the people of their organisation. */
export function staffRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/accounts',
      {
        ...guarded('account.list', 'administrator'),
        schema: {
          tags,
          summary: 'People and systems of your organisation, newest first',
          querystring,
          response: { 200: StaffList }
        }
      },
      request => listStaff(exchange, callerOf(request), request.query)
    )
    app.get(
      '/v1/accounts/:account',
      {
        ...guarded('account.read', 'administrator'),
        schema: {
          tags,
          summary: 'One account of your organisation',
          params,
          response: { 200: StaffView }
        }
      },
      request => readStaff(exchange, callerOf(request), request.params.account)
    )
    app.put(
      '/v1/accounts/:account/role',
      {
        ...guarded.proven('account.role', 'administrator'),
        schema: {
          tags,
          summary: 'Give an account another role. Its sessions end',
          params,
          body: RoleChange,
          response: none
        }
      },
      async (request, reply) => {
        await changeRole(exchange, callerOf(request), request.params.account, request.body)
        return reply.code(204).send(null)
      }
    )
    app.post(
      '/v1/accounts/:account/disable',
      {
        ...guarded.proven('account.disable', 'administrator'),
        schema: {
          tags,
          summary: 'Disable an account: its sessions end, and its tokens count no more',
          params,
          response: none
        }
      },
      async (request, reply) => {
        await disableStaff(exchange, callerOf(request), request.params.account)
        return reply.code(204).send(null)
      }
    )
    app.post(
      '/v1/accounts/:account/enable',
      {
        ...guarded.proven('account.enable', 'administrator'),
        schema: { tags, summary: 'Enable an account again', params, response: none }
      },
      async (request, reply) => {
        await enableStaff(exchange, callerOf(request), request.params.account)
        return reply.code(204).send(null)
      }
    )
    await app.register(enrolmentRoutes(exchange, guarded))
    await app.register(organisationRoutes(exchange, guarded))
  }
}

/** Codes for a first passkey. */
function enrolmentRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/accounts',
      {
        ...guarded.proven('account.create', 'administrator'),
        schema: {
          tags,
          summary: 'Add a person, with a link and a code that you pass on by different ways',
          body: StaffAdd,
          response: { 201: EnrolmentMade }
        }
      },
      async (request, reply) => {
        const made = await addStaff(exchange, callerOf(request), request.body)
        reply.code(201).header('cache-control', 'no-store')
        return reply.send(shown(made.accountId, made))
      }
    )
    app.post(
      '/v1/accounts/:account/enrolment',
      {
        ...guarded.proven('enrolment.create', 'administrator'),
        schema: {
          tags,
          summary: 'Make a new code; the one before is dead, and the sessions of the account end',
          params,
          response: { 201: EnrolmentMade }
        }
      },
      async (request, reply) => {
        const { account } = request.params
        const made = await newStaffCode(exchange, callerOf(request), account)
        return reply.code(201).header('cache-control', 'no-store').send(shown(account, made))
      }
    )
    app.delete(
      '/v1/accounts/:account/enrolment',
      {
        ...guarded('enrolment.withdraw', 'administrator'),
        schema: { tags, summary: 'Withdraw the code in force', params, response: none }
      },
      async (request, reply) => {
        await withdrawStaffCode(exchange, callerOf(request), request.params.account)
        return reply.code(204).send(null)
      }
    )
    app.get(
      '/v1/enrolments',
      {
        ...guarded('enrolment.list', 'administrator'),
        schema: {
          tags,
          summary: 'Codes that people of your organisation were given, newest first',
          querystring,
          response: { 200: EnrolmentList }
        }
      },
      request => listStaffCodes(exchange, callerOf(request), request.query)
    )
  }

  function shown(account: string, made: { id: string; code: string; expiresAt: number }) {
    const { id, code, expiresAt } = made
    const link = `${exchange.publicUrl}/enrol/${id}`
    return { account, link, code, expiresAt: timestamp(expiresAt) }
  }
}

/** The organisations of the exchange, for who runs it. */
function organisationRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/organisations',
      {
        ...guarded('organisation.list', 'administrator'),
        schema: {
          tags,
          summary:
            'Organisations, newest first: for administrators of the one that runs the exchange',
          querystring,
          response: { 200: OrganisationList }
        }
      },
      request => listOrganisations(exchange, callerOf(request), request.query)
    )
    app.post(
      '/v1/organisations',
      {
        ...guarded.proven('organisation.create', 'administrator'),
        schema: {
          tags,
          summary: 'Add an organisation: for administrators of the one that runs the exchange',
          body: OrganisationAdd,
          response: { 201: Type.Object({ id: Id }) }
        }
      },
      async (request, reply) => {
        const id = await addOrganisation(exchange, request.body, callerOf(request))
        return reply.code(201).send({ id })
      }
    )
  }
}
