import type { FastifyPluginAsync } from 'fastify'
import { policyOf } from '../../retention/policy.ts'
import type { Web } from '../routes.ts'

const guides = ['clinician', 'specialist', 'auditor', 'administrator'] as const

const oneOf = new Intl.ListFormat('en-GB', { type: 'disjunction' })

/** What anybody may read: guides, what was done so that everybody can use the pages, and privacy. */
export function helpPages({ exchange, pages, greeted }: Web): FastifyPluginAsync {
  const { limits, consent, scanner, notices, signInIssuers } = exchange
  return async app => {
    app.get('/help', greeted, (request, reply) =>
      pages.show(request, reply, 'help/help', {
        guides,
        hours: limits.shareHoursDefault,
        idleMinutes: limits.sessionIdleMinutesMax
      })
    )
    app.get('/accessibility', greeted, (request, reply) =>
      pages.show(request, reply, 'help/accessibility')
    )
    // Written from what is set, so that it cannot promise something else.
    app.get('/privacy', greeted, (request, reply) =>
      pages.show(request, reply, 'help/privacy', {
        copyDays: limits.copyDays,
        draftDays: limits.draftDaysMax,
        shareHoursMax: limits.shareHoursMax,
        sessionHours: limits.sessionHoursMax,
        idleMinutes: limits.sessionIdleMinutesMax,
        policy: policyOf(limits),
        consent,
        isScanned: scanner.policy.isOn,
        hasMail: notices.mail,
        issuers: oneOf.format(signInIssuers.all.map(({ label }) => label)),
        database: exchange.database.read.kind
      })
    )
  }
}
