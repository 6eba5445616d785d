import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { AccountView, SpecialistPage } from '../../schemas/account.ts'
import { PageQuery } from '../../schemas/common.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { describeAccount, listSpecialists } from './accounts.ts'

export function accountRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/account',
      {
        ...guarded('account.read', 'clinician', 'specialist', 'auditor', 'administrator'),
        schema: {
          tags: ['accounts'],
          summary: 'Who you are here',
          response: { 200: AccountView }
        }
      },
      async request => {
        const caller = callerOf(request)
        const view = await describeAccount(exchange, caller.accountId)
        await exchange.database.write(tx =>
          exchange.audit.append(tx, {
            action: 'account.read',
            outcome: 'success',
            ...actedBy(caller)
          })
        )
        return view
      }
    )
    app.get(
      '/v1/specialists',
      {
        ...guarded('specialist.list', 'clinician'),
        schema: {
          tags: ['accounts'],
          summary: 'Specialists who can be sent a case',
          querystring: Type.Object(
            {
              ...PageQuery,
              q: Type.Optional(Type.String({ maxLength: 100, description: 'Part of the name' }))
            },
            { additionalProperties: false }
          ),
          response: { 200: SpecialistPage }
        }
      },
      async request => {
        const { limit = exchange.limits.pageSizeDefault, ...rest } = request.query
        const page = await listSpecialists(exchange, { ...rest, limit: Number(limit) })
        await exchange.database.write(tx =>
          exchange.audit.append(tx, {
            action: 'specialist.list',
            outcome: 'success',
            ...actedBy(callerOf(request))
          })
        )
        return page
      }
    )
  }
}
