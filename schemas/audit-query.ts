import { type Static, Type } from 'typebox'
import { actionGroupNames } from './action-groups.ts'
import { AuditEventView, actions, outcomes } from './audit-event.ts'
import { PatientIdentifier } from './case.ts'
import { Id, Next, PageBody, PageQuery, Timestamp } from './common.ts'

/** What an auditor may ask for; all of it must hold. Nothing here names a person. */
const filters = {
  from: Type.Optional(Timestamp),
  to: Type.Optional(Timestamp),
  actor: Type.Optional(Id),
  case: Type.Optional(Id),
  record: Type.Optional(Id),
  share: Type.Optional(Id),
  action: Type.Optional(Type.Enum(actions)),
  group: Type.Optional(
    Type.Enum(actionGroupNames, { description: 'All actions of one kind, as all reading.' })
  ),
  outcome: Type.Optional(Type.Enum(outcomes)),
  country: Type.Optional(
    Type.String({ pattern: '^[A-Z]{2}$', description: 'Where the recipient works, ISO 3166-1' })
  )
}

export const AuditQuery = Type.Object({ ...filters, ...PageQuery }, { additionalProperties: false })
export type AuditQuery = Static<typeof AuditQuery>

/** The same with a patient, whose identifier may be in a body but never in a URL. */
export const AuditSearch = Type.Object(
  { ...filters, ...PageBody, patient: Type.Optional(PatientIdentifier) },
  { additionalProperties: false }
)
export type AuditSearch = Static<typeof AuditSearch>

/** Saved questions that are a selection of their own, and can be exported as they are. */
export const selections = ['disclosures-abroad', 'refused', 'log-readers'] as const

const format = {
  question: Type.Optional(
    Type.Enum(selections, { description: 'The selection of a saved question.' })
  ),
  format: Type.Optional(
    Type.Union([Type.Literal('csv'), Type.Literal('ndjson'), Type.Literal('proof')], {
      default: 'ndjson',
      description: 'proof: NDJSON that can be verified offline (docs/audit-log.md)'
    })
  )
}
export const AuditExportQuery = Type.Object(
  { ...filters, ...format },
  { additionalProperties: false }
)
export const AuditExportSearch = Type.Object(
  { ...filters, ...format, patient: Type.Optional(PatientIdentifier) },
  { additionalProperties: false }
)
export type AuditExportSearch = Static<typeof AuditExportSearch>

export const AuditPage = Type.Object({ events: Type.Array(AuditEventView), next: Next })
