import { type Static, Type } from 'typebox'
import { Attempt, Id, Timestamp } from './common.ts'
import { RecordFields } from './record.ts'

/** What a draft is made of: the same as the fields of an upload as a form. */
export const DraftCreate = Type.Object(
  {
    ...RecordFields.properties,
    attempt: Type.Optional(Attempt('draft'))
  },
  { additionalProperties: false }
)
export type DraftCreate = Static<typeof DraftCreate>

export const uploadStates = ['receiving', 'stored', 'refused'] as const

export const UploadView = Type.Object(
  {
    id: Id,
    position: Type.Integer({ description: 'Its place among the files of the record.' }),
    fileName: Type.String(),
    bytes: Type.Integer({ description: 'How long it is to be.' }),
    offset: Type.Integer({ description: 'How much has come and is safe.' }),
    state: Type.Enum(uploadStates),
    partial: Type.Optional(
      Type.Boolean({ description: 'A part of a file, which a final upload is to join.' })
    ),
    code: Type.Optional(Type.String({ description: 'Why it was refused.' })),
    sha256: Type.Optional(Type.String({ description: 'Of the whole file, in hex.' }))
  },
  { $id: 'Upload' }
)
export type UploadView = Static<typeof UploadView>

export const DraftView = Type.Object(
  {
    id: Type.String({ format: 'uuid', description: 'The record will have it too.' }),
    case: Id,
    kind: RecordFields.properties.kind,
    title: Type.String(),
    date: Type.String({ format: 'date' }),
    createdBy: Id,
    createdAt: Timestamp,
    expiresAt: Type.String({ format: 'date-time', description: 'Until then it must be complete.' }),
    uploads: Type.Array(UploadView)
  },
  { $id: 'Draft' }
)
export type DraftView = Static<typeof DraftView>

export const DraftList = Type.Object({ drafts: Type.Array(DraftView) })
