import type { FastifyReply, FastifyRequest } from 'fastify'
import { traceOf } from '../../http/area.ts'
import { readSessionCookie, sessionCookie } from '../../sessions/cookie.ts'
import { leaveSession } from '../../sessions/session.ts'
import type { Web } from '../routes.ts'

/**
 * Gives the browser of somebody who has just signed in their cookie, and ends the session it had before.
 * If the service stops in between, that one lives until it was not used for too long.
 */
export async function welcome(
  { exchange }: Pick<Web, 'exchange'>,
  request: FastifyRequest,
  reply: FastifyReply,
  cookie: string
): Promise<void> {
  const before = readSessionCookie(request.headers.cookie)
  if (before !== undefined) await leaveSession(exchange, traceOf(request), before)
  reply.header('set-cookie', sessionCookie(cookie))
}
