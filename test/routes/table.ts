import type { Action } from '../../schemas/audit-event.ts'
import type { PersonName } from '../helpers/exchange.ts'

/**
 * What is expected of a caller: `yes` is success, `token` and `role` are refusals before anything
 * is looked up, `hidden` is the not-found code of the row, `operator` is for who runs the exchange.
 */
type Expected = 'yes' | 'token' | 'role' | 'hidden' | 'operator'

/** Everybody who tries every route, in the order of the columns below. */
export const callers: (PersonName | undefined)[] = [
  undefined,
  'clinician',
  'colleague',
  'otherClinician',
  'specialistGb',
  'stranger',
  'auditor',
  'otherAuditor',
  // Before her own, who may remove what is asked for.
  'otherAdministrator',
  'administrator'
]

export interface Row {
  action: Action
  /** The code for an object that is not the caller's to know of. */
  hidden?: string
  /** One word for each of `callers`. */
  expected: Expected[]
}

/** Whose administrator may not, the administrator of another trust may not either. */
function row(action: Action, words: string, hidden?: string): Row {
  const expected = words.trim().split(/\s+/) as Expected[]
  const all = expected.at(-1) === 'role' ? [...expected, 'role' as const] : expected
  return { action, expected: all, ...(hidden && { hidden }) }
}

/**
 * Routes × roles. The object asked for belongs to City Hospital, and is shared with `specialistGb`,
 * who has opened it. Columns: nobody, its clinician, a colleague of hers, a clinician of another
 * trust; the specialist it is shared with, another one; her auditor, the other trust's auditor; the
 * other trust's administrator, and hers, whose organisation runs the exchange.
 */
