import { type Static, Type } from 'typebox'

/** What can happen. Wire constants: stored for decades, so never renamed, only added to. */
export const actions = [
  'service.start',
  'service.stop',
  'service.check',
  'organisation.create',
  'account.create',
  'account.read',
  'account.disable',
  'specialist.list',
  'client.create',
  'token.issue',
  'case.create',
  'case.list',
  'case.search',
  'case.read',
  'record.create',
  'record.list',
  'record.read',
  'content.read',
  'draft.create',
  'draft.read',
  'draft.discard',
  'draft.expire',
  'upload.create',
  'upload.read',
  'upload.receive',
  'upload.end',
  'object.scan',
  'record.pseudonymise',
  'copy.remove',
  'share.create',
  'share.list',
  'share.read',
  'share.revoke',
  'link.open',
  'audit.query',
  'audit.export',
  'audit.report',
  'audit.erase',
  'log.key',
  'keys.rotate',
  'keys.rewrap',
  'keys.retire',
  'data.backup',
  'data.restore',
  'record.confirm-patient',
  'data.move',
  'request.read',
  'request.write',
  'checklist.read',
  'checklist.write',
  'case.complete',
  'case.close',
  'case.reopen',
  'specialist.create',
  'specialist.read',
  'specialist.update',
  'specialist.verify',
  'specialist.unverify',
  'specialist.expire',
  'specialist.import',
  'register.import',
  'invitation.create',
  'invitation.list',
  'invitation.resend',
  'invitation.withdraw',
  'invitation.accept',
  'notice.send',
  'notice.list',
  'notice.preferences',
  'webhook.create',
  'webhook.list',
  'webhook.rotate',
  'webhook.remove',
  'webhook.disable',
  'webhook.deliveries',
  'recipient.register',
  'recipient.read',
  'consent.record',
  'consent.list',
  'consent.withdraw',
  'safeguard.withdraw',
  'opinion.read',
  'opinion.save',
  'opinion.submit',
  'opinion.addendum',
  'opinion.acknowledge',
  'opinion.list',
  'message.create',
  'message.list',
  'case.decline',
  'more-time.ask',
  'more-time.read',
  'more-time.give',
  'more-time.decline',
  'retention.read',
  'hold.create',
  'hold.lift',
  'case.erase',
  'erasure.files',
  'erasure.read',
  'session.begin',
  'session.end',
  'session.prove',
  'session.list',
  'passkey.add',
  'passkey.list',
  'passkey.rename',
  'passkey.remove',
  'recovery.make',
  'recovery.use',
  'enrolment.create',
  'enrolment.use',
  'account.list',
  'organisation.list',
  'audit.verify',
  'organisation.operate',
  'account.enable',
  'account.role',
  'enrolment.list',
  'enrolment.withdraw',
  'question.save',
  'question.remove'
] as const

/**
 * How it went. A disclosure of content is two events: `granted` before its first byte, then one of
 * `complete`, `aborted` (the reader went away), `failed`, `revoked`, `expired`, `stopped` (the
 * service) or `interrupted` (the process ended; found at its next start). A refusal is one event.
 */
export const outcomes = [
  'success',
  'granted',
  'complete',
  'aborted',
  'failed',
  'revoked',
  'expired',
  'stopped',
  'interrupted',
  'refused'
] as const

export type Action = (typeof actions)[number]
export type Outcome = (typeof outcomes)[number]

const Id = Type.String({ format: 'uuid' })

/** One line of the access log as an auditor reads it. */
export const AuditEventView = Type.Object(
  {
    id: Id,
    at: Type.String({ format: 'date-time' }),
    action: Type.Enum(actions),
    outcome: Type.Enum(outcomes),
    code: Type.Optional(Type.String({ description: 'Why it was refused.' })),
    actor: Type.Optional(
      Type.Object({ id: Id, name: Type.Optional(Type.String()), organisation: Type.Optional(Id) })
    ),
    case: Type.Optional(Id),
    record: Type.Optional(Id),
    object: Type.Optional(Id),
    share: Type.Optional(Id),
    recipientCountry: Type.Optional(Type.String()),
    grant: Type.Optional(
      Type.String({ description: 'The granted event that this one completes.' })
    ),
    bytesHandedOver: Type.Optional(
      Type.Integer({ description: 'Bytes given to the transport; the client may have got fewer.' })
    ),
    erased: Type.Optional(
      Type.Boolean({ description: 'Its details were erased by order; its leaf and proof remain.' })
    ),
    damaged: Type.Optional(
      Type.Boolean({
        description:
          'Its details were changed where they are kept, and cannot be told. Verify the log.'
      })
    ),
    details: Type.Record(Type.String(), Type.Unknown())
  },
  { $id: 'AuditEvent' }
)
export type AuditEventView = Static<typeof AuditEventView>
