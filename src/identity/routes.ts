import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { AccountView } from '../../schemas/account.ts'
import { actedBy } from '../audit/acted-by.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { describeAccount } from './accounts.ts'

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
        await exchange.audit.add({
          action: 'account.read',
          outcome: 'success',
          ...actedBy(caller)
        })
        return view
      }
    )
  }
}
