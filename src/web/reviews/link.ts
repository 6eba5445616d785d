import type { FastifyPluginAsync } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { openLink } from '../../shares/open.ts'
import { lookAtLink } from '../../shares/received.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'

/**
 * Where links lead. To whoever is not signed in nothing is told here but what the link itself says,
 * which the module of the page reads in the browser: the token leaves it in the body of a POST alone.
 * Looking tells its own specialist who sent it and spends nothing; only the button that opens does.
 */
export function linkRoutes({ exchange, pages, guarded, greeted }: Web): FastifyPluginAsync {
  return async app => {
    app.route({
      method: ['GET', 'HEAD'],
      url: '/s',
      ...greeted,
      handler: (request, reply) => pages.show(request, reply, 'reviews/link')
    })
    app.post('/s/look', guarded('share.list', 'specialist'), async (request, reply) => {
      const link = formOf(request).text('link')
      pages.onRefusal(request, (problems, { code }) =>
        pages.show(request, reply, 'reviews/link-refused', { problems, code, link })
      )
      const review = await lookAtLink(exchange, callerOf(request), link)
      return pages.show(request, reply, 'reviews/received', { review, link })
    })
    app.post('/s/open', guarded('link.open', 'specialist'), async (request, reply) => {
      const link = formOf(request).text('link')
      pages.onRefusal(request, (problems, { code }) =>
        pages.show(request, reply, 'reviews/link-refused', { problems, code, link })
      )
      const { id } = await openLink(exchange, callerOf(request), link)
      return reply.redirect(`/reviews/${id}`, 303)
    })
  }
}
