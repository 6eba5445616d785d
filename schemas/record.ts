import { type Static, Type } from 'typebox'
import { Id, Timestamp } from './common.ts'
import {
  Duplicate,
  ObjectSummaryView,
  PatientConfirmation,
  PatientMatchView,
  PatientReasons,
  RefusedFile,
  StudyView
} from './inspection.ts'

export type { Duplicate, ObjectSummaryView, RefusedFile } from './inspection.ts'

export const recordKinds = [
  'scan',
  'pathology-report',
  'pathology-slide',
  'letter',
  'referral',
  'lab-result',
  'treatment-plan',
  'other'
] as const

/** Kinds that come with an opinion: made by the service, or added by its specialist. */
export const opinionRecordKinds = ['opinion', 'opinion-addendum', 'opinion-attachment'] as const
export type OpinionRecordKind = (typeof opinionRecordKinds)[number]

/** What a record can be. */
export const RecordKind = Type.Enum([...recordKinds, ...opinionRecordKinds])
export type RecordKind = Static<typeof RecordKind>

/** The fields of the multipart form that come before its files. */
export const RecordFields = Type.Object(
  {
    kind: Type.Enum(recordKinds),
    title: Type.String({ minLength: 1, maxLength: 200 }),
    date: Type.String({ format: 'date', description: 'When it was made.' })
  },
  { additionalProperties: false }
)
export type RecordFields = Static<typeof RecordFields>

export const quarantines = ['none', 'waiting', 'held'] as const
export type Quarantine = (typeof quarantines)[number]
const Quarantine = Type.Enum(quarantines, {
  description:
    'Only a record with none can be shared. waiting: until its files are scanned. held: a file of it is infected, or could not be scanned and may not be shared unscanned.'
})

const scanOfObject = {
  scan: Type.Enum(['pending', 'clean', 'infected', 'not-scanned'] as const, {
    description: 'What the malware scanner says of this file.'
  }),
  scanReason: Type.Optional(
    Type.Enum(['too-large', 'timed-out', 'scanner-down', 'end-to-end', 'off'] as const, {
      description: 'Why it was not scanned. off: this service has no scanner.'
    })
  ),
  scanSignature: Type.Optional(Type.String({ description: 'What was found in it.' })),
  scannedAt: Type.Optional(Timestamp)
}
const ObjectScan = Type.Object(scanOfObject)
export type ObjectScan = Static<typeof ObjectScan>

export const ObjectView = Type.Object(
  {
    id: Id,
    position: Type.Integer({ description: 'From 1, in the order of upload.' }),
    fileName: Type.String(),
    type: Type.String({ description: 'By its first bytes, not by what was declared.' }),
    endToEnd: Type.Boolean({
      description: 'Encrypted by its sender to the specialist. This service cannot read it.'
    }),
    bytes: Type.Integer(),
    sha256: Type.String({ description: 'Of the file as it was sent, in hex.' }),
    summary: ObjectSummaryView,
    patientMatch: Type.Optional(PatientMatchView),
    ...scanOfObject
  },
  { $id: 'Object' }
)
export type ObjectView = Static<typeof ObjectView>

const ofRecord = {
  id: Id,
  case: Id,
  kind: RecordKind,
  title: Type.String(),
  date: Type.String({ format: 'date' }),
  createdBy: Id,
  createdAt: Timestamp,
  bytes: Type.Integer(),
  patientMatch: PatientMatchView,
  patientConfirmation: Type.Optional(PatientConfirmation),
  quarantine: Quarantine
}

export const RecordView = Type.Object(
  {
    ...ofRecord,
    patientReasons: Type.Optional(PatientReasons),
    summary: Type.String({ description: 'What it is, in one line.' }),
    studies: Type.Array(StudyView, { description: 'Its DICOM files, by study and series.' }),
    duplicates: Type.Array(Duplicate, {
      description: 'Files that are there twice, in this record or others of the case.'
    }),
    objects: Type.Array(ObjectView),
    refused: Type.Optional(
      Type.Array(RefusedFile, {
        description: 'In the answer to an upload: the files that were not taken, and why.'
      })
    )
  },
  { $id: 'Record' }
)
export type RecordView = Static<typeof RecordView>

/** A record in a list: its objects are counted, not named. */
export const RecordSummary = Type.Object(
  { ...ofRecord, objectCount: Type.Integer() },
  { $id: 'RecordSummary' }
)
export type RecordSummary = Static<typeof RecordSummary>

/** What is left of a record that was erased, so that the access log still makes sense. */
const ErasedRecord = Type.Object({
  id: Id,
  kind: RecordFields.properties.kind,
  objectCount: Type.Integer(),
  bytes: Type.Integer(),
  createdBy: Id,
  createdAt: Timestamp,
  erasedAt: Timestamp,
  erasure: Type.String({ format: 'uuid', description: 'Its receipt is at /v1/erasures.' })
})
export type ErasedRecord = Static<typeof ErasedRecord>

export const RecordList = Type.Object({
  records: Type.Array(RecordSummary),
  erased: Type.Optional(Type.Array(ErasedRecord, { description: 'Records that were erased.' }))
})
export type RecordList = Static<typeof RecordList>
