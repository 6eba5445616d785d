import type { FastifyPluginAsync } from 'fastify'
import { traceOf } from '../../http/area.ts'
import { beginRecovery, finishRecovery } from '../../sessions/recover.ts'
import { formOf } from '../form.ts'
import type { Web } from '../routes.ts'
import { welcome } from './welcome.ts'

const PAGE = 'signing/recover'

/** Somebody who has lost their device: one recovery code, a new passkey, and on to their account. */
export function recoverPages({ exchange, pages, greeted, submitted }: Web): FastifyPluginAsync {
  return async app => {
    app.get('/recover', greeted, async (request, reply) => pages.show(request, reply, PAGE))

    app.post('/recover', submitted('recovery.use'), async (request, reply) => {
      pages.onRefusal(request, problems => pages.show(request, reply, PAGE, { problems }))
      const begun = await beginRecovery(exchange, formOf(request).text('code'))
      return pages.show(request, reply, 'signing/make-passkey', {
        ...begun,
        action: '/recover/passkey',
        back: '/recover'
      })
    })

    app.post('/recover/passkey', submitted('recovery.use'), async (request, reply) => {
      pages.onRefusal(request, problems => pages.show(request, reply, PAGE, { problems }))
      const form = formOf(request)
      const [answer, keep] = [form.text('answer'), form.list('keep')]
      const { cookie } = await finishRecovery(exchange, traceOf(request), answer, keep)
      await welcome({ exchange }, request, reply, cookie)
      return reply.redirect('/account?done=recovered', 303)
    })
  }
}
