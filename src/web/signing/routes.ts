import type { FastifyPluginAsync } from 'fastify'
import type { Web } from '../routes.ts'
import { elsewherePages } from './elsewhere.ts'
import { enrolPages } from './enrol.ts'
import { firstPages } from './first.ts'
import { invitationPages } from './invitation.ts'
import { provePages } from './prove.ts'
import { recoverPages } from './recover.ts'
import { signInPages } from './sign-in.ts'

/** How people come in, and show again that it is they. */
export function signingRoutes(web: Web): FastifyPluginAsync {
  return async app => {
    for (const pages of [
      signInPages,
      elsewherePages,
      provePages,
      firstPages,
      enrolPages,
      invitationPages,
      recoverPages
    ])
      await app.register(pages(web))
  }
}
