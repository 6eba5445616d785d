import type { FastifyPluginAsync } from 'fastify'
import type { Web } from '../routes.ts'
import { caseRoutes } from './case.ts'
import { declineRoutes } from './decline.ts'
import { fileRoutes } from './files.ts'
import { linkRoutes } from './link.ts'
import { listRoutes } from './list.ts'
import { messageRoutes } from './messages.ts'
import { moreTimeRoutes } from './more-time.ts'
import { opinionRoutes } from './opinion.ts'
import { submittingRoutes } from './submit.ts'

/** What was sent to a specialist: the link's page, the list, the case, the opinion. */
export function reviewRoutes(web: Web): FastifyPluginAsync {
  return async app => {
    await app.register(linkRoutes(web))
    await app.register(listRoutes(web))
    await app.register(moreTimeRoutes(web))
    await app.register(caseRoutes(web))
    await app.register(fileRoutes(web))
    await app.register(messageRoutes(web))
    await app.register(declineRoutes(web))
    await app.register(opinionRoutes(web))
    await app.register(submittingRoutes(web))
  }
}
