import type { FastifyPluginAsync } from 'fastify'
import type { Web } from '../routes.ts'
import { provePages } from './prove.ts'
import { signInPages } from './sign-in.ts'

/** How people come in, and show again that it is they. */
export function signingRoutes(web: Web): FastifyPluginAsync {
  return async app => {
    for (const pages of [signInPages, provePages]) await app.register(pages(web))
  }
}