export const table: Record<string, Row> = {
  'GET /v1/account': row('account.read', 'token  yes yes yes  yes yes  yes yes  yes yes'),
  ...Object.fromEntries(
    (
      [
        ['GET /v1/accounts', 'account.list', 'yes'],
        ['POST /v1/accounts', 'account.create', 'yes'],
        ['GET /v1/enrolments', 'enrolment.list', 'yes'],
        ['GET /v1/organisations', 'organisation.list', 'operator'],
        ['POST /v1/organisations', 'organisation.create', 'operator'],
        ['GET /v1/accounts/:account', 'account.read', 'hidden'],
        ['PUT /v1/accounts/:account/role', 'account.role', 'hidden'],
        ['POST /v1/accounts/:account/disable', 'account.disable', 'hidden'],
        ['POST /v1/accounts/:account/enable', 'account.enable', 'hidden'],
        ['POST /v1/accounts/:account/enrolment', 'enrolment.create', 'hidden'],
        ['DELETE /v1/accounts/:account/enrolment', 'enrolment.withdraw', 'hidden']
      ] as const
    ).map(([route, action, other]) => [
      route,
      row(action, `token  role role role  role role  role role  ${other} yes`, 'account-not-found')
    ])
  ),
  'GET /v1/specialists': row(
    'specialist.list',
    'token  yes yes yes  role role  role role  yes yes'
  ),
  'POST /v1/specialists': row(
    'specialist.create',
    'token  role role role  role role  role role  operator yes'
  ),
  'POST /v1/specialists/import': row(
    'specialist.import',
    'token  role role role  role role  role role  operator yes'
  ),
  'GET /v1/specialists/:specialist': row(
    'specialist.read',
    'token  yes yes yes  role role  role role  yes yes'
  ),
  'PUT /v1/specialists/:specialist': row(
    'specialist.update',
    'token  role role role  role role  role role  operator yes'
  ),
  'POST /v1/specialists/:specialist/verify': row(
    'specialist.verify',
    'token  role role role  role role  role role  operator yes'
  ),
  'POST /v1/specialists/:specialist/expire': row(
    'specialist.expire',
    'token  role role role  role role  role role  operator yes'
  ),

  'POST /v1/invitations': row(
    'invitation.create',
    'token  yes yes yes  role role  role role  role'
  ),
  'GET /v1/invitations': row(
    'invitation.list',
    'token  yes yes yes  role role  role role  yes yes'
  ),
  'POST /v1/invitations/:invitation/resend': row(
    'invitation.resend',
    'token  yes yes hidden  role role  role role  role',
    'invitation-not-found'
  ),
  'DELETE /v1/invitations/:invitation': row(
    'invitation.withdraw',
    'token  yes yes hidden  role role  role role  hidden yes',
    'invitation-not-found'
  ),

  'GET /v1/account/notices': row('account.read', 'token  yes yes yes  yes yes  yes yes  yes yes'),
  'PUT /v1/account/notices': row(
    'notice.preferences',
    'token  yes yes yes  yes yes  yes yes  yes yes'
  ),
  'GET /v1/notices': row('notice.list', 'token  yes yes yes  role role  role role  role'),
  'POST /v1/webhooks': row(
    'webhook.create',
    'token  role role role  role role  role role  yes yes'
  ),
  'GET /v1/webhooks': row('webhook.list', 'token  role role role  role role  role role  yes yes'),
  'GET /v1/webhooks/:webhook/deliveries': row(
    'webhook.deliveries',
    'token  role role role  role role  role role  hidden yes',
    'webhook-not-found'
  ),
  'POST /v1/webhooks/:webhook/secret': row(
    'webhook.rotate',
    'token  role role role  role role  role role  hidden yes',
    'webhook-not-found'
  ),
  'DELETE /v1/webhooks/:webhook': row(
    'webhook.remove',
    'token  role role role  role role  role role  hidden yes',
    'webhook-not-found'
  ),

  'PUT /v1/account/recipient': row(
    'recipient.register',
    'token  role role role  yes yes  role role  role'
  ),
  'GET /v1/specialists/:account/recipient': row(
    'recipient.read',
    'token  yes yes yes  role role  role role  role'
  ),

  'POST /v1/cases': row('case.create', 'token  yes yes yes  role role  role role  role'),
  'GET /v1/cases': row('case.list', 'token  yes yes yes  role role  role role  role'),
  'POST /v1/cases/search': row('case.search', 'token  yes yes yes  role role  role role  role'),
  'GET /v1/cases/:case': row(
    'case.read',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),

  ...Object.fromEntries(
    (
      [
        ['GET', 'request', 'request.read'],
        ['PUT', 'request', 'request.write'],
        ['GET', 'checklist', 'checklist.read'],
        ['PUT', 'checklist', 'checklist.write'],
        ['POST', 'complete', 'case.complete'],
        ['POST', 'close', 'case.close'],
        ['POST', 'reopen', 'case.reopen']
      ] as const
    ).map(([method, what, action]) => [
      `${method} /v1/cases/:case/${what}`,
      row(action, 'token  yes yes hidden  role role  role role  role', 'case-not-found')
    ])
  ),

  ...Object.fromEntries(
    (
      [
        ['POST', 'consents', 'consent.record'],
        ['GET', 'consents', 'consent.list'],
        ['POST', 'consents/:consent/withdraw', 'consent.withdraw']
      ] as const
    ).map(([method, what, action]) => [
      `${method} /v1/cases/:case/${what}`,
      row(action, 'token  yes yes hidden  role role  role role  role', 'case-not-found')
    ])
  ),
  'POST /v1/safeguards/withdraw': row(
    'safeguard.withdraw',
    'token  yes yes yes  role role  role role  yes yes'
  ),
  'GET /v1/cases/:case/retention': row(
    'retention.read',
    'token  yes yes hidden  role role  yes hidden  hidden yes',
    'case-not-found'
  ),
  'POST /v1/cases/:case/holds': row(
    'hold.create',
    'token  role role role  role role  role role  hidden yes',
    'case-not-found'
  ),
  'POST /v1/cases/:case/holds/:hold/lift': row(
    'hold.lift',
    'token  role role role  role role  role role  hidden yes',
    'case-not-found'
  ),
  'POST /v1/cases/:case/erasure': row(
    'case.erase',
    'token  role role role  role role  role role  hidden yes',
    'case-not-found'
  ),
  'GET /v1/erasures/:erasure': row(
    'erasure.read',
    'token  yes yes hidden  role role  yes hidden  hidden yes',
    'erasure-not-found'
  ),

  'POST /v1/cases/:case/records': row(
    'record.create',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),
  'GET /v1/cases/:case/records': row(
    'record.list',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),
  'GET /v1/records/:record': row(
    'record.read',
    'token  yes yes hidden  role role  role role  role',
    'record-not-found'
  ),
  'POST /v1/records/:record/patient-confirmation': row(
    'record.confirm-patient',
    'token  yes yes hidden  role role  role role  role',
    'record-not-found'
  ),
  'GET /v1/records/:record/content': row(
    'content.read',
    'token  yes yes hidden  role role  role role  role',
    'record-not-found'
  ),
  'HEAD /v1/records/:record/content': row(
    'content.read',
    'token  yes yes hidden  role role  role role  role',
    'record-not-found'
  ),
  'GET /v1/records/:record/objects/:object/content': row(
    'content.read',
    'token  yes yes hidden  role role  role role  role',
    'record-not-found'
  ),
  'HEAD /v1/records/:record/objects/:object/content': row(
    'content.read',
    'token  yes yes hidden  role role  role role  role',
    'record-not-found'
  ),

  'POST /v1/cases/:case/drafts': row(
    'draft.create',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),
  'GET /v1/cases/:case/drafts': row(
    'draft.read',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),
  'GET /v1/drafts/:draft': row(
    'draft.read',
    'token  yes yes hidden  role role  role role  role',
    'draft-not-found'
  ),
  'DELETE /v1/drafts/:draft': row(
    'draft.discard',
    'token  yes yes hidden  role role  role role  role',
    'draft-not-found'
  ),
  'POST /v1/drafts/:draft/complete': row(
    'record.create',
    'token  yes yes hidden  role role  role role  role',
    'draft-not-found'
  ),
  'OPTIONS /v1/uploads': row('upload.read', 'token  yes yes yes  role role  role role  role'),
  'POST /v1/uploads': row(
    'upload.create',
    'token  yes yes hidden  role role  role role  role',
    'draft-not-found'
  ),
  'HEAD /v1/uploads/:upload': row(
    'upload.read',
    'token  yes yes hidden  role role  role role  role',
    'upload-not-found'
  ),
  'PATCH /v1/uploads/:upload': row(
    'upload.receive',
    'token  yes yes hidden  role role  role role  role',
    'upload-not-found'
  ),
  'DELETE /v1/uploads/:upload': row(
    'upload.end',
    'token  yes yes hidden  role role  role role  role',
    'upload-not-found'
  ),

  'POST /v1/cases/:case/shares': row(
    'share.create',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),
  'GET /v1/shares': row('share.list', 'token  yes yes yes  role role  role role  role'),
  'DELETE /v1/shares/:share': row(
    'share.revoke',
    'token  yes yes hidden  role role  role role  role',
    'share-not-found'
  ),

  'POST /v1/shares/revoke': row(
    'share.revoke',
    'token  yes yes hidden  role role  role role  hidden yes',
    'case-not-found'
  ),
  'POST /v1/shares/:share/more-time': row(
    'more-time.ask',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'GET /v1/shares/:share/more-time': row(
    'more-time.read',
    'token  yes yes hidden  yes hidden  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/more-time/approve': row(
    'more-time.give',
    'token  yes yes hidden  role role  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/more-time/decline': row(
    'more-time.decline',
    'token  yes yes hidden  role role  role role  role',
    'share-not-found'
  ),

  'GET /v1/reviews': row('share.list', 'token  role role role  yes yes  role role  role'),
  'POST /v1/links/look': row(
    'share.list',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'POST /v1/links/open': row(
    'link.open',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'GET /v1/shares/:share': row(
    'share.read',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'GET /v1/shares/:share/records/:record/content': row(
    'content.read',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'HEAD /v1/shares/:share/records/:record/content': row(
    'content.read',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'GET /v1/shares/:share/records/:record/objects/:object/content': row(
    'content.read',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'HEAD /v1/shares/:share/records/:record/objects/:object/content': row(
    'content.read',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),

  'GET /v1/shares/:share/opinion': row(
    'opinion.read',
    'token  yes yes hidden  yes hidden  role role  role',
    'share-not-found'
  ),
  'PUT /v1/shares/:share/opinion': row(
    'opinion.save',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/opinion/attachments': row(
    'record.create',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/opinion/submit': row(
    'opinion.submit',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/opinion/addenda': row(
    'opinion.addendum',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/opinion/acknowledgement': row(
    'opinion.acknowledge',
    'token  yes yes hidden  role role  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/decline': row(
    'case.decline',
    'token  role role role  yes hidden  role role  role',
    'share-not-found'
  ),
  'POST /v1/shares/:share/messages': row(
    'message.create',
    'token  yes yes hidden  yes hidden  role role  role',
    'share-not-found'
  ),
  'GET /v1/shares/:share/messages': row(
    'message.list',
    'token  yes yes hidden  yes hidden  role role  role',
    'share-not-found'
  ),
  'GET /v1/cases/:case/opinions': row(
    'opinion.list',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),

  'GET /v1/audit/events': row('audit.query', 'token  role role role  role role  yes yes  role'),
  'POST /v1/audit/events/search': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'GET /v1/audit/events/export': row(
    'audit.export',
    'token  role role role  role role  yes yes  role'
  ),
  'POST /v1/audit/questions/patient': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'GET /v1/audit/questions/person': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'GET /v1/audit/questions/disclosures-abroad': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'GET /v1/audit/questions/refused': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'GET /v1/audit/questions/log-readers': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'GET /v1/audit/questions/live-shares': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'POST /v1/audit/events/export': row(
    'audit.export',
    'token  role role role  role role  yes yes  role'
  ),

  'POST /v1/audit/reports': row(
    'audit.report',
    'token  yes yes hidden  role role  yes hidden  role',
    'case-not-found'
  ),

  'GET /fhir/AuditEvent': row('audit.query', 'token  role role role  role role  yes yes  role'),
  'POST /fhir/AuditEvent/_search': row(
    'audit.query',
    'token  role role role  role role  yes yes  role'
  ),
  'GET /fhir/AuditEvent/:event': row(
    'audit.query',
    'token  role role role  role role  yes hidden  role',
    'event-not-found'
  ),
  'GET /fhir/ServiceRequest': row('case.list', 'token  yes yes yes  role role  role role  role'),
  'POST /fhir/ServiceRequest/_search': row(
    'case.list',
    'token  yes yes yes  role role  role role  role'
  ),
  'GET /fhir/ServiceRequest/:case': row(
    'request.read',
    'token  yes yes hidden  role role  role role  role',
    'case-not-found'
  ),
  'GET /fhir/DiagnosticReport': row(
    'opinion.list',
    'token  yes yes yes  role role  role role  role'
  ),
  'POST /fhir/DiagnosticReport/_search': row(
    'opinion.list',
    'token  yes yes yes  role role  role role  role'
  ),
  'GET /fhir/DiagnosticReport/:opinion': row(
    'opinion.read',
    'token  yes yes hidden  role role  role role  role',
    'opinion-not-found'
  ),
  'GET /fhir/Consent': row('consent.list', 'token  yes yes yes  role role  role role  role'),
  'POST /fhir/Consent/_search': row(
    'consent.list',
    'token  yes yes yes  role role  role role  role'
  ),
  'GET /fhir/Consent/:consent': row(
    'consent.list',
    'token  yes yes hidden  role role  role role  role',
    'consent-not-found'
  ),
  'GET /fhir/DocumentReference': row(
    'record.list',
    'token  yes yes yes  role role  role role  role'
  ),
  'POST /fhir/DocumentReference/_search': row(
    'record.list',
    'token  yes yes yes  role role  role role  role'
  ),
  'GET /fhir/DocumentReference/:record': row(
    'record.read',
    'token  yes yes hidden  role role  role role  role',
    'record-not-found'
  )
}

/** An act that is told as several, in their order. */
export const actsOf: Partial<Record<Action, Action[]>> = {
  'account.create': ['account.create', 'enrolment.create'],
  'more-time.give': ['share.create', 'share.revoke', 'more-time.give']
}

export const shareStates = [
  'live',
  'expired',
  'revoked',
  'notYetValid',
  'spent',
  'replaced'
] as const
export type ShareState = (typeof shareStates)[number]

/**
 * What the share's own specialist is told in each state. A spent share was opened for the last time
 * so long ago that reading would need another opening.
 */
const ended: Record<ShareState, string> = {
  live: 'yes',
  expired: 'share-expired',
  revoked: 'share-revoked',
  notYetValid: 'share-not-yet-valid',
  spent: 'share-openings-spent',
  replaced: 'share-replaced'
}

/** More time may be asked for whatever is not withdrawn; what came of it is told in any state. */
const asked = { live: 'yes', expired: 'yes', notYetValid: 'yes', spent: 'yes' }

/** The routes a share's specialist has, by the state of the share. */
export const shareTable: Record<string, Record<ShareState, string>> = {
  'POST /v1/shares/:share/more-time': {
    ...asked,
    revoked: 'share-revoked',
    replaced: 'share-replaced'
  },
  'GET /v1/shares/:share/more-time': { ...asked, revoked: 'share-revoked', replaced: 'yes' },
  'POST /v1/links/open': ended,
  // Its own specialist is told of it in any state, and nothing that is in it.
  'POST /v1/links/look': {
    live: 'yes',
    expired: 'yes',
    revoked: 'yes',
    notYetValid: 'yes',
    spent: 'yes',
    replaced: 'yes'
  },
  'GET /v1/shares/:share': ended,
  'GET /v1/shares/:share/records/:record/content': ended,
  'HEAD /v1/shares/:share/records/:record/content': ended,
  'GET /v1/shares/:share/records/:record/objects/:object/content': ended,
  'HEAD /v1/shares/:share/records/:record/objects/:object/content': ended,
  // Writing spends no opening, and time alone takes nobody's own words away.
  'GET /v1/shares/:share/opinion': { ...ended, expired: 'yes', spent: 'yes' },
  'GET /v1/shares/:share/messages': { ...ended, spent: 'yes' }
}

/**
 * Routes that disclose nothing about anybody, and so are not on the access log. Whoever adds a line
 * here says that this is true of the new one.
 */
export const unaudited = [
  'GET /.well-known/jwks.json',
  'GET /.well-known/oauth-authorization-server/oidc',
  'GET /assets/:version/:name',
  'GET /docs',
  'GET /docs/json',
  'GET /docs/static/*',
  'GET /docs/static/index.html',
  'GET /docs/static/swagger-initializer.js',
  'GET /docs/yaml',
  'GET /fhir/metadata',
  'GET /healthz',
  'GET /metrics',
  'GET /oidc/.well-known/openid-configuration',
  'GET /oidc/jwks',
  'GET /openapi.json',
  'GET /readyz',
  'GET /v1/audit/checkpoint',
  'GET /v1/audit/consistency',
  'GET /v1/audit/events/:event/proof',
  'GET /v1/audit/keys',
  'GET /v1/audit/questions',
  'GET /v1/audit/tile/*',
  'GET /v1/consent-texts',
  'GET /v1/transfers/countries',
  'HEAD /docs/static/*',
  'HEAD /v1/audit/checkpoint',
  'HEAD /v1/audit/consistency',
  'HEAD /v1/audit/events/:event/proof',
  'HEAD /v1/audit/keys',
  'HEAD /v1/audit/tile/*'
]

/** Tried by itself: callers prove who they are in the body. */
export const tokenRoute = 'POST /oidc/token'
/** The same: who accepts has no account yet. Tried in test/register/accept.test.ts. */
export const acceptRoute = 'POST /v1/invitations/accept'
