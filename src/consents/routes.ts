import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id } from '../../schemas/common.ts'
import {
  ConsentList,
  ConsentRecord,
  ConsentTextList,
  ConsentView,
  ConsentWithdraw,
  ConsentWithdrawn
} from '../../schemas/consent.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded, open } from '../http/area.ts'
import { listConsents } from './read.ts'
import { recordConsent } from './record.ts'
import { consentTexts } from './texts.ts'
import { withdrawConsent } from './withdraw.ts'

const tags = ['consents']

/** What patients agreed to, and what they took back. */
export function consentRoutes(exchange: Exchange, guarded: Guarded): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/consent-texts',
      {
        ...open,
        schema: {
          tags,
          summary: 'The texts that patients are asked to agree to, in all versions',
          response: { 200: ConsentTextList }
        }
      },
      async () => ({ texts: [...consentTexts] })
    )
    app.post(
      '/v1/cases/:case/consents',
      {
        ...guarded('consent.record', 'clinician'),
        schema: {
          tags,
          summary: 'Record what the patient has agreed to',
          params: Type.Object({ case: Id }),
          body: ConsentRecord,
          response: { 201: ConsentView }
        }
      },
      async (request, reply) => {
        const { case: caseId } = request.params
        const view = await recordConsent(exchange, callerOf(request), caseId, request.body)
        return reply.code(201).send(view)
      }
    )
    app.get(
      '/v1/cases/:case/consents',
      {
        ...guarded('consent.list', 'clinician'),
        schema: {
          tags,
          summary: 'Every consent recorded with a case, and whether the patient agrees now',
          params: Type.Object({ case: Id }),
          response: { 200: ConsentList }
        }
      },
      request => listConsents(exchange, callerOf(request), request.params.case)
    )
    app.post(
      '/v1/cases/:case/consents/:consent/withdraw',
      {
        ...guarded('consent.withdraw', 'clinician'),
        schema: {
          tags,
          summary: 'The patient takes a consent back: shares that rest on it end at once',
          params: Type.Object({ case: Id, consent: Id }),
          body: ConsentWithdraw,
          response: { 200: ConsentWithdrawn }
        }
      },
      request => {
        const { case: caseId, consent: consentId } = request.params
        return withdrawConsent(exchange, callerOf(request), { caseId, consentId }, request.body)
      }
    )
  }
}
