import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, PageQuery } from '../../schemas/common.ts'
import { NoticeList, NoticePreferences, noticeStates } from '../../schemas/notice.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded } from '../http/area.ts'
import { changePreferences, listNotices, readPreferences } from './read.ts'

export function noticeRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  const anybody = ['clinician', 'specialist', 'auditor', 'administrator'] as const
  return async app => {
    app.get(
      '/v1/notices',
      {
        ...guarded('notice.list', 'clinician'),
        schema: {
          tags: ['notices'],
          summary: 'What became of the e-mails about what your organisation shared, newest first',
          querystring: Type.Object(
            {
              ...PageQuery,
              share: Type.Optional(Id),
              state: Type.Optional(Type.Enum(noticeStates))
            },
            { additionalProperties: false }
          ),
          response: { 200: NoticeList }
        }
      },
      request => listNotices(exchange, callerOf(request), request.query)
    )
    app.get(
      '/v1/account/notices',
      {
        ...guarded('account.read', ...anybody),
        schema: {
          tags: ['accounts'],
          summary: 'Which notices you want',
          response: { 200: NoticePreferences }
        }
      },
      request => readPreferences(exchange, callerOf(request))
    )
    app.put(
      '/v1/account/notices',
      {
        ...guarded('notice.preferences', ...anybody),
        schema: {
          tags: ['accounts'],
          summary: 'Turn reminders off or on; other notices cannot be turned off',
          body: NoticePreferences,
          response: { 200: NoticePreferences }
        }
      },
      request => changePreferences(exchange, callerOf(request), request.body)
    )
  }
}
