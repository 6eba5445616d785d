import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { RecipientPut, RecipientView } from '../../schemas/account.ts'
import { Id } from '../../schemas/common.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { readRecipient, registerRecipient } from './recipients.ts'

/** What senders encrypt to for a specialist. */
export function recipientRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.put(
      '/v1/account/recipient',
      {
        ...guarded('recipient.register', 'specialist'),
        schema: {
          tags: ['accounts'],
          summary: 'Register the age recipient that senders are to encrypt to for you',
          body: RecipientPut,
          response: { 200: RecipientView }
        }
      },
      request => registerRecipient(exchange, callerOf(request), request.body.recipient)
    )
    app.get(
      '/v1/specialists/:account/recipient',
      {
        ...guarded('recipient.read', 'clinician'),
        schema: {
          tags: ['accounts'],
          summary: 'What to encrypt to for a specialist, and since when it is valid',
          params: Type.Object({ account: Id }),
          response: { 200: RecipientView }
        }
      },
      request => readRecipient(exchange, callerOf(request), request.params.account)
    )
  }
}
