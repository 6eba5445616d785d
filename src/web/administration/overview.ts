import type { FastifyReply, FastifyRequest } from 'fastify'
import { callerOf } from '../../http/area.ts'
import { policyOf } from '../../retention/policy.ts'
import { listLive } from '../../shares/live-shares.ts'
import type { Web } from '../routes.ts'

/** Whether every part works, and what somebody should see to. */
export async function overviewPage(
  { exchange, pages }: Web,
  readiness: () => Promise<Record<string, string>>,
  request: FastifyRequest,
  reply: FastifyReply
) {
  const { counts } = await listLive(exchange, callerOf(request), { limit: 1 })
  const checks = await readiness()
  const waiting = await exchange.notices.counts(exchange.database.read)
  return pages.show(request, reply, 'administration/overview', {
    counts,
    checks: Object.entries(checks).map(([name, state]) => ({ name, state })),
    mail: exchange.notices.mail,
    waiting: waiting.reduce((sum, { n }) => sum + n, 0),
    events: exchange.tree.checkpoint()?.size ?? 0
  })
}

/** What the operator has set, and where each of it is changed. */
export function policyPage({ exchange, pages }: Web, request: FastifyRequest, reply: FastifyReply) {
  const { limits, consent, scanner, publicUrl, signInIssuers } = exchange
  const { texts: t } = pages
  const { version, classes } = policyOf(limits)
  const scan = scanner.policy.isOn ? `unscanned-${scanner.policy.unscanned}` : 'unscanned-off'
  const setting = (name: string, value: string, variable: string) => ({ name, value, variable })
  const hours = (count: number) => t('common.hours', { count })
  return pages.show(request, reply, 'administration/policy', {
    settings: [
      setting('link-default', hours(limits.shareHoursDefault), 'CONSILIUM_SHARE_HOURS_DEFAULT'),
      setting('link-max', hours(limits.shareHoursMax), 'CONSILIUM_SHARE_HOURS_MAX'),
      setting('opening', hours(limits.openingHoursMax), 'CONSILIUM_OPENING_HOURS_MAX'),
      setting('copies', t('common.days', { count: limits.copyDays }), 'CONSILIUM_COPY_DAYS'),
      setting('consent', t(`administration.consent-${consent}`), 'CONSILIUM_CONSENT'),
      setting('unscanned', t(`administration.${scan}`), 'CONSILIUM_UNSCANNED'),
      setting(
        'idle',
        t('administration.minutes', { count: limits.sessionIdleMinutesMax }),
        'CONSILIUM_SESSION_IDLE_MINUTES_MAX'
      ),
      setting('session', hours(limits.sessionHoursMax), 'CONSILIUM_SESSION_HOURS_MAX'),
      setting('issuer', `${publicUrl}/oidc`, 'CONSILIUM_URL'),
      setting(
        'sign-in',
        [t('administration.passkeys'), ...signInIssuers.all.map(({ issuer }) => issuer)].join(', '),
        'CONSILIUM_SIGN_IN_ISSUERS'
      )
    ],
    version,
    classes: Object.entries(classes).map(([name, { why }]) => ({ name, why }))
  })
}
