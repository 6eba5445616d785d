import type { FastifyPluginAsync } from 'fastify'
import { traceOf } from '../../http/area.ts'
import { beginEnrolment, finishEnrolment } from '../../sessions/enrol-person.ts'
import { formOf } from '../form.ts'
import { homeOfRole } from '../pages.ts'
import type { Web } from '../routes.ts'
import { waysElsewhere } from './elsewhere.ts'
import { welcome } from './welcome.ts'

const PAGE = 'signing/enrol'

interface Enrolment {
  Params: { enrolment: string }
}

/** Somebody whom an administrator added: the code, then a passkey, then the recovery codes. */
export function enrolPages(web: Web): FastifyPluginAsync {
  const { exchange, pages, greeted, submitted } = web
  return async app => {
    // The same for every id: a page that knew which there are would tell it.
    app.get('/enrol/:enrolment', greeted, async (request, reply) =>
      pages.show(request, reply, PAGE)
    )

    app.post<Enrolment>('/enrol/:enrolment', submitted('enrolment.use'), async (request, reply) => {
      const { enrolment } = request.params
      pages.onRefusal(request, problems => pages.show(request, reply, PAGE, { problems }))
      const code = formOf(request).text('code')
      const { errand, ...begun } = await beginEnrolment(exchange, enrolment, code)
      return pages.show(request, reply, 'signing/make-passkey', {
        ...begun,
        elsewhere: await waysElsewhere(web, request, reply, errand),
        action: `/enrol/${encodeURIComponent(enrolment)}/passkey`,
        back: `/enrol/${encodeURIComponent(enrolment)}`
      })
    })

    app.post<Enrolment>(
      '/enrol/:enrolment/passkey',
      submitted('enrolment.use'),
      async (request, reply) => {
        pages.onRefusal(request, problems => pages.show(request, reply, PAGE, { problems }))
        const answer = formOf(request).text('answer')
        const { cookie, role, recoveryCodes } = await finishEnrolment(
          exchange,
          traceOf(request),
          answer
        )
        await welcome({ exchange }, request, reply, cookie)
        const next = homeOfRole(role)
        return pages.show(request, reply, 'signing/codes', { codes: recoveryCodes, next })
      }
    )
  }
}
