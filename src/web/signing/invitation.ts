import type { FastifyPluginAsync } from 'fastify'
import { traceOf } from '../../http/area.ts'
import { beginAcceptance, finishAcceptance } from '../../register/accept-by-passkey.ts'
import { formOf } from '../form.ts'
import { homeOfRole } from '../pages.ts'
import type { Web } from '../routes.ts'
import { waysElsewhere } from './elsewhere.ts'
import { welcome } from './welcome.ts'

const PAGE = 'signing/invitation'

/**
 * Where the link of an invitation leads. Its token is in the fragment, which the browser keeps to itself
 * until a form is sent: what fetches this page, or runs it, changes nothing.
 */
export function invitationPages(web: Web): FastifyPluginAsync {
  const { exchange, pages, greeted, submitted } = web
  return async app => {
    app.route({
      method: ['GET', 'HEAD'],
      url: '/i',
      ...greeted,
      handler: (request, reply) => pages.show(request, reply, PAGE)
    })

    app.post('/i', submitted('invitation.accept'), async (request, reply) => {
      const link = formOf(request).text('link')
      pages.onRefusal(request, problems => pages.show(request, reply, PAGE, { link, problems }))
      const code = formOf(request).text('code')
      const { errand, ...begun } = await beginAcceptance(exchange, link, code)
      return pages.show(request, reply, 'signing/make-passkey', {
        ...begun,
        elsewhere: await waysElsewhere(web, request, reply, errand),
        action: '/i/passkey'
      })
    })

    app.post('/i/passkey', submitted('invitation.accept'), async (request, reply) => {
      pages.onRefusal(request, problems => pages.show(request, reply, PAGE, { problems }))
      const answer = formOf(request).text('answer')
      const accepted = await finishAcceptance(exchange, traceOf(request), answer)
      const { cookie, recoveryCodes, invitedBy, message } = accepted
      await welcome({ exchange }, request, reply, cookie)
      const next = homeOfRole('specialist')
      return pages.show(request, reply, 'signing/codes', {
        codes: recoveryCodes,
        next,
        invitedBy,
        message
      })
    })
  }
}
