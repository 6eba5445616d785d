import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { auditRoutes } from './audit/ask/routes.ts'
import { auditFhirRoutes } from './audit/fhir/routes.ts'
import { reportRoutes } from './audit/report/routes.ts'
import { logRoutes } from './audit/tree/routes.ts'
import { caseRoutes } from './cases/routes.ts'
import type { Config } from './config.ts'
import { consentRoutes } from './consents/routes.ts'
import type { Exchange } from './exchange.ts'
import { fhirRoutes } from './fhir/routes.ts'
import { guardedBy, open } from './http/area.ts'
import { createAuthenticator, tokenVerifier } from './identity/authenticate.ts'
import { embeddedIssuer } from './identity/issuer.ts'
import type { Caller } from './identity/principal.ts'
import { recipientRoutes } from './identity/recipient-routes.ts'
import { accountRoutes } from './identity/routes.ts'
import { staffRoutes } from './identity/staff-routes.ts'
import { noticeRoutes } from './notices/routes.ts'
import { webhookRoutes } from './notices/webhooks/routes.ts'
import { readSigningKeys } from './open-data.ts'
import { opinionRoutes } from './opinions/routes.ts'
import { recordRoutes } from './records/routes.ts'
import { invitationRoutes } from './register/invitation-routes.ts'
import { registerRoutes } from './register/routes.ts'
import { retentionRoutes } from './retention/routes.ts'
import { recogniseSession } from './sessions/recognise.ts'
import { isStillKnown } from './sessions/still-known.ts'
import { moreTimeRoutes } from './shares/more-time/routes.ts'
import { reviewRoutes, shareRoutes } from './shares/routes.ts'
import { transferRoutes } from './transfers/routes.ts'
import { draftRoutes, uploadRoutes } from './uploads/routes.ts'
import type { Pages } from './web/pages.ts'
import { webRoutes } from './web/routes.ts'

/** Puts every area of the API under the one way to tell who calls. A new area is added here. */
export async function mountAreas(
  fastify: FastifyInstance,
  exchange: Exchange,
  config: Config,
  pages: Pages
) {
  const { issuer: signingKeys } = await readSigningKeys(config)
  const issuer = embeddedIssuer(exchange, signingKeys)
  const trusted = [issuer.trusted]
  const authenticate = createAuthenticator(exchange, trusted)
  const gate = {
    ...exchange,
    authenticate,
    recognise: recogniseSession(exchange),
    isStillKnown: (caller: Caller) => isStillKnown(exchange, caller)
  }
  const guarded = guardedBy(gate)
  const app = fastify.withTypeProvider<TypeBoxTypeProvider>()

  issuer.routes(fastify)
  fastify.get('/.well-known/jwks.json', { ...open, schema: { hide: true } }, async () =>
    exchange.links.jwks()
  )
  const verifyToken = tokenVerifier(trusted, exchange.clock)
  await app.register(invitationRoutes(exchange, guarded, verifyToken))
  for (const routes of [
    accountRoutes,
    staffRoutes,
    recipientRoutes,
    registerRoutes,
    caseRoutes,
    recordRoutes,
    draftRoutes,
    uploadRoutes,
    noticeRoutes,
    webhookRoutes,
    consentRoutes,
    transferRoutes,
    opinionRoutes,
    moreTimeRoutes,
    retentionRoutes
  ]) {
    await app.register(routes(exchange, guarded))
  }
  await app.register(shareRoutes(exchange, guarded))
  await app.register(reviewRoutes(exchange, guarded))
  await app.register(auditRoutes(exchange, guarded))
  await app.register(reportRoutes(exchange, guarded))
  await app.register(logRoutes(exchange))
  await app.register(auditFhirRoutes(exchange, guarded))
  await app.register(fhirRoutes(exchange, guarded))
  await app.register(webRoutes(exchange, gate, pages))
}
