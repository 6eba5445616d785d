import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, PageQuery } from '../../schemas/common.ts'
import {
  InvitationAccept,
  InvitationAccepted,
  InvitationCreate,
  InvitationList,
  InvitationResend,
  InvitationSent,
  InvitationView
} from '../../schemas/invitation.ts'
import type { Exchange } from '../exchange.ts'
import { callerOf, type Guarded, publicly, traceOf } from '../http/area.ts'
import type { VerifiedToken } from '../identity/authenticate.ts'
import { acceptInvitation } from './accept.ts'
import {
  createInvitation,
  listInvitations,
  resendInvitation,
  withdrawInvitation
} from './invite.ts'

const params = Type.Object({ invitation: Id })
const tags = ['invitations']

/** Inviting specialists who are not enrolled, and being invited. */
export function invitationRoutes(
  exchange: Exchange,
  guarded: Guarded,
  verifyToken: (token: string) => Promise<VerifiedToken>
): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/invitations',
      {
        ...guarded('invitation.create', 'clinician'),
        schema: {
          tags,
          summary: 'Invite a specialist: the link is mailed, the code is for you to pass on',
          body: InvitationCreate,
          response: { 201: InvitationSent }
        }
      },
      async (request, reply) => {
        const sent = await createInvitation(exchange, callerOf(request), request.body)
        return reply.code(201).header('cache-control', 'no-store').send(sent)
      }
    )
    app.get(
      '/v1/invitations',
      {
        ...guarded('invitation.list', 'clinician', 'administrator'),
        schema: {
          tags,
          summary: 'Invitations of your organisation, newest first',
          querystring: Type.Object(PageQuery, { additionalProperties: false }),
          response: { 200: InvitationList }
        }
      },
      request => listInvitations(exchange, callerOf(request), request.query)
    )
    app.post(
      '/v1/invitations/:invitation/resend',
      {
        ...guarded('invitation.resend', 'clinician'),
        schema: {
          tags,
          summary: 'Send it again: a new link and a new code; the old ones are dead',
          params,
          body: InvitationResend,
          response: { 200: InvitationSent }
        }
      },
      async (request, reply) => {
        const { invitation } = request.params
        const sent = await resendInvitation(exchange, callerOf(request), invitation, request.body)
        return reply.header('cache-control', 'no-store').send(sent)
      }
    )
    app.delete(
      '/v1/invitations/:invitation',
      {
        ...guarded('invitation.withdraw', 'clinician', 'administrator'),
        schema: {
          tags,
          summary: 'Withdraw an invitation for good',
          params,
          response: { 200: InvitationView }
        }
      },
      request => withdrawInvitation(exchange, callerOf(request), request.params.invitation)
    )
    await app.register(acceptRoute(exchange, verifyToken))
  }
}

/** Being invited: the one route of a caller whom nobody knows yet. */
function acceptRoute(
  exchange: Exchange,
  verifyToken: (token: string) => Promise<VerifiedToken>
): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/invitations/accept',
      {
        ...publicly('invitation.accept'),
        schema: {
          tags,
          summary: 'Accept an invitation with link, code and what you will sign in with',
          security: [],
          body: InvitationAccept,
          response: { 201: InvitationAccepted }
        }
      },
      async (request, reply) => {
        const trace = traceOf(request)
        const accepted = await acceptInvitation(exchange, trace, request.body, verifyToken)
        return reply.code(201).header('cache-control', 'no-store').send(accepted)
      }
    )
  }
}
