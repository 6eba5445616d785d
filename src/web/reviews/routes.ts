import type { FastifyPluginAsync } from 'fastify'
import type { Web } from '../routes.ts'
import { linkRoutes } from './link.ts'
import { listRoutes } from './list.ts'
import { moreTimeRoutes } from './more-time.ts'

/** What was sent to a specialist: the link's page, the list, the case, the opinion. */
export function reviewRoutes(web: Web): FastifyPluginAsync {
  return async app => {
    await app.register(linkRoutes(web))
    await app.register(listRoutes(web))
    await app.register(moreTimeRoutes(web))
  }
}
