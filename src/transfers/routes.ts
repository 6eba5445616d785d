import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { CountryTableView, SafeguardWithdraw, SafeguardWithdrawn } from '../../schemas/transfer.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded, open } from '../http/area.ts'
import { countryTable, viewCountryTable } from './country-table.ts'
import { withdrawSafeguard } from './withdraw-safeguard.ts'

const tags = ['transfers']

/** Where records may go, and the end of what they went on. */
export function transferRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/transfers/countries',
      {
        ...open,
        schema: {
          tags,
          summary: 'Where records may go, and on what condition: today, or as it was on a day',
          querystring: Type.Object(
            { on: Type.Optional(Type.String({ format: 'date' })) },
            { additionalProperties: false }
          ),
          response: { 200: CountryTableView }
        }
      },
      async ({ query: { on } }) =>
        viewCountryTable(countryTable, on === undefined ? exchange.clock() : Date.parse(on))
    )
    app.post(
      '/v1/safeguards/withdraw',
      {
        ...guarded('safeguard.withdraw', 'clinician', 'administrator'),
        schema: {
          tags,
          summary:
            'An agreement or attestation no longer holds: withdraw every share that rests on it',
          body: SafeguardWithdraw,
          response: { 200: SafeguardWithdrawn }
        }
      },
      request => withdrawSafeguard(exchange, callerOf(request), request.body)
    )
  }
}
